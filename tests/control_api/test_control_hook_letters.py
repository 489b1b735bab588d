"""Dead letters of endpoints, and what was put back on its way to one (CTL-152, CTL-172)."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import RawTestServer
from control_rigs.hooks import SETTINGS, Desk, Site
from sqlalchemy import update

from control_api.events import EventError
from control_api.outbox import dead
from control_api.outbox.handlers import revive
from control_api.webhooks import deliveries, endpoints
from control_api.webhooks.sender import fetcher
from control_api.webhooks.tables import webhook_delivery, webhook_endpoint
from runtime.sql import Database


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    yield Site()


@pytest.fixture
async def desk(migrated: Database, site: Site) -> AsyncIterator[Desk]:
    server = RawTestServer(site)
    await server.start_server()
    async with fetcher(SETTINGS) as client:
        yield Desk(migrated, str(server.make_url("")).rstrip("/"), client)
    site.slow.set()
    await server.close()


async def test_a_dead_letter_outlives_its_delivery(desk: Desk, site: Site) -> None:
    """Deliveries are forgotten after three days, dead letters never; both kinds are sent again."""
    endpoint_id, _ = await desk.endpoint()
    site.says(500)
    await desk.tell("a1")
    for wait_s in (0, 6, 11, 21, 41):
        desk.clock.advance(wait_s)
        await desk.turn()
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
