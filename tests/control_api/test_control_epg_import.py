"""Imports on SQLite and PostgreSQL: idempotent, held, failed whole, one at a time (CTL-61..68)."""

import io
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from control_api import seed
from control_api.epg import importer, store
from control_api.epg.errors import EpgError
from control_api.epg.importer import Outcome
from control_api.epg.programme import Event
from control_api.issuer import Passwords
from control_api.schema import epg_event, epg_event_text, epg_import_run
from runtime.sql import Database

T0 = 1_774_656_000_000  # 2026-03-28T00:00Z
HOUR = 3_600_000


def row(start: int, end: int, title: str, extra: str = "", channel: str = "one") -> str:
    times = f'start="20260328{start:02d}" stop="20260328{end:02d}"'
    return f'<programme {times} channel="{channel}"><title>{title}</title>{extra}</programme>'


def guide(*rows: str) -> bytes:
    return f"<tv><channel id='one'/>{''.join(rows)}</tv>".encode()


EPISODE = '<episode-num system="dd_progid">EP1.0001</episode-num><desc lang="en">Of é.</desc>'
DAY = [row(n, n + 1, f"P{n}", EPISODE if n == 3 else "") for n in range(8)]


@pytest.fixture
async def guided(migrated: Database) -> Database:
    """Two sources of one channel; `b` is the worse one."""
    await seed.plant(migrated, Passwords(), "one")
    async with migrated.write() as connection:
        for name, priority in (("a", 1), ("b", 2)):
            await store.source(connection, f"src_{name}", lang="en")
            slugs = {"one": "demo", "two": "arena"}
            await store.map_channels(connection, f"src_{name}", slugs, priority)
    return migrated


async def bring(
    database: Database, data: bytes, now_ms: int = 0, source: str = "src_a", **more: Any
) -> Outcome:
    return await importer.run(database, source, io.BytesIO(data), lambda: now_ms, **more)


async def rows(database: Database, *tables: Any) -> list[Any]:
    async with database.read() as connection:
        found = [
            sorted((await connection.execute(select(table))).all(), key=str)
            for table in tables or (epg_event, epg_event_text)
        ]
    return found


async def test_second_run_writes_nothing_but_its_run(guided: Database) -> None:
    """CTL-65."""
    first = await bring(guided, guide(*DAY))
    assert (first.state, first.report.created, first.channels) == ("applied", 8, {"one": []})
    before = await rows(guided)
    second = await bring(guided, guide(*DAY))
    assert (second.report.unchanged, second.report.updated) == (8, 0)
    assert await rows(guided) == before
    (runs,) = await rows(guided, epg_import_run)
    assert {run.state for run in runs} == {"applied"} and len(runs) == 2
    assert runs[0].sha256 == runs[1].sha256 and runs[0].report["kept"] == 8


async def test_changes_keep_ids_and_count_versions(guided: Database) -> None:
    """CTL-64."""
    await bring(guided, guide(*DAY))
    before = {event.start_ms: event for event in (await rows(guided, epg_event))[0]}
    moved = [*DAY[:3], row(4, 6, "P3 moved", EPISODE), row(6, 7, "New"), DAY[7]]
    outcome = await bring(guided, guide(*moved))
    assert (outcome.report.updated, outcome.report.removed) == (2, 2)
    after = {event.start_ms: event for event in (await rows(guided, epg_event))[0]}
    assert after[T0].version == 1 and after[T0] == before[T0]
    assert len(after) == 6
    assert {event.version for event in after.values()} == {1, 2}


async def test_text_ids_and_flags_come_back(guided: Database) -> None:
    await bring(guided, guide(row(3, 4, "P3", EPISODE + "<new/>")))
    about = {"ch_demo": [Event(T0, T0 + 24 * HOUR, "en", {})]}
    async with guided.read() as connection:
        near = await store.near(connection, "src_a", about, {"ch_demo": {"src_a": 1}})
    (found,) = near["ch_demo"]
    assert (found.event.ext_id, found.event.flags) == ("EP1.0001", ("new",))
    assert found.event.words["en"].descr == "Of é." and found.event.title == "P3"


