"""One function an operation of operators."""

from typing import Any

import msgspec
from sqlalchemy import or_, select, text

from control_api import sealed
from control_api.calls import Call
from control_api.operators import types
from control_api.problems import Problem
from control_api.recordings import store
from control_api.recordings.schema import COPYING, recording, recording_asset
from control_api.schema import playback_session
from control_api.times import utc

SHOWN = 50
UNDER_WAY = ("scheduled", "recording", "finalizing")
# What is recorded next: the first, whatever else there is; an account's are few anyway.
NEXT = (
    select(recording_asset.c.id, recording_asset.c.due_ms)
    .where(recording_asset.c.due_ms.is_not(None))
    .where(recording_asset.c.state.in_(("planned", "held", "checking")))
    .order_by(recording_asset.c.due_ms)
    .limit(SHOWN)
)


async def get_session(call: Call[None]) -> types.SeenSession:
    """One session by its id or its token's id, whoever it belongs to, running or over."""
    row, name = playback_session.c, call.path["id"]
    query = select(playback_session).where(or_(row.id == name, row.cti == name))
    async with call.services.database.read() as connection:
        found = (await connection.execute(query)).first()
    if found is None:
        raise Problem("session_not_found")
    return _session(found)


async def list_recordings(call: Call[None]) -> types.SeenRecordings:
    """Recordings that are due next, those asked for last, and copies that are not whole yet."""
    row, asked, secret = recording.c, call.query, call.services.secret
    wanted = select(recording)
    if asked.state is not None:
        wanted = wanted.where(row.state == asked.state)
    if asked.account_id is not None:
        wanted = wanted.where(row.account_id == asked.account_id)
    own = wanted.where(row.due_ms.is_not(None)).order_by(row.due_ms)
    asset = NEXT.subquery() if asked.account_id is None else recording_asset
    recorded = wanted.add_columns(asset.c.due_ms.label("asset_due_ms"))
    recorded = recorded.join(asset, asset.c.id == row.asset_id).order_by(asset.c.due_ms)
    under_way = (row.state.in_(UNDER_WAY), row.due_ms.is_(None))
    recorded = recorded.where(asset.c.due_ms.is_not(None), *under_way)
    due = [own] if asked.state not in (None, *UNDER_WAY) else [own, recorded]
    latest = wanted.order_by(row.id.desc()).limit(asked.limit + 1)
    listing = f"seen-recordings:{asked.state}:{asked.account_id}"
    after = sealed.position(secret, listing, asked.cursor)
    if after is not None:
        latest = latest.where(row.id < str(after[0]))
    copying = select(recording_asset).where(text(COPYING)).order_by(recording_asset.c.end_ms)
    queries = (latest, copying.limit(SHOWN), *(each.limit(SHOWN) for each in due))
    async with call.services.database.read() as connection:
        last, copies, *first = [(await connection.execute(query)).all() for query in queries]
    following = sorted(
        (each for rows in first for each in rows), key=lambda each: (_due_ms(each), each.id)
    )[:SHOWN]
    shown, cursor = sealed.page(last, asked.limit, secret, listing, "id")
    return types.SeenRecordings(
        [_recording(each) for each in following],
        [_recording(each) for each in shown],
        [_copy(each) for each in copies],
        cursor,
    )


def _session(row: Any) -> types.SeenSession:
    return types.SeenSession(
        id=row.id,
        cti=row.cti,
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


def _copy(row: Any) -> types.PrivateCopy:
    return types.PrivateCopy(
        asset_id=row.id,
        account_id=row.account_id,
        channel_id=row.channel_id,
        ended_at=utc(row.end_ms),
        copied_objects=row.copied_objects,
        left_objects=row.left_objects,
        error=row.copy_error,
    )


def _recording(row: Any) -> types.DueRecording:
    due_ms = _due_ms(row)
    due_at = None if due_ms is None else utc(due_ms)
    shown = msgspec.structs.asdict(store.answer(row))
    return types.DueRecording(**shown, account_id=row.account_id, due_at=due_at)


def _due_ms(row: Any) -> Any:
    """When the planner looks at a recording again: at what it records, while that goes on."""
    return getattr(row, "asset_due_ms", row.due_ms)
