"""Pauses by hand: nothing is sent, nothing is lost, nobody but a hand ends them (issue 8, 7)."""

import asyncio

from control_rigs.hooks import SETTINGS, Desk, Site

from control_api.webhooks import deliveries, endpoints


async def pause(desk: Desk, endpoint_id: str) -> None:
    async with desk.database.write() as connection:
        row = await endpoints.find(connection, None, endpoint_id)
        await endpoints.pause(connection, row, desk.clock.now_ms())


async def resume(desk: Desk, endpoint_id: str) -> None:
    async with desk.database.write() as connection:
        row = await endpoints.find(connection, None, endpoint_id)
        await endpoints.resume(connection, row, desk.clock.now_ms())


async def test_no_probe_ends_it_and_resume_sends_all_in_order(desk: Desk, site: Site) -> None:
    endpoint_id, _ = await desk.endpoint()
    await pause(desk, endpoint_id)
    await desk.tell("a1", "a2")
    for _ in range(3):
        desk.clock.advance(1_000)
        await desk.turn()
    assert site.got == [] and await desk.state(endpoint_id) == ("paused", "asked")
    await desk.tell("a3")
    await resume(desk, endpoint_id)
    await desk.turn()
    assert site.states() == ["a1", "a2", "a3"]
    assert await desk.state(endpoint_id) == ("active", None)


async def test_it_takes_the_place_of_a_pause_by_failures(desk: Desk, site: Site) -> None:
    endpoint_id, _ = await desk.endpoint()
    site.says(500)
    await desk.tell("a1")
    await desk.tries()
    assert await desk.state(endpoint_id) == ("paused", "failing")
    await pause(desk, endpoint_id)
    site.says(200)
    await desk.tell("b1")
    desk.clock.advance(400)
    await desk.turn()
    assert len(site.got) == 5 and await desk.state(endpoint_id) == ("paused", "asked")


async def test_it_is_told_once(desk: Desk) -> None:
    endpoint_id, _ = await desk.endpoint()
    await pause(desk, endpoint_id)
    await pause(desk, endpoint_id)
    assert await desk.told() == ["webhook.endpoint_paused"]


async def _until_asked(site: Site) -> None:
    async with asyncio.timeout(60):
        while not site.got:
            await asyncio.sleep(0.01)


async def test_what_is_on_its_way_is_the_last(desk: Desk, site: Site) -> None:
    """A pause amid a batch: the message that is out counts, the one behind it waits."""
    endpoint_id, _ = await desk.endpoint("/slow")
    await desk.tell("a1", "a2")
    tasks = await desk.dispatcher.turn()
    await _until_asked(site)
    await pause(desk, endpoint_id)
    site.slow.set()
    await asyncio.gather(*tasks)
    assert [row.status for row in await desk.rows()] == ["done", "pending"]
    assert site.states("/slow") == ["a1"]


async def test_a_probe_that_is_out_does_not_end_it(desk: Desk, site: Site) -> None:
    endpoint_id, _ = await desk.endpoint("/slow")
    async with desk.database.write() as connection:
        row = await endpoints.find(connection, None, endpoint_id)
        await deliveries.close(connection, row, ("paused", "failing"), 5, 0, 0)
    await desk.tell("a1", "b1")
    tasks = await desk.dispatcher.turn()
    await _until_asked(site)
    await pause(desk, endpoint_id)
    site.slow.set()
    await asyncio.gather(*tasks)
    assert await desk.state(endpoint_id) == ("paused", "asked")
    assert [row.status for row in await desk.rows()] == ["done", "pending"]
    desk.clock.advance(400)
    await desk.turn()
    assert site.states("/slow") == ["a1"]


async def test_its_queue_has_the_bounds_of_every_pause(desk: Desk) -> None:
    endpoint_id, _ = await desk.endpoint()
    await pause(desk, endpoint_id)
    await desk.tell("a1")
    desk.clock.advance(SETTINGS.queue_s + 1)
    await desk.tell("a2")
    await desk.turn()
    assert [row.status for row in await desk.rows()] == ["dropped", "pending"]
