"""Programmes that begin and end are told, once and in order (CTL-171)."""

import asyncio
import io
import time
from typing import Any

import pytest
from sqlalchemy import select

from control_api import events, seed
from control_api.epg import airing, importer, store
from control_api.epg.airing import LATE_MS, LOOK_S
from control_api.issuer import Passwords
from control_api.outbox.tables import outbox
from control_api.times import now_ms, utc
from runtime.sql import Database

T0 = 1_774_656_000_000  # 2026-03-28T00:00Z
HOUR_MS = 3_600_000


@pytest.fixture
async def guided(migrated: Database) -> Database:
    """All is told up to an hour before the first programme."""
    await seed.plant(migrated, Passwords(), "one")
    async with migrated.write() as connection:
        await store.source(connection, "src_a", lang="en")
        await store.map_channels(connection, "src_a", {"one": "demo", "two": "arena"}, 1)
    assert await airing.turn(migrated, T0 - HOUR_MS) == LOOK_S
    return migrated


async def bring(database: Database, now_ms: int, *rows: tuple[float, float, str]) -> None:
    """A guide of channel one (or two, for titles in capitals); hours from T0."""
    told = [
        f'<programme start="{_at(begin)}" stop="{_at(end)}" '
        f'channel="{"two" if title.isupper() else "one"}"><title>{title}</title></programme>'
        for begin, end, title in rows
    ]
    guide = io.BytesIO(f"<tv>{''.join(told)}</tv>".encode())
    await importer.run(database, "src_a", guide, lambda: now_ms, force=True)


def _at(hours: float) -> str:
    return f"{utc(int(T0 + hours * HOUR_MS)):%Y%m%d%H%M%S} +0000"


async def heard(database: Database) -> list[tuple[str, str]]:
    """Verb and title, in the order of telling."""
    kinds = ("epg.event.started", "epg.event.ended")
    query = select(outbox.c.payload).where(outbox.c.topic.in_(kinds)).order_by(outbox.c.seq)
    async with database.read() as connection:
        found = [events.decode(raw.encode()) for raw in (await connection.execute(query)).scalars()]
    return [(each.type.rpartition(".")[2], each.data["title"]) for each in found]


async def until(database: Database, hours: float) -> float:
    """Let it be so late; how long the next turn is away."""
    while not (rest_s := await airing.turn(database, int(T0 + hours * HOUR_MS))):
        pass
    return rest_s


A, B, C = (0, 1, "a"), (1, 2, "b"), (2, 3, "c")


async def test_each_is_told_as_it_begins_and_ends(guided: Database) -> None:
    await bring(guided, T0 - HOUR_MS, A, B, C, (0, 2, "X"))
    assert await airing.turn(guided, T0 - 1_500) == 1.5, "nobody asks again before"
    assert await heard(guided) == []
    await until(guided, 0)
    assert sorted(await heard(guided)) == [("started", "X"), ("started", "a")]
    assert await until(guided, 0.5) == LOOK_S
    await until(guided, 1)
    assert (await heard(guided))[2:] == [("ended", "a"), ("started", "b")]
    await until(guided, 2)
    await until(guided, 3)
    assert [verb for verb, _ in (await heard(guided))[4:]] == ["ended", "ended", "started", "ended"]


async def test_many_at_one_moment_are_each_told(
    guided: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airing, "BATCH", 1)
    await bring(guided, T0 - HOUR_MS, A, B, (0, 1, "X"), (1, 2, "Y"))
    for hours in range(3):
        await until(guided, hours)
    told = await heard(guided)
    assert len(set(told)) == len(told) == 8
    assert [verb for verb, _ in told] == ["started"] * 2 + ["ended"] * 2 + ["started"] * 2 + [
        "ended"
    ] * 2


