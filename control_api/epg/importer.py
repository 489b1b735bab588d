"""One import: the file is read to its end, judged, and applied channel by channel (CTL-60..68).

`begin` puts a run on record, `carry_out` does it: the command does both at once, the API between
two requests.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import ids
from control_api.epg import airing, store, telling
from control_api.epg.errors import EpgError
from control_api.epg.feed import GZIP_MAGIC, LIMITS, Limits
from control_api.epg.merge import merge
from control_api.epg.normalise import Schedules, Target, normalise
from control_api.epg.report import Report
from control_api.epg.tables import epg_import_file
from control_api.epg.xmltv import Progress, Reader
from control_api.outbox import emit
from control_api.recordings import follow
from control_api.schema import epg_import_run, epg_source
from runtime.abreast import abreast
from runtime.sql import Database, SqlError

BATCH_TIMEOUT_MS = 30_000  # CTL-188
ABREAST = 2  # transactions of one import
ABANDONED_MS = 15 * 60_000  # a run that nobody spoke for so long died with its process
MAX_REJECTED = 0.2  # CTL-62
MIN_KEPT = 0.5  # CTL-62
KEPT_BYTES = 64 << 20  # of a file that is held
GZIP_LEVEL = 1  # they are kept for a while only
REASON_CHARS = 255
CUT_OFF = (asyncio.CancelledError, SqlError, DBAPIError)  # no fault of the file
INTERRUPTED = "interrupted; bring it again"
EVENTS = {"applied": "completed", "held": "held", "failed": "failed"}


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
    async with database.write() as connection:
        run_id = await begin(connection, source_id, clock())
    return await carry_out(
        database, run_id, stream, clock, force=force, limits=limits, progress=progress
    )


async def begin(connection: AsyncConnection, source_id: str, now_ms: int) -> str:
    """A row of a run; the source's row is locked, so that two never begin at once (CTL-68). What
    was held of the source before is out of date.
    """
    await alone(connection, source_id, now_ms)
    run_id = ids.new("import")
    earlier = select(epg_import_run.c.id).where(epg_import_run.c.source_id == source_id)
    await connection.execute(
        delete(epg_import_file).where(epg_import_file.c.run_id.in_(earlier.scalar_subquery()))
    )
    row = {"id": run_id, "source_id": source_id, "state": "running", "started_ms": now_ms}
    await connection.execute(insert(epg_import_run).values(row))
    await _tell(connection, "started", row, {}, now_ms)
    return run_id


async def alone(connection: AsyncConnection, source_id: str, now_ms: int) -> None:
    """Lock the source, and end what died; raises EpgError while another run goes on (CTL-68)."""
    await connection.execute(
        select(epg_source.c.id).where(epg_source.c.id == source_id).with_for_update()
    )
    going_on = (
        select(epg_import_run.c.id, epg_import_run.c.started_ms, epg_import_file.c.taken_ms)
        .outerjoin(epg_import_file)
        .where(epg_import_run.c.source_id == source_id, epg_import_run.c.state == "running")
    )
    found = (await connection.execute(going_on)).all()
    if any(max(each.started_ms, each.taken_ms or 0) > now_ms - ABANDONED_MS for each in found):
        raise EpgError("import_running", source_id)
    for each in found:
        await end(connection, each.id, ended("failed", now_ms, INTERRUPTED))


async def carry_out(
    database: Database,
    run_id: str,
    stream: BinaryIO,
    clock: Callable[[], int],
    *,
    force: bool = False,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    again: bool = False,
) -> Outcome:
    """Do what `begin` put on record. With `again` a run that is cut off stays as it is, running,
    since its caller tries it once more.
    """
    state, report, over = "failed", Report(), True
    reason: str | None = "internal"
    sha256: str | None = None
    kept: bytes | None = None
    try:
        sha256 = await asyncio.to_thread(_digest, stream)
        async with database.read() as connection:
            query = select(epg_source).join(epg_import_run).where(epg_import_run.c.id == run_id)
            source = (await connection.execute(query)).one()
            targets = await store.targets(connection, source)
        schedules, report, channels = await asyncio.to_thread(
            _read, stream, targets, source.lang, limits, progress
        )
        async with database.read() as connection:
            known = await store.count(connection, source.id, schedules)
        doubt = held(report, known)
        if doubt is not None and not force:
            kept = await asyncio.to_thread(packed, stream)
            state = "held"
        else:
            await _apply(database, source.id, schedules, clock(), report)
            state = "applied"
        reason = doubt
        return Outcome(run_id, state, doubt, report, channels)
    except EpgError as error:
        reason = str(error)
        raise
    except CUT_OFF:
        reason, over = INTERRUPTED, not again
        raise
    finally:
        if over:
            values = ended(state, clock(), reason, report) | {"sha256": sha256}
            async with database.write(timeout_ms=BATCH_TIMEOUT_MS) as connection:
                await end(connection, run_id, values, kept)


def held(report: Report, known: int) -> str | None:
    """Why a file is not to be trusted without a look, if so (CTL-62); `known` counts what is
    stored of the same days.
    """
    if report.rejected_bad_time > MAX_REJECTED * report.seen:
        return f"{report.rejected_bad_time} of {report.seen} rows have no good time"
    if report.kept < MIN_KEPT * known:
        return f"{report.kept} programmes where {known} are stored"
    return None


def packed(stream: BinaryIO) -> bytes | None:
    """A file as it is kept, gzip; None for one that is too large for that."""
    stream.seek(0)
    raw = stream.read(KEPT_BYTES + 1)
    if len(raw) > KEPT_BYTES:
        return None
    return raw if raw.startswith(GZIP_MAGIC) else gzip.compress(raw, GZIP_LEVEL, mtime=0)


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    stream.seek(0)
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _read(
    stream: BinaryIO,
    targets: dict[str, Target],
    lang: str,
    limits: Limits,
    progress: Progress | None,
) -> tuple[Schedules, Report, dict[str, list[str]]]:
    """The whole file, in a thread: others are answered meanwhile."""
    reader = Reader(stream, limits, progress)
    schedules, report = normalise(reader, targets, lang=lang, limits=limits)
    report.encoding_overridden = int(reader.encoding_overridden)
    return schedules, report, reader.channels


async def _apply(
    database: Database, source_id: str, schedules: Schedules, now_ms: int, report: Report
) -> None:
    """A few transactions at a time: while the database writes one, the next is made ready."""
    groups = store.groups(schedules)

    async def write() -> None:
        for some in groups:
            await _write(database, source_id, {one: schedules[one] for one in some}, now_ms, report)

    await abreast(*(asyncio.create_task(write()) for _ in range(ABREAST)))


async def _write(
    database: Database, source_id: str, schedules: Schedules, now_ms: int, report: Report
) -> None:
    async with database.write(timeout_ms=BATCH_TIMEOUT_MS) as connection:
        ranks = await store.ranks(connection, schedules)
        spoken_of = {one: schedules[one] for one in schedules if source_id in ranks[one]}
        if not spoken_of:
            return
        stored = await store.near(connection, source_id, spoken_of, ranks)
        plans = {
            one: merge(stored[one], wanted, now_ms, source_id, ranks[one][source_id])
            for one, wanted in spoken_of.items()
        }
        changes = await store.write(connection, source_id, plans)
        await telling.tell(connection, changes, now_ms)
        await airing.follow(connection, changes, now_ms)
        await follow.note(connection, *dict.fromkeys(change.channel_id for change in changes))
    for plan in plans.values():
        report.created += len(plan.create)
        report.updated += len(plan.update)
        report.removed += len(plan.remove)
        report.unchanged += plan.unchanged


def ended(
    state: str, now_ms: int, reason: str | None, report: Report | None = None
) -> dict[str, Any]:
    """What a row tells of a run that is over."""
    return {
        "state": state,
        "ended_ms": now_ms,
        "reason": reason[:REASON_CHARS] if reason is not None else None,
        "report": msgspec.to_builtins(report or Report()),
    }


async def end(
    connection: AsyncConnection, run_id: str, values: dict[str, Any], kept: bytes | None = None
) -> None:
    """What became of a run that nobody ended yet, and its file if somebody shall look at it."""
    run = epg_import_run.c
    change = update(epg_import_run).where(run.id == run_id, run.state == "running").values(**values)
    row = (await connection.execute(change.returning(*run))).first()
    if row is None:
        return
    await connection.execute(delete(epg_import_file).where(epg_import_file.c.run_id == run_id))
    if kept is not None:
        file = {"run_id": run_id, "packed": kept, "forced": False}
        await connection.execute(insert(epg_import_file).values(file))
    told = {name: row.report[name] for name in ("created", "updated", "removed")}
    if row.reason is not None:
        told["error" if row.state == "failed" else "reason"] = row.reason
    await _tell(connection, EVENTS[row.state], row._mapping, told, values["ended_ms"])


async def _tell(
    connection: AsyncConnection, verb: str, row: Any, more: dict[str, Any], now_ms: int
) -> None:
    told = {"source_id": row["source_id"], "import_id": row["id"], **more}
    await emit(connection, f"epg.import.{verb}", told, now_ms)
