"""Dead letters of endpoints, and what was put back on its way to one (CTL-152, CTL-172)."""

import pytest
from control_rigs.hooks import SETTINGS, Desk, Site
from sqlalchemy import delete, update

from control_api import events
from control_api.events import EventError
from control_api.outbox import dead
from control_api.outbox.handlers import revive
from control_api.webhooks import deliveries, endpoints, types
from control_api.webhooks.tables import webhook_delivery, webhook_endpoint


async def test_a_dead_letter_outlives_its_delivery(desk: Desk, site: Site) -> None:
    """Deliveries are forgotten after three days, dead letters never; both kinds are sent again."""
    endpoint_id, _ = await desk.endpoint()
    site.says(500)
    await desk.tell("a1")
    await desk.tries()
    assert await desk.state(endpoint_id) == ("paused", "failing")
    site.says(200)
    desk.clock.advance(SETTINGS.kept_s + 1)
    await desk.turn()
    assert await desk.rows() == []
    async with desk.database.write() as connection:
        (letter,) = await dead.letters(connection, None, 9)
        await revive(connection, letter, desk.clock.now_ms())
        assert await dead.letters(connection, None, 9) == []
    site.got.clear()
    desk.clock.advance(SETTINGS.probe_s + 1)
    await desk.turn()
    assert site.states() == ["a1"]


async def test_a_letter_stays_if_its_endpoint_is_gone(desk: Desk, site: Site) -> None:
    endpoint_id, _ = await desk.endpoint()
    await desk.tell("a1")
    (row,) = await desk.rows()
    topic = deliveries.topic_of(endpoint_id)
    async with desk.database.write() as connection:
        await dead.bury(connection, topic, deliveries.CONSUMER, row.payload, "x", 5, 0)
        await endpoints.remove(connection, await endpoints.find(connection, None, endpoint_id))
    async with desk.database.write() as connection:
        (letter,) = await dead.letters(connection, None, 9)
        with pytest.raises(EventError, match="its endpoint was removed"):
            await revive(connection, letter, desk.clock.now_ms())
        assert len(await dead.letters(connection, None, 9)) == 1


async def test_what_is_put_back_waits_as_long_as_what_is_new(desk: Desk, site: Site) -> None:
    """A day in the queue of a paused endpoint counts from when it was put there."""
    endpoint_id, _ = await desk.endpoint()
    await desk.tell("a1")
    async with desk.database.write() as connection:
        await connection.execute(update(webhook_delivery).values(status="dead"))
        await connection.execute(update(webhook_endpoint).values(state="paused", probe_ms=2**60))
    desk.clock.advance(1.5 * SETTINGS.queue_s)
    async with desk.database.write() as connection:
        await deliveries.again(connection, endpoint_id, desk.clock.now_ms())
    for wait_s, status in ((61, "pending"), (SETTINGS.queue_s, "dropped")):
        desk.clock.advance(wait_s)
        await desk.turn()
        assert [each.status for each in await desk.rows()] == [status]


async def paused(desk: Desk) -> str:
    endpoint_id, _ = await desk.endpoint()
    async with desk.database.write() as connection:
        row = await endpoints.find(connection, None, endpoint_id)
        await endpoints.pause(connection, row, desk.clock.now_ms())
    return endpoint_id


async def replayed(desk: Desk, endpoint_id: str, *states: str) -> None:
    """Letters of one subject whose deliveries are forgotten; a state ends with its event's time."""
    topic = deliveries.topic_of(endpoint_id)
    async with desk.database.write() as connection:
        for at_ms, state in enumerate(states):
            data = {"account_id": "acc_a", "state": state}
            event = events.make("account.created", data, int(state[1:]), event_id=f"msg_{state}")
            payload = events.encode(event).decode()
            await dead.bury(connection, topic, deliveries.CONSUMER, payload, "x", 5, at_ms)
        for letter in await dead.letters(connection, None, 99):
            await revive(connection, letter, desk.clock.now_ms())


async def status(desk: Desk) -> dict[str, str]:
    return {
        events.decode(row.payload.encode()).data["state"]: row.status for row in await desk.rows()
    }


async def trimmed(desk: Desk, endpoint_id: str, most: int) -> int:
    async with desk.database.write() as connection:
        return await deliveries.trim(connection, endpoint_id, 0, most)


async def resume(desk: Desk, endpoint_id: str) -> None:
    async with desk.database.write() as connection:
        row = await endpoints.find(connection, None, endpoint_id)
        await endpoints.resume(connection, row, desk.clock.now_ms())
    await desk.turn()


async def test_letters_that_were_put_back_go_in_the_order_of_their_events(
    desk: Desk, site: Site
) -> None:
    endpoint_id = await paused(desk)
    await desk.tell("a9")
    await replayed(desk, endpoint_id, "a3", "a5", "a1", "a4", "a2")
    await resume(desk, endpoint_id)
    assert site.states() == ["a1", "a2", "a3", "a4", "a5", "a9"]


async def test_what_the_outbox_still_has_keeps_its_place(desk: Desk, site: Site) -> None:
    endpoint_id = await paused(desk)
    await desk.tell("a1", "a2", "a3")
    (_, second, _) = await desk.rows()
    topic = deliveries.topic_of(endpoint_id)
    async with desk.database.write() as connection:
        forgotten = delete(webhook_delivery).where(webhook_delivery.c.id == second.id)
        await connection.execute(forgotten)
        await dead.bury(connection, topic, deliveries.CONSUMER, second.payload, "x", 5, 0)
        (letter,) = await dead.letters(connection, None, 9)
        await revive(connection, letter, desk.clock.now_ms())
    await resume(desk, endpoint_id)
    assert site.states() == ["a1", "a2", "a3"]


async def test_only_the_surplus_of_what_was_put_back_is_dropped(desk: Desk) -> None:
    endpoint_id = await paused(desk)
    await replayed(desk, endpoint_id, "a3", "a1", "a2")
    assert await trimmed(desk, endpoint_id, 3) == 0
    assert await trimmed(desk, endpoint_id, 2) == 1
    assert await status(desk) == {"a1": "dropped", "a2": "pending", "a3": "pending"}


async def test_events_of_one_moment_are_dropped_one_by_one(desk: Desk) -> None:
    endpoint_id = await paused(desk)
    await replayed(desk, endpoint_id, "a1", "b1", "c1")
    assert await trimmed(desk, endpoint_id, 2) == 1
    assert sorted((await status(desk)).values()) == ["dropped", "pending", "pending"]


async def test_a_letter_put_back_is_not_the_first_to_go(desk: Desk) -> None:
    """It waits since it was put back, what is in the queue since it came there."""
    endpoint_id = await paused(desk)
    await desk.tell("a8", "a9")
    desk.clock.advance(60)
    await replayed(desk, endpoint_id, "a1")
    assert await trimmed(desk, endpoint_id, 2) == 1
    assert await status(desk) == {"a1": "pending", "a8": "dropped", "a9": "pending"}


async def test_pages_of_deliveries_show_events_of_one_moment(desk: Desk) -> None:
    endpoint_id = await paused(desk)
    await replayed(desk, endpoint_id, "a1", "b1", "c1")
    seen, cursor = [], None
    async with desk.database.read() as connection:
        for _ in range(3):
            query = types.DeliveryQuery(limit=1, cursor=cursor)
            page = await endpoints.history(connection, b"k" * 32, endpoint_id, query)
            seen += [each.event_id for each in page.items]
            cursor = page.next_cursor
    assert (sorted(seen), cursor) == (["msg_a1", "msg_b1", "msg_c1"], None)
