"""One function an operation of operators."""

from typing import Any

import msgspec
from sqlalchemy import select

from control_api.calls import Call
from control_api.operators import types
from control_api.problems import Problem
from control_api.recordings import store
from control_api.recordings.schema import recording
from control_api.schema import playback_session
from control_api.times import utc

SHOWN = 50


async def get_session(call: Call[None]) -> types.SeenSession:
    """One session, whoever it belongs to, running or over."""
    query = select(playback_session).where(playback_session.c.id == call.path["id"])
    async with call.services.database.read() as connection:
        row = (await connection.execute(query)).first()
    if row is None:
        raise Problem("session_not_found")
    return _session(row)


async def list_recordings(call: Call[None]) -> types.SeenRecordings:
    """Recordings that are due next, and those asked for last."""
    row = recording.c
    due = select(recording).where(row.due_ms.is_not(None)).order_by(row.due_ms).limit(SHOWN)
    latest = select(recording).order_by(row.id.desc()).limit(SHOWN)
    async with call.services.database.read() as connection:
        both = [(await connection.execute(query)).all() for query in (due, latest)]
    return types.SeenRecordings(*([_recording(each) for each in rows] for rows in both))


def _session(row: Any) -> types.SeenSession:
    return types.SeenSession(
        id=row.id,
        account_id=row.account_id,
        device_id=row.device_id,
        kind=row.kind,
        target_id=row.target_id,
        cdn=row.cdn,
        started_at=utc(row.started_ms),
        last_seen_at=utc(row.last_seen_ms),
        ended_at=None if row.ended_ms is None else utc(row.ended_ms),
        end_reason=row.end_reason,
        position_ms=row.position_ms,
    )


def _recording(row: Any) -> types.DueRecording:
    due_at = None if row.due_ms is None else utc(row.due_ms)
    shown = msgspec.structs.asdict(store.answer(row))
    return types.DueRecording(**shown, account_id=row.account_id, due_at=due_at)
