"""Where jobs are told of: each kind is a SELECT with the same columns over the table that keeps it.

A guide's import is a row of `epg_import_run` and of no other table, a private copy one of
`recording_asset`; what has none of its own is a row of `job`.
"""

from typing import Any, cast

from sqlalchemy import Select, Subquery, case, func, literal, null, select, union_all

from control_api.catalogue.tables import audit_log
from control_api.epg.errors import CODES
from control_api.epg.tables import epg_import_file
from control_api.jobs.tables import job
from control_api.recordings.schema import recording_asset
from control_api.schema import epg_import_run

GUIDE, COPY = "guide_import", "recording_copy"
CUT = ("interrupted", "cut off")
CANCELLED = "cancelled before anybody worked on it"
COLUMNS = ("id", "kind", "target", "asked_by", "asked_ms", "started_ms", "ended_ms", "state")
COUNTED = ("done", "total", "error", "detail")

run, file, line, tape = epg_import_run.c, epg_import_file.c, audit_log.c, recording_asset.c


def _ours() -> Select[Any]:
    return select(*(job.c[name] for name in (*COLUMNS, *COUNTED)))


def _guides() -> Select[Any]:
    """One is queued while no process took its file; a command's has none."""
    waits = file.run_id.is_not(None) & file.taken_ms.is_(None)
    state = case(
        ((run.state == "running") & waits, "queued"),
        (run.state == "applied", "done"),
        ((run.state == "failed") & (run.reason == CANCELLED), "cancelled"),
        else_=run.state,
    )
    began = case(((run.state == "running") & waits, null()), else_=run.started_ms)
    asker = select(line.actor).where(line.target == run.id, line.action == "epg.imported")
    columns = {
        "id": run.id,
        "kind": literal(GUIDE),
        "target": run.source_id,
        "asked_by": asker.order_by(line.at_ms).limit(1).scalar_subquery(),
        "asked_ms": run.started_ms,
        "started_ms": began,
        "ended_ms": run.ended_ms,
        "state": state,
        "done": func.coalesce(run.report["kept"].as_integer(), 0),
        "total": run.report["seen"].as_integer(),
        "error": null(),
        "detail": run.reason,
    }
    labelled = [column.label(name) for name, column in columns.items()]
    return select(*labelled).outerjoin(epg_import_file, file.run_id == run.id)


def _copies() -> Select[Any]:
    """Private copies that are being made; what became of others their recordings say (CTL-127)."""
    columns = {
        "id": tape.id,
        "kind": literal(COPY),
        "target": tape.channel_id,
        "asked_by": tape.account_id,
        "asked_ms": tape.end_ms,
        "started_ms": tape.end_ms,
        "ended_ms": null(),
        "state": literal("running"),
        "done": func.coalesce(tape.copied_objects, 0),
        "total": tape.copied_objects + tape.left_objects,
        "error": tape.copy_error,
        "detail": null(),
    }
    making = (tape.copy_mode == "private", tape.state == "checking")
    return select(*(column.label(name) for name, column in columns.items())).where(*making)


def code(row: Any) -> str | None:
    """The error's code; a guide's run keeps its words only."""
    if row.state != "failed" or row.kind != GUIDE:
        return cast("str | None", row.error)
    found = (each for each, words in CODES.items() if (row.detail or "").endswith(words))
    return next(found, "interrupted" if (row.detail or "").startswith(CUT) else "internal")


JOBS: Subquery = union_all(_ours(), _guides(), _copies()).subquery("jobs")
