"""Guides that are cut off on their way: by a stop, by the database, by what they do (CTL-68)."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from control_api import seed
from control_api.epg import importer, intake, store
from control_api.epg.errors import EpgError
from control_api.epg.intake import MAX_TRIES, Intake
from control_api.epg.tables import epg_import_file
from control_api.issuer import Passwords
from control_api.outbox.tables import outbox
from control_api.schema import channel_source, epg_event, epg_import_run
from control_api.times import now_ms
from runtime.sql import Database, SqlError
from runtime.store import MemoryStore

GUIDE = (
    b'<tv><programme channel="x" start="20300101000000 +0000" stop="20300101010000 +0000">'
    b"<title>One</title></programme></tv>"
)


@asynccontextmanager
async def closing(task: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.01)


async def uploaded(database: Database, at_ms: int | None = None) -> str:
    async with database.write() as connection:
        run_id = await importer.begin(connection, "src_a", at_ms or now_ms())
        row = {"run_id": run_id, "packed": GUIDE, "forced": False}
        await connection.execute(epg_import_file.insert().values(row))
    return run_id


async def of(database: Database, *columns: Any) -> list[Any]:
    """Rows of the one table that the columns are of."""
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns))]


RUN = (epg_import_run.c.state, epg_import_run.c.reason)
FILE = (epg_import_file.c.taken_ms, epg_import_file.c.tries)


@pytest.fixture
async def guided(migrated: Database) -> Database:
    await seed.plant(migrated, Passwords(), "one")
    async with migrated.write() as connection:
        await store.source(connection, "src_a", lang="en")
        await store.map_channels(connection, "src_a", {"x": "demo"}, 1)
    return migrated


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An import that waits where it reads its file until the event is set."""
    go_on, real = threading.Event(), importer._read

    def waiting(*args: Any) -> Any:
        go_on.wait(60)
        return real(*args)

    monkeypatch.setattr(importer, "_read", waiting)
    yield go_on
    go_on.set()


async def test_a_stop_leaves_the_file_to_the_next_process(guided: Database, held_up: Any) -> None:
    await uploaded(guided)
    task = asyncio.create_task(Intake(guided, MemoryStore()).finish())
    async with closing(task):
        await until(lambda: taken(guided))
    assert task.cancelled()
    assert (await of(guided, *RUN), await of(guided, *FILE)) == ([("running", None)], [(None, 1)])
    held_up.set()
    await Intake(guided, MemoryStore()).finish()
    assert await of(guided, *RUN) == [("applied", None)]
    assert len(await of(guided, epg_event.c.id)) == 1 and await of(guided, *FILE) == []


async def taken(database: Database) -> bool:
    return (await of(database, *FILE))[0][0] is not None


async def test_a_fault_of_the_database_is_outlived(
    guided: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many times, and then the file may be why."""

    async def away(*_: Any, **__: Any) -> None:
        raise SqlError("timeout", "late")

    await uploaded(guided)
    with monkeypatch.context() as patch:
        patch.setattr(importer, "_apply", away)
        for tries in range(1, MAX_TRIES + 1):
            with pytest.raises(SqlError):
                await Intake(guided, MemoryStore()).finish()
            assert await of(guided, *FILE) == [(None, tries)]
    await Intake(guided, MemoryStore()).finish()
    assert await of(guided, *RUN) == [("failed", f"cut off {MAX_TRIES} times")]
    assert await of(guided, *FILE) == [] == await of(guided, epg_event.c.id)
    topics = [row[0] for row in await of(guided, outbox.c.topic)]
    assert topics == ["epg.import.started", "epg.import.failed"]
    await uploaded(guided)
    await Intake(guided, MemoryStore()).finish()
    assert [state for state, _ in await of(guided, *RUN)].count("applied") == 1


async def test_a_long_run_stays_its_process_s(
    guided: Database, held_up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else takes its file or begins another, however long ago it began."""
    monkeypatch.setattr(intake, "HOLD_S", 0.01)
    await uploaded(guided)
    long_ago = now_ms() - 2 * importer.ABANDONED_MS
    task = asyncio.create_task(Intake(guided, MemoryStore()).finish())
    async with closing(task):
        await until(lambda: taken(guided))
        async with guided.write() as connection:
            await connection.execute(update(epg_import_run).values(started_ms=long_ago))
            await connection.execute(update(epg_import_file).values(taken_ms=long_ago))

        async def said() -> bool:
            return (await of(guided, *FILE))[0][0] > long_ago

        await until(said)
        await Intake(guided, MemoryStore()).finish()
        assert (await of(guided, *FILE))[0][1] == 1
        with pytest.raises(EpgError, match="another import"):
            await uploaded(guided)
        held_up.set()
        await task
    assert await of(guided, *RUN) == [("applied", None)]


async def test_a_run_that_died_ends_when_the_next_begins(guided: Database) -> None:
    """And what its process does yet, should it live, is not told of as its end."""
    begun_ms = now_ms() - importer.ABANDONED_MS
    died = await uploaded(guided, begun_ms)
    await importer.run(guided, "src_a", io.BytesIO(GUIDE), now_ms)
    assert sorted(await of(guided, *RUN)) == [
        ("applied", None),
        ("failed", importer.INTERRUPTED),
    ]
    await importer.carry_out(guided, died, io.BytesIO(GUIDE), now_ms)
    assert sorted(state for state, _ in await of(guided, *RUN)) == ["applied", "failed"]
    topics = [row[0] for row in await of(guided, outbox.c.topic)]
    assert topics.count("epg.import.failed") == topics.count("epg.import.completed") == 1


async def test_a_channel_may_be_taken_away_meanwhile(guided: Database, held_up: Any) -> None:
    """What the source speaks of no more, it does not change."""
    await uploaded(guided)
    task = asyncio.create_task(Intake(guided, MemoryStore()).finish())
    async with closing(task):
        await until(lambda: taken(guided))
        async with guided.write() as connection:
            await connection.execute(delete(channel_source))
        held_up.set()
        await task
    assert await of(guided, *RUN) == [("applied", None)] and await of(guided, epg_event.c.id) == []