async def test_an_outage_is_told_late_and_bounded(guided: Database) -> None:
    await bring(guided, T0 - HOUR_MS, A, B, C, (3, 4, "d"))
    late_h = LATE_MS / HOUR_MS
    await until(guided, 2.5 + late_h)
    assert await heard(guided) == [("ended", "c"), ("started", "d")]


async def test_many_nodes_tell_once(guided: Database) -> None:
    programmes = [(n / 4, (n + 1) / 4, f"p{n}") for n in range(4)]
    await bring(guided, T0 - HOUR_MS, *programmes)
    for hours in (0.25, 0.5, 0.75, 1):
        while 0 in await asyncio.gather(
            *(airing.turn(guided, int(T0 + hours * HOUR_MS)) for _ in range(4))
        ):
            pass
    told = await heard(guided)
    assert sorted(told) == sorted((verb, f"p{n}") for verb in airing.VERBS for n in range(4))


@pytest.mark.parametrize(
    ("shifted", "told"),
    [
        ([(0, 1.5, "a"), (1.5, 2, "b")], []),  # longer: its end waits
        ([(0, 0.6, "a"), (0.6, 2, "b")], [("ended", "a"), ("started", "b")]),
        ([(0, 0.8, "a"), (0.8, 2, "b")], []),  # sooner, but not yet
    ],
)
async def test_shifts_of_what_is_told_already(
    guided: Database, shifted: Any, told: list[tuple[str, str]]
) -> None:
    await bring(guided, T0 - HOUR_MS, A, B)
    await until(guided, 0.75)
    await bring(guided, T0 + HOUR_MS * 3 // 4, *shifted)
    await until(guided, 0.75)
    assert await heard(guided) == [("started", "a"), *told]
    await until(guided, 1)
    await until(guided, 2)
    assert sorted(await heard(guided)) == sorted(
        (verb, title) for verb in airing.VERBS for title in "ab"
    )


async def test_what_is_on_when_the_guide_comes_is_told(guided: Database) -> None:
    """Once, and nothing of what is over."""
    await bring(guided, T0 - HOUR_MS, (1, 2, "X"))
    await until(guided, 1.5)
    await bring(guided, T0 + HOUR_MS * 3 // 2, A, (1, 1.49, "over"), (1.49, 2, "b"), C)
    await until(guided, 1.5)
    assert await heard(guided) == [("started", "X"), ("started", "b")]


async def test_a_clock_that_goes_back_tells_nothing_again(guided: Database) -> None:
    await bring(guided, T0 - HOUR_MS, A, B)
    await until(guided, 1)
    before = await heard(guided)
    await until(guided, 0.5)
    await until(guided, 1)
    assert await heard(guided) == before


async def test_a_clock_that_was_days_ahead_silences_nobody(guided: Database) -> None:
    """One look of one node, whatever the others do at that moment."""
    await bring(guided, T0 - HOUR_MS, A, (1.5, 3, "b"), (240, 241, "far"))
    await until(guided, 0.5)
    await until(guided, 10 * 24)
    before = await heard(guided)
    assert before == [("started", "a"), ("started", "far")]
    await asyncio.gather(*(airing.turn(guided, T0 + HOUR_MS) for _ in range(3)))
    await until(guided, 1.5)
    await until(guided, 3)
    assert (await heard(guided))[2:] == [("ended", "a"), ("started", "b"), ("ended", "b")]


async def test_the_time_is_the_databases(guided: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's is the machine's."""
    asked: list[int] = []

    async def turn(_: Database, at_ms: int) -> float:
        asked.append(at_ms)
        raise asyncio.CancelledError

    monkeypatch.setattr(airing, "turn", turn)
    begun_ms = now_ms()
    if guided.dialect == "postgresql":
        monkeypatch.setattr(time, "time_ns", lambda: 2 * begun_ms * 1_000_000)
    with pytest.raises(asyncio.CancelledError):
        await airing.forever(guided)
    assert abs(asked[0] - begun_ms) < HOUR_MS
