"""Who is cut off in the middle keeps nothing locked (CMP-11), and leaves nobody behind; who stops
leaves one file.
"""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from runtime import sql
from runtime.asking import ServerAsker
from runtime.sql import Database, SqlError


class CutOff(Exception):
    pass


async def test_a_writer_whose_rows_are_still_in_memory_locks_nothing(tmp_path: Path) -> None:
    """As a traceback keeps them until the collector comes."""
    async with Database.embedded(tmp_path, timeout_ms=60_000) as database:
        async with database.write() as connection:
            await connection.execute(text("CREATE TABLE t (i INTEGER)"))
            await connection.execute(text("INSERT INTO t VALUES (1), (2), (3)"))
        held = []
        try:
            async with database.write() as connection:
                await connection.execute(text("INSERT INTO t VALUES (4)"))
                raw = await connection.get_raw_connection()
                driver = raw.driver_connection
                assert driver is not None
                rows = await driver.execute("SELECT i FROM t")
                held.append(await rows.fetchone())
                held.append(rows)
                await connection.invalidate()
                raise CutOff
        except CutOff:
            pass
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO t VALUES (5)"))
            found = (await connection.execute(text("SELECT i FROM t ORDER BY i"))).scalars().all()
        assert found == [1, 2, 3, 5] and len(held) == 2


async def test_all_that_was_written_is_in_the_file_when_it_is_stopped(tmp_path: Path) -> None:
    """Its log goes into it with the last connection: of two that close at once none is the last."""
    for turn in range(40):
        folder = tmp_path / str(turn)
        database = Database.embedded(folder, timeout_ms=60_000)
        async with database, database.write() as connection:
            await connection.execute(text("CREATE TABLE t (i INTEGER)"))
        assert [each.name for each in folder.iterdir()] == ["headwater.sqlite"]


async def test_a_slow_machine_closes_every_connection_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server is there that may be silent."""
    before = workers()
    monkeypatch.setattr(sql, "LEAVE_S", 0.0)
    database = Database.embedded(tmp_path, timeout_ms=60_000)
    async with database, database.write() as connection:
        await connection.execute(text("CREATE TABLE t (i INTEGER)"))
    assert [each.name for each in tmp_path.iterdir()] == ["headwater.sqlite"]
    assert workers() <= before


async def test_who_comes_back_after_the_stop_leaves_nobody_behind(tmp_path: Path) -> None:
    before, inside, leaves = workers(), asyncio.Event(), asyncio.Event()
    database = Database.embedded(tmp_path, timeout_ms=60_000)
    await database.start()

    async def read() -> None:
        async with database.read() as connection:
            await connection.execute(text("SELECT 1"))
            inside.set()
            await leaves.wait()

    reading = asyncio.create_task(read())
    await inside.wait()
    asyncio.get_running_loop().call_later(0.1, leaves.set)
    await database.stop()
    await reading
    async with asyncio.timeout(60):
        while not workers() <= before:
            await asyncio.sleep(0.01)


@pytest.mark.twin
async def test_a_connection_that_is_made_after_the_stop_is_closed(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgresql_url, timeout_ms=60_000)
    await database.start()
    connect, made = asyncpg.connect, []
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def late(*where: Any, **options: Any) -> Any:
        begun.set()
        await goes_on.wait()
        made.append(await connect(*where, **options))
        return made[-1]

    monkeypatch.setattr(asyncpg, "connect", late)

    async def ask() -> None:
        async with database.read(), database.read():  # one is open since the start
            pass

    asking = asyncio.create_task(ask())
    await begun.wait()
    await database.stop()
    goes_on.set()
    await asyncio.wait([asking])
    assert [each.is_closed() for each in made] == [True]


@pytest.mark.twin
async def test_who_cannot_start_leaves_no_connection_open(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_: Any) -> None:
        raise asyncpg.TooManyConnectionsError

    monkeypatch.setattr(ServerAsker, "open", refused)
    database = Database(postgresql_url, timeout_ms=60_000)
    with pytest.raises(SqlError):
        async with database:
            pass
    assert not [each for each in database._wires if not each.is_closed()]


async def cut_off(database: Database, asking: "asyncio.Task[None]", slow: "Slow") -> None:
    """The caller leaves while SQLite is at it; that goes on when the loop is about to end."""
    await asyncio.to_thread(slow.begun.wait, 60)
    while not asking.done():  # once more while it gives back its connection, too
        asking.cancel()
        await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_later(0.1, slow.goes_on.set)
    await database.stop()


class Slow:
    """A call that takes until it is told to go on."""

    def __init__(self) -> None:
        self.begun, self.goes_on = threading.Event(), threading.Event()

    def __call__(self) -> int:
        self.begun.set()
        return int(self.goes_on.wait(60))


def workers() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if "_connection_worker" in each.name}


async def test_what_nobody_waits_for_any_more_ends_before_its_loop(tmp_path: Path) -> None:
    """A thread that tells a closed loop of its statement fails where nobody catches it."""
    before, slow = workers(), Slow()
    database = Database.embedded(tmp_path, timeout_ms=60_000)
    await database.start()

    async def ask() -> None:
        async with database.read() as connection:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection is not None
            await raw.driver_connection.create_function("slow", 0, slow)
            await connection.execute(text("SELECT slow()"))

    await cut_off(database, asyncio.create_task(ask()), slow)
    assert workers() <= before


async def test_who_leaves_while_a_file_is_opened_leaves_nobody_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, slow = workers(), Slow()
    database = Database.embedded(tmp_path, timeout_ms=60_000)
    await database.start()

    connect = sqlite3.connect

    def late(*where: Any, **options: Any) -> sqlite3.Connection:
        slow()
        opened: sqlite3.Connection = connect(*where, **options)
        return opened

    monkeypatch.setattr(sqlite3, "connect", late)

    async def ask() -> None:
        async with database.read(), database.read():  # one is open since the start
            pass

    await cut_off(database, asyncio.create_task(ask()), slow)
    assert workers() <= before
