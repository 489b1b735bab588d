"""PostgreSQL that stands still, as one behind a broken network does (CTL-188)."""

import asyncio

import pytest
from sqlalchemy import text
from twins.frozen import frozen

from runtime import lending
from runtime.asking import CONNECTIONS
from runtime.sql import Database, SqlError

pytestmark = pytest.mark.twin
WHO, LATE = text("SELECT pg_backend_pid()"), text("SELECT pg_sleep(600)")
BUSY = text(
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)'"
)


async def code(database: Database) -> str:
    with pytest.raises(SqlError) as caught:
        await database.ask(WHO, {}, timeout_ms=300)
    return caught.value.code


async def test_who_asks_a_frozen_server_is_told_in_time(postgresql_url: str) -> None:
    """On connections that were there, on such as have to be made, and on none that is free."""
    async with Database(postgresql_url, timeout_ms=20_000) as database:
        asked = [database.ask(WHO, {}) for _ in range(2 * CONNECTIONS)]
        rows = await asyncio.gather(*asked)
        with frozen(rows[0][0][0]):
            for _ in range(3):
                async with asyncio.timeout(30):
                    codes = await asyncio.gather(*[code(database) for _ in range(3 * CONNECTIONS)])
                assert set(codes) == {"timeout"}
        for _ in range(3):
            await asyncio.gather(*[database.ask(WHO, {}) for _ in range(2 * CONNECTIONS)])


async def test_what_was_given_up_does_not_go_on_in_the_server(postgresql_url: str) -> None:
    async with Database(postgresql_url, timeout_ms=20_000) as database:
        for _ in range(2 * CONNECTIONS):
            with pytest.raises(SqlError) as caught:
                await database.ask(LATE, {}, timeout_ms=50)
            assert caught.value.code == "timeout"
        async with asyncio.timeout(60), database.read() as connection:
            while (await connection.execute(BUSY)).scalar_one():
                await asyncio.sleep(0.02)
                await connection.execute(text("SELECT pg_stat_clear_snapshot()"))


async def test_connections_whose_callers_left_serve_again(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions and changes that were given up cost the next ones no connection."""
    monkeypatch.setattr(lending, "LEAVE_S", 60.0)
    async with Database(postgresql_url, timeout_ms=60_000) as database:
        await database.warm()

        async def change() -> None:
            async with database.change(timeout_ms=50) as ask:
                await ask(LATE, {})

        async def backends() -> set[int]:
            rows = await asyncio.gather(*[database.ask(WHO, {}) for _ in range(2 * CONNECTIONS)])
            return {pid for ((pid,),) in rows}

        before = await backends()
        for left in (change(), *(database.ask(LATE, {}, timeout_ms=50) for _ in before)):
            with pytest.raises(SqlError) as caught:
                await left
            assert caught.value.code == "timeout"
        assert await backends() <= before
        assert len(before) == CONNECTIONS


async def test_a_frozen_server_holds_up_nobody_who_stops(postgresql_url: str) -> None:
    """Connections that are open are left, and closed, without its word."""
    database = Database(postgresql_url, timeout_ms=20_000)
    await database.start()
    async with database.read() as one, database.read() as other:
        backend = (await one.execute(WHO)).scalar_one()
        await other.execute(WHO)
    wires = list(database._wires)
    with frozen(backend):
        async with asyncio.timeout(60):
            await database.stop()
        assert len(wires) >= 2 and all(wire.is_closed() for wire in wires)
