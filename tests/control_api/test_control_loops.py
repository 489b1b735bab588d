"""Two that write the same rows take turns, and one refused statement ends no process (CTL-145)."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event, insert, text
from sqlalchemy.exc import DBAPIError

from control_api import seed
from control_api.catalogue import documents
from control_api.loops import Loop, beat_s
from control_api.popularity import counting, work
from control_api.popularity.tables import EVERYWHERE, popular
from control_api.schema import content
from runtime import service
from runtime.sql import Database

T0 = 1_774_656_000_000  # 2026-03-28T00:00Z
IDS = [f"cnt_{n}" for n in range(5)]


@pytest.fixture
async def house(kept: Database) -> Database:
    film = next(row for table, row in seed.ROWS if table is content)
    async with kept.write() as connection:
        await connection.execute(insert(content), [film | {"id": each} for each in IDS])
    return kept


def written(connection: Any) -> list[str]:
    """The titles whose rows are written from now on, one after another."""
    found: list[str] = []

    @event.listens_for(connection.sync_connection, "before_cursor_execute")
    def _seen(_: Any, __: Any, statement: str, values: Any, ___: Any, many: bool) -> None:
        if statement.startswith("UPDATE content SET"):
            rows = values if many else [values]
            found.extend(next(each for each in reversed(row) if each in IDS) for row in rows)

    return found


async def test_rows_of_titles_are_written_in_the_order_of_their_ids(house: Database) -> None:
    """By who counts and by who imports: else PostgreSQL ends one of the two."""
    async with house.write() as connection:
        scores = {"territory": EVERYWHERE, "kind": "content", "score": 9.0, "at_ms": T0, "shown": 0}
        for each in reversed(IDS):
            await connection.execute(insert(popular).values(scores | {"target_id": each}))
    async with house.write() as connection:
        shown = written(connection)
        await counting.count(connection, T0)
    assert shown == IDS
    async with house.write() as connection:
        entries = await documents.load(connection, IDS)
        imported = written(connection)
        await documents.write(connection, [entries[each] for each in reversed(IDS)], IDS)
    assert imported == IDS


async def test_a_refused_statement_is_tried_again(
    house: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "TURN_S", 0)
    monkeypatch.setattr(service, "AGAIN_S", 0)
    turns = 0
    again = asyncio.Event()

    async def count(connection: Any, now_ms: int) -> int:
        nonlocal turns
        turns += 1
        if turns > 1:
            again.set()
            return 0
        await connection.execute(text("SELECT no_such_thing"))
        raise AssertionError("refused")

    monkeypatch.setattr(counting, "count", count)
    part = work.part(house)
    assert isinstance(part, Loop) and part.outlives == (DBAPIError,)
    await part.start()
    await asyncio.wait_for(again.wait(), 60)
    assert part.ready() is None
    await part.stop()


@pytest.mark.parametrize("every_s", [0.1, 0.5, 1.0, 5.0])
@pytest.mark.parametrize(
    "now_s", [0.0, 0.0004, 0.3, 12.4996, 12.5, 12.5004, 12.74, 12.76, 86_399.9]
)
def test_beats_come_together_and_none_twice(
    every_s: float, now_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timer that fires a moment early does not begin its beat anew."""
    loop = SimpleNamespace(time=lambda: now_s)
    monkeypatch.setattr("control_api.loops.asyncio", SimpleNamespace(get_running_loop=lambda: loop))
    left_s = beat_s(every_s)
    assert (now_s + left_s) / every_s == pytest.approx(round((now_s + left_s) / every_s))
    assert 0.499 * every_s <= left_s <= 1.501 * every_s
