"""Jobs put on record, listed and ended; who works on them is `control_api.jobs.work`."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import audit, ids, sealed
from control_api.catalogue.editor import Edit
from control_api.epg import importer
from control_api.epg.tables import epg_import_file
from control_api.jobs import types
from control_api.jobs.sources import CANCELLED, COPY, GUIDE, JOBS, code
from control_api.jobs.tables import job
from control_api.problems import Problem
from control_api.schema import epg_import_run
from control_api.times import utc

WAKE = "jobs"
OPEN = ("queued", "running")
OTHERS = {  # do it for us
    "purge": "CDNs were told already",
    COPY: "delete the recording",
}
own, seen = job.c, JOBS.c


async def put(
    edit: Edit,
    kind: str,
    told: Mapping[str, Any],
    *,
    target: str | None = None,
    state: str = "queued",
    total: int | None = None,
) -> types.Job:
    """A job on record; `told` is what its worker goes by."""
    job_id = ids.new("job")
    begun_ms = None if state == "queued" else edit.now_ms
    row: dict[str, Any] = {
        "id": job_id,
        "kind": kind,
        "target": target,
        "state": state,
        "told": told,
        "total": total,
        "asked_by": edit.actor,
        "asked_ms": edit.now_ms,
        "started_ms": begun_ms,
    }
    await edit.connection.execute(insert(job).values(row))
    line = (f"job.{kind}", job_id, None, {"target": target, **told})
    await audit.record(edit.connection, edit.actor, edit.now_ms, line)
    return await one(edit.connection, job_id)


async def note(edit: Edit, kind: str, report: Mapping[str, Any], done: int, total: int) -> None:
    """A work that was over with its request, for who asks later."""
    row: dict[str, Any] = {
        "id": ids.new("job"),
        "kind": kind,
        "state": "done",
        "told": {},
        "report": report,
        "done": done,
        "total": total,
        "asked_by": edit.actor,
        **dict.fromkeys(("asked_ms", "started_ms", "ended_ms"), edit.now_ms),
    }
    await edit.connection.execute(insert(job).values(row))


async def page(connection: AsyncConnection, secret: bytes, asked: types.JobPage) -> types.JobList:
    """The newest first."""
    listing = f"jobs:{asked.kind or ''}:{asked.state or ''}"
    query = select(JOBS)
    for column, value in ((seen.kind, asked.kind), (seen.state, asked.state)):
        query = query if value is None else query.where(column == value)
    after = sealed.position(secret, listing, asked.cursor)
    if after is not None:
        query = query.where(tuple_(seen.asked_ms, seen.id) < tuple_(*after))
    query = query.order_by(seen.asked_ms.desc(), seen.id.desc()).limit(asked.limit + 1)
    rows = (await connection.execute(query)).all()
    shown, cursor = sealed.page(rows, asked.limit, secret, listing, "asked_ms", "id")
    return types.JobList([types.Job(**_told(row)) for row in shown], cursor)


async def one(connection: AsyncConnection, job_id: str) -> types.JobDetail:
    """A job with its report; 404 for none."""
    row = (await connection.execute(select(JOBS).where(seen.id == job_id))).first()
    if row is None:
        raise Problem("not_found")
    table = epg_import_run if row.kind == GUIDE else job
    query = select(table.c.report).where(table.c.id == job_id)
    report = (await connection.execute(query)).scalar()
    return types.JobDetail(**_told(row), report=report)


async def cancel(edit: Edit, job_id: str) -> types.JobDetail:
    """End a job that is not over: a guide before somebody works on it, others between two steps."""
    connection = edit.connection
    known = await one(connection, job_id)
    if known.kind == GUIDE:
        ended = await _unqueued(edit, job_id)
    elif known.kind in OTHERS:
        raise Problem("bad_state", OTHERS[known.kind])
    else:
        open_ = (own.id == job_id, own.state.in_(OPEN))
        values = {"state": "cancelled", "ended_ms": edit.now_ms}
        ended = bool((await connection.execute(update(job).where(*open_).values(values))).rowcount)
    if not ended:
        raise Problem("bad_state", f"the job is {known.state}")
    line = ("job.cancelled", job_id, {"state": known.state}, {"state": "cancelled"})
    await audit.record(connection, edit.actor, edit.now_ms, line)
    return await one(connection, job_id)


async def _unqueued(edit: Edit, run_id: str) -> bool:
    file, run = epg_import_file.c, epg_import_run.c
    waits = (file.run_id == run_id, file.taken_ms.is_(None), run.state == "running")
    query = select(file.run_id).join(epg_import_run).where(*waits)
    query = query.with_for_update(of=epg_import_file)
    if (await edit.connection.execute(query)).first() is None:
        return False
    await importer.end(edit.connection, run_id, importer.ended("failed", edit.now_ms, CANCELLED))
    return True


def _told(row: Any) -> dict[str, Any]:
    moments = {name: getattr(row, f"{name}_ms") for name in ("asked", "started", "ended")}
    return {
        **{name: getattr(row, name) for name in ("id", "kind", "state", "target", "asked_by")},
        **{f"{name}_at": None if ms is None else utc(ms) for name, ms in moments.items()},
        **{name: getattr(row, name) for name in ("done", "total", "detail")},
        "error": code(row),
    }
