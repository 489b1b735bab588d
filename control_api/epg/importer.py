"""One import: the file is read to its end, judged, and applied channel by channel (CTL-60..68)."""

import hashlib
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import msgspec
from sqlalchemy import insert, select, update

from control_api import ids
from control_api.epg import store, telling
from control_api.epg.errors import EpgError
from control_api.epg.feed import LIMITS, Limits
from control_api.epg.merge import merge
from control_api.epg.normalise import Schedules, normalise
from control_api.epg.report import Report
from control_api.epg.xmltv import Progress, Reader
from control_api.recordings import follow
from control_api.schema import epg_import_run, epg_source
from runtime.sql import Database

BATCH_TIMEOUT_MS = 30_000  # CTL-188
ABANDONED_MS = 15 * 60_000  # a run older than this died with its process
MAX_REJECTED = 0.2  # CTL-62
MIN_KEPT = 0.5  # CTL-62


class Outcome(NamedTuple):
    """How a run ended: applied or held; `channels` are those the file declares."""

    run_id: str
    state: str
    reason: str | None
    report: Report
    channels: dict[str, list[str]]


async def run(
    database: Database,
    source_id: str,
    stream: BinaryIO,
    clock: Callable[[], int],
    *,
    force: bool = False,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
) -> Outcome:
    """Import a file into the source's channels. Raises EpgError with stored events unchanged;
    `force` applies what would be held.
    """
    run_id = await _begin(database, source_id, clock())
    state, report = "failed", Report()
    digest = hashlib.sha256()
    stream.seek(0)
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
    try:
        async with database.read() as connection:
            query = select(epg_source).where(epg_source.c.id == source_id)
            source = (await connection.execute(query)).one()
            targets = await store.targets(connection, source)
        reader = Reader(stream, limits, progress)
        schedules, report = normalise(reader, targets, lang=source.lang, limits=limits)
        report.encoding_overridden = int(reader.encoding_overridden)
        async with database.read() as connection:
            known = await store.count(connection, source_id, schedules)
        reason = held(report, known)
        if reason is not None and not force:
            state = "held"
        else:
            await _apply(database, source_id, schedules, clock(), report)
            state = "applied"
        return Outcome(run_id, state, reason, report, reader.channels)
    finally:
        await _end(
            database,
            run_id,
            state=state,
            ended_ms=clock(),
            sha256=digest.hexdigest(),
            report=msgspec.to_builtins(report),
        )


def held(report: Report, known: int) -> str | None:
    """Why a file is not to be trusted without a look, if so (CTL-62); `known` counts what is
    stored of the same days.
    """
    if report.rejected_bad_time > MAX_REJECTED * report.seen:
        return f"{report.rejected_bad_time} of {report.seen} rows have no good time"
    if report.kept < MIN_KEPT * known:
        return f"{report.kept} programmes where {known} are stored"
    return None


async def _begin(database: Database, source_id: str, now_ms: int) -> str:
    """A row of a run; the source's row is locked, so that two never begin at once (CTL-68)."""
    run_id = ids.new("import")
    async with database.write() as connection:
        await connection.execute(
            select(epg_source.c.id).where(epg_source.c.id == source_id).with_for_update()
        )
        alive = select(epg_import_run.c.id).where(
            epg_import_run.c.source_id == source_id,
            epg_import_run.c.state == "running",
            epg_import_run.c.started_ms > now_ms - ABANDONED_MS,
        )
        if (await connection.execute(alive)).first() is not None:
            raise EpgError("import_running", source_id)
        row = {"id": run_id, "source_id": source_id, "state": "running", "started_ms": now_ms}
        await connection.execute(insert(epg_import_run).values(row))
    return run_id


async def _apply(
    database: Database, source_id: str, schedules: Schedules, now_ms: int, report: Report
) -> None:
    for channel_id, wanted in schedules.items():
        async with database.write(timeout_ms=BATCH_TIMEOUT_MS) as connection:
            ranks = await store.ranks(connection, channel_id)
            rank = ranks[source_id]
            first_ms, last_ms = wanted[0].start_ms, wanted[-1].end_ms
            stored = await store.near(connection, channel_id, first_ms, last_ms, ranks, rank)
            plan = merge(stored, wanted, now_ms, source_id, rank)
            changes = await store.write(connection, channel_id, source_id, plan)
            await telling.tell(connection, channel_id, changes, now_ms)
            if plan.create or plan.update or plan.remove:
                await follow.note(connection, channel_id)
        report.created += len(plan.create)
        report.updated += len(plan.update)
        report.removed += len(plan.remove)
        report.unchanged += plan.unchanged


async def _end(database: Database, run_id: str, **values: Any) -> None:
    async with database.write() as connection:
        change = update(epg_import_run).where(epg_import_run.c.id == run_id).values(**values)
        await connection.execute(change)
