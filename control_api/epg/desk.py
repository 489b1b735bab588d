"""The guide's sources and what their imports did, for editors (CTL-62, CTL-68)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import sealed, types
from control_api.calls import Call
from control_api.epg.report import Report
from control_api.schema import channel_source, epg_event, epg_import_run, epg_source
from control_api.times import utc
from runtime import redact

STALE_MS = 86_400_000  # the guide goes on with what it has for a day (item 2)

run = epg_import_run.c


class ImportRun(types.Answer):
    """`report` once it has ended; held ones changed nothing (CTL-62); `reason` says why it was held
    or failed.
    """

    id: str
    source_id: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    sha256: str | None
    report: Report | None
    reason: str | None


class GuideSource(types.Answer):
    """`stale` when nothing was applied for a day; `known_until` is where its programmes end."""

    id: str
    url: str | None
    format: str
    lang: str
    tz: str
    refresh_s: int | None
    channels: int
    applied_at: datetime | None
    known_until: datetime | None
    stale: bool
    last_run: ImportRun | None


class GuideSources(types.Answer):
    items: list[GuideSource]


class RunsQuery(types.Page):
    """Of all sources, or of one."""

    source_id: types.Id | None = None


class ImportRuns(types.Answer):
    items: list[ImportRun]
    next_cursor: str | None


async def list_sources(call: Call[None]) -> GuideSources:
    """Sources of the guide with their last import."""
    async with call.services.database.read() as connection:
        sources = (await connection.execute(select(epg_source).order_by(epg_source.c.id))).all()
        channels = await _by_source(connection, channel_source.c.source_id, func.count())
        until = await _until(connection)
        applied = {
            row.source_id: row.ended_ms
            for row in await _latest(connection, epg_import_run.c.state == "applied")
        }
        latest = {row.source_id: shown(row) for row in await _latest(connection)}
    return GuideSources(
        [
            GuideSource(
                id=each.id,
                url=None if each.url is None else redact.text(each.url),
                format=each.format,
                lang=each.lang,
                tz=each.tz,
                refresh_s=each.refresh_s,
                channels=channels.get(each.id, 0),
                applied_at=_moment(applied.get(each.id)),
                known_until=_moment(until.get(each.id)),
                stale=call.now_ms - (applied.get(each.id) or 0) > STALE_MS,
                last_run=latest.get(each.id),
            )
            for each in sources
        ]
    )


async def list_runs(call: Call[None]) -> ImportRuns:
    """Imports of the guide, the newest first."""
    services, asked = call.services, call.query
    listing = f"epg-runs:{asked.source_id or ''}"
    query = select(epg_import_run)
    if asked.source_id is not None:
        query = query.where(run.source_id == asked.source_id)
    after = sealed.position(services.secret, listing, asked.cursor)
    if after is not None:
        query = query.where(tuple_(run.started_ms, run.id) < tuple_(*after))
    query = query.order_by(run.started_ms.desc(), run.id.desc()).limit(asked.limit + 1)
    async with services.database.read() as connection:
        rows = (await connection.execute(query)).all()
    here, cursor = sealed.page(rows, asked.limit, services.secret, listing, "started_ms", "id")
    return ImportRuns([shown(each) for each in here], cursor)


async def _by_source(connection: AsyncConnection, source: Any, value: Any) -> dict[str, int]:
    query = select(source, value).group_by(source)
    return {row[0]: row[1] for row in (await connection.execute(query)).all()}


async def _until(connection: AsyncConnection) -> dict[str, int]:
    """Where the programmes of each source end, by a look at the last ones of its channels."""
    event, own = epg_event.c, channel_source.c
    last = (
        select(event.end_ms)
        .where(event.channel_id == own.channel_id, event.source_id == own.source_id)
        .order_by(event.end_ms.desc())
        .limit(1)
        .correlate(channel_source)
        .scalar_subquery()
    )
    return await _by_source(connection, own.source_id, func.max(last))


async def _latest(connection: AsyncConnection, *which: Any) -> Sequence[Any]:
    """The run of each source that began last, of some."""
    last = (
        select(run.id)
        .where(run.source_id == epg_source.c.id, *which)
        .order_by(run.started_ms.desc(), run.id.desc())
        .limit(1)
        .correlate(epg_source)
        .scalar_subquery()
    )
    query = select(epg_import_run).where(run.id.in_(select(last).select_from(epg_source)))
    return (await connection.execute(query)).all()


def shown(row: Any) -> ImportRun:
    """A run as it is told of."""
    return ImportRun(
        id=row.id,
        source_id=row.source_id,
        state=row.state,
        started_at=utc(row.started_ms),
        ended_at=_moment(row.ended_ms),
        sha256=row.sha256,
        report=None if row.report is None else msgspec.convert(row.report, Report),
        reason=row.reason,
    )


def _moment(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else utc(at_ms)
