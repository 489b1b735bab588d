"""A database that comes back after a while finds its pools filled (CTL-186, CTL-187)."""

import asyncio
import time
from contextlib import suppress

import pytest
from sqlalchemy import text
from twins.frozen import frozen

from control_api.guarded import GuardedDatabase
from runtime.asking import CONNECTIONS
from runtime.clock import ManualClock
from runtime.sql import Database, SqlError

pytestmark = pytest.mark.twin
WHO = text("SELECT pg_backend_pid()")
POOL = 8
OPEN_S = 30.0
BACK_S = 90.0
OURS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend'"
)


async def refused(database: Database, timeout_ms: int) -> str:
    with pytest.raises(SqlError) as caught:
        await database.ask(WHO, {}, timeout_ms=timeout_ms)
    return str(caught.value)


@pytest.mark.parametrize("full", [True, False])
async def test_the_pools_are_full_before_it_is_ready(postgresql_url: str, full: bool) -> None:
    """CTL-186."""
    whole = POOL + CONNECTIONS
    async with Database(postgresql_url, timeout_ms=20_000, pool_size=POOL, full=full) as database:
        ((found,),) = await database.ask(OURS, {})
    assert (found == whole) == full and found <= whole


async def test_the_probe_fills_the_pools_though_its_request_has_left(postgresql_url: str) -> None:
    """Requests that have too little time to make a connection must not keep the database away."""
    async with Database(postgresql_url, timeout_ms=20_000, pool_size=POOL) as inner:
        database = GuardedDatabase(inner, OPEN_S)
        hand = database._breaker._clock = ManualClock()
        async with inner.read() as connection:
            backend = (await connection.execute(WHO)).scalar_one()
        with frozen(backend):
            for _ in range(5):
                assert (await refused(database, 20)).startswith("timeout")
            assert "switched off" in await refused(database, 20)
            hand.advance(OPEN_S)
            with suppress(TimeoutError, SqlError):
                async with asyncio.timeout(0.05):
                    await database.ask(WHO, {})
            assert "switched off" in await refused(database, 20), "one probe is out"
        deadline = time.monotonic() + BACK_S
        found = 0
        while not found and time.monotonic() < deadline:
            try:
                found = (await database.ask(OURS, {}))[0][0]
            except SqlError:
                hand.advance(OPEN_S)
                await asyncio.sleep(0.02)
        assert found == POOL + CONNECTIONS
