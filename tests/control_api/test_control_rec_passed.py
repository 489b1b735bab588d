"""Schedules that changed where nobody records, and while there are no rules, are passed over."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from control_rigs.recorder import HOUR, T0, Recorder
from sqlalchemy import insert, select

from control_api.recordings import follow, series, shapes
from control_api.recordings.schema import schedule_change
from control_api.schema import channel
from runtime.sql import Database

Prepare = Callable[[Recorder], Awaitable[None]]


@pytest.fixture
async def recorder(kept: Any) -> Recorder:
    made = Recorder(kept)
    await made.begin()
    async with made.database.write() as connection:
        row = {"id": "ch_other", "slug": "other", "number": 9, "status": "published"}
        await connection.execute(insert(channel).values(row))
    return made


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The channels whose recordings were looked at."""
    found: list[str] = []
    shift = follow.shift

    async def told(connection: Any, channel_id: str, now_ms: int) -> int:
        found.append(channel_id)
        return await shift(connection, channel_id, now_ms)

    monkeypatch.setattr(follow, "shift", told)
    return found


async def note(database: Database, *channel_ids: str) -> None:
    async with database.write() as connection:
        await follow.note(connection, *channel_ids)


async def waiting(database: Database) -> list[str]:
    async with database.read() as connection:
        query = select(schedule_change.c.channel_id).order_by(schedule_change.c.seq)
        return list((await connection.execute(query)).scalars())


async def nothing(recorder: Recorder) -> None:
    pass


async def ordered(recorder: Recorder) -> None:
    await recorder.order(await recorder.event(T0 + HOUR, T0 + 2 * HOUR))


async def cancelled(recorder: Recorder) -> None:
    row, _ = await recorder.order(await recorder.event(T0 + HOUR, T0 + 2 * HOUR))
    await recorder.delete(row.id)


def rule(*, ended: bool = False) -> Prepare:
    async def prepare(recorder: Recorder) -> None:
        asked = shapes.RuleRequest(title="Show", channel_id="ch_other")
        async with recorder.database.write() as connection:
            made = await series.make(connection, recorder.desk, "acc_demo", asked, T0)
            if ended:
                await series.end(connection, "acc_demo", made.id, T0)

    return prepare


@pytest.mark.parametrize(
    ("prepare", "looked_at"),
    [
        (nothing, []),
        (ordered, ["ch_demo"]),
        (cancelled, []),
        (rule(), ["ch_demo", "ch_other"]),
        (rule(ended=True), []),
    ],
    ids=["nothing", "ordered", "cancelled", "rule", "rule ended"],
)
async def test_only_what_concerns_somebody_is_looked_at(
    recorder: Recorder, seen: list[str], prepare: Prepare, looked_at: list[str]
) -> None:
    await prepare(recorder)
    await note(recorder.database, "ch_demo", "ch_other")
    while await follow.changes(recorder.database, recorder.desk, T0):
        pass
    assert seen == looked_at
    assert await waiting(recorder.database) == []


async def test_what_another_looks_at_is_not_waited_for(recorder: Recorder) -> None:
    database = recorder.database
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    await note(database, "ch_demo", "ch_other")
    async with database.write() as connection:
        first = select(schedule_change).order_by(schedule_change.c.seq).limit(1)
        await connection.execute(first.with_for_update())
        assert await follow.changes(database, recorder.desk, T0) == 0
        assert await waiting(database) == ["ch_demo"]
    assert await follow.changes(database, recorder.desk, T0) == 0
    assert await waiting(database) == []
