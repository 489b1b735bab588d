"""The primary of a Redis that Sentinels watch dies: the API goes on (CTL-188, CTL-189)."""

import asyncio
import contextlib
import signal
from typing import Any

import pytest
from sqlalchemy import update
from twins.sentinels import watched

from control_api import seed
from control_api.schema import account
from control_api.streams import SINCE
from runtime.store import RedisStore, StoreError

pytestmark = pytest.mark.twin


async def test_starts_heartbeats_and_stops_go_on(database: Any, make_api: Any) -> None:
    """What was acknowledged is there, limits hold, and the new primary is found by itself."""
    async with contextlib.AsyncExitStack() as stack:
        servers = stack.enter_context(watched())
        store = RedisStore(servers.url, timeout_ms=1_000)
        await store.start()
        stack.push_async_callback(store.stop)
        await store.put(SINCE, b"1")
        api = await make_api(database, store=store, breaker_s=0.2)
        async with database.write() as connection:
            await connection.execute(update(account).values(max_streams=2))
        _, first = await api.start("a")
        assert await store._quick.wait(1, 10_000) == 1
        servers.tell(servers.servers[0], signal.SIGKILL)
        path = f"/v1/sessions/{first['session_id']}"
        assert (await api.send("POST", f"{path}/heartbeat", {}))[0] == 200
        status, second = await api.start("b")
        assert status == 201, second
        assert (await api.start("c"))[0] == 409
        asked = [(seed.ACCOUNT, each["session_id"]) for each in (first, second)]
        known = [False, False]
        async with asyncio.timeout(120):
            while known != [True, True]:
                for _, name in asked:
                    status, told = await api.send("POST", f"/v1/sessions/{name}/heartbeat", {})
                    assert status in (200, 429), told  # CTL-164: faster than a player
                with contextlib.suppress(StoreError):
                    known = await store.live(asked)
                await asyncio.sleep(0.2)
        assert (await api.start("c"))[0] == 409
        assert (await api.send("POST", f"{path}/stop"))[0] == 204
        assert (await api.start("c"))[0] == 201