async def test_failed_and_held_files_change_nothing(guided: Database) -> None:
    """CTL-61, CTL-62."""
    await bring(guided, guide(*DAY))
    before = await rows(guided)
    with pytest.raises(EpgError, match="not well-formed"):
        await bring(guided, guide(*DAY[:4])[:-3])
    few = await bring(guided, guide(DAY[0], DAY[7]))
    bad = await bring(guided, guide(*DAY, *['<programme start="x" channel="one"/>'] * 3))
    assert (few.state, bad.state) == ("held", "held")
    assert few.reason == "2 programmes where 8 are stored"
    assert await rows(guided) == before
    (runs,) = await rows(guided, epg_import_run)
    assert sorted(run.state for run in runs) == ["applied", "failed", "held", "held"]
    forced = await bring(guided, guide(DAY[0], DAY[7]), force=True)
    assert (forced.state, forced.report.removed) == ("applied", 6)


async def test_one_run_per_source_at_a_time(guided: Database) -> None:
    """CTL-68; a run that died with its process is in the way for a quarter of an hour."""
    async with guided.write() as connection:
        dead = {"id": "imp_1", "source_id": "src_a", "state": "running", "started_ms": 0}
        await connection.execute(insert(epg_import_run).values(dead))
    with pytest.raises(EpgError, match="another import"):
        await bring(guided, guide(*DAY), 1_000)
    assert (await bring(guided, guide(*DAY), 1_000, "src_b")).state == "applied"
    assert (await bring(guided, guide(*DAY), 901_000)).state == "applied"


async def test_sources_in_either_order(guided: Database) -> None:
    """CTL-66, through the database."""
    other = guide(*[row(n, n + 1, f"Q{n}") for n in range(4, 12)])
    await bring(guided, other, source="src_b")
    await bring(guided, guide(*DAY))
    await bring(guided, other, source="src_b")
    (events,) = await rows(guided, epg_event)
    by_start = sorted((event.start_ms - T0) // HOUR for event in events)
    assert by_start == list(range(12))
    sources = [event.source_id for event in sorted(events, key=lambda e: e.start_ms)]
    assert sources == ["src_a"] * 8 + ["src_b"] * 4


async def test_many_events_in_batches(guided: Database) -> None:
    """CTL-67: more rows than one statement takes."""
    slots = [f"{20260401 + n // 288}{n % 288 // 12:02d}{n % 12 * 5:02d}" for n in range(1_300)]
    body = [
        f'<programme start="{slot}" channel="{name}"><title>T</title></programme>'
        for name in ("one", "two", "three")
        for slot in slots
    ]
    outcome = await bring(guided, guide(*body))
    assert (outcome.report.created, outcome.report.skipped_unmapped_channel) == (2_600, 1_300)
    async with guided.read() as connection:
        stored = await connection.execute(select(func.count()).select_from(epg_event))
    assert stored.scalar_one() == 2_600
    assert (await bring(guided, guide(*body))).report.unchanged == 2_600


async def test_unknown_channel_is_refused(guided: Database) -> None:
    """CTL-51."""
    with pytest.raises(EpgError, match="no channel nowhere"):
        async with guided.write() as connection:
            await store.map_channels(connection, "src_a", {"x": "nowhere"}, 1)


async def test_postgresql_refuses_overlaps(guided: Database) -> None:
    """CTL-21: at commit, on PostgreSQL; neighbours may touch."""
    if guided.dialect == "sqlite":
        pytest.skip("SQLite has no exclusion constraints")
    place = {"channel_id": "ch_demo", "source_id": "src_a", "lang": "en", "hash": ""}
    first = {"id": "evt_1", "start_ms": 10, "end_ms": 20, **place}
    async with guided.write() as connection:
        await connection.execute(insert(epg_event).values(first))
        beside = first | {"id": "evt_2", "start_ms": 20, "end_ms": 30}
        await connection.execute(insert(epg_event).values(beside))
    with pytest.raises(IntegrityError, match="ex_epg_event_overlap"):
        async with guided.write() as connection:
            inside = first | {"id": "evt_3", "start_ms": 15, "end_ms": 18}
            await connection.execute(insert(epg_event).values(inside))
