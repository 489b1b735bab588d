"""Where playback starts, at the bookmark or at the begin, and where it was left (CTL-100, 109)."""

import asyncio
from typing import Any

from sqlalchemy import BigInteger, String, and_, bindparam, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import types
from control_api.recordings.schema import recording
from control_api.schema import content, playback_session
from control_api.viewers import marks
from control_api.viewers.schema import bookmark, profile, watch_history
from runtime import logs
from runtime.sql import Database, SqlError

log = logs.get("control")


class Resume:
    """A look that a start does beside others; a database that is away starts at the begin."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def position_ms(
        self, caller: Any, asked: types.Subject, patience_s: float | None = None
    ) -> int:
        """0 for live, for what is finished, where no profile is named or it is not the caller's,
        and where nothing is heard for so long.
        """
        target_id = asked.content_id or asked.recording_id
        if target_id is None or asked.profile_id is None:
            return 0
        of = {"account": caller.account_id, "profile": asked.profile_id, "target": target_id}
        try:
            async with asyncio.timeout(patience_s):
                rows = await self._database.ask(_PLACE, of)
        except (SqlError, TimeoutError) as error:
            log.warning("resume_unknown", error=str(error) or "late")
            return 0
        return int(rows[0].position_ms) if rows else 0


async def leave(connection: AsyncConnection, session_id: str, now_ms: int) -> None:
    """The place where a session of a profile ended is its bookmark, as old as the heartbeat that
    told of it (CTL-109), unless something later is known of the profile and the title (CTL-140).
    `now_ms` is the time of writing, as all nodes know it: what was seen later than that was
    seen by a clock that was wrong, and no later than now.
    """
    ahead_ms = now_ms + marks.AHEAD_MS
    left = (await connection.execute(_LEFT, {"session": session_id, "ahead": ahead_ms})).first()
    if left is None:
        return
    values = {
        "position_ms": min(left.position_ms, left.length_ms),
        "duration_ms": left.length_ms,
        "finished": marks.is_finished(left.position_ms, left.length_ms),
        "updated_ms": left.last_seen_ms if left.last_seen_ms <= ahead_ms else now_ms,
    }
    mark = (left.account_id, left.profile_id, left.target_id)
    await marks.keep(connection, *mark, values, now_ms)


_PLACE = (
    select(bookmark.c.position_ms)
    .join(profile, profile.c.id == bookmark.c.profile_id)
    .where(
        profile.c.account_id == bindparam("account", type_=String),
        bookmark.c.profile_id == bindparam("profile", type_=String),
        bookmark.c.content_id == bindparam("target", type_=String),
        bookmark.c.finished.is_(False),
    )
)

own = playback_session.c
later = playback_session.alias("later").c
_AHEAD = bindparam("ahead", type_=BigInteger)
_LENGTH_MS = func.coalesce(
    content.c.duration_ms, recording.c.prog_end_ms - recording.c.prog_start_ms
)
_WATCHED_LATER = exists().where(
    watch_history.c.profile_id == own.profile_id,
    watch_history.c.target_id == own.target_id,
    watch_history.c.at_ms.between(own.last_seen_ms, _AHEAD),
)
_PLAYED_LATER = exists().where(
    later.account_id == own.account_id,
    later.profile_id == own.profile_id,
    later.target_id == own.target_id,
    later.last_seen_ms > own.last_seen_ms,
    later.last_seen_ms <= _AHEAD,
)
# The profile is held, for its bookmark to have one.
_LEFT = (
    select(
        own.account_id,
        own.profile_id,
        own.target_id,
        own.position_ms,
        own.last_seen_ms,
        _LENGTH_MS.label("length_ms"),
    )
    .join(profile, and_(profile.c.id == own.profile_id, profile.c.account_id == own.account_id))
    .outerjoin(content, content.c.id == own.target_id)
    .outerjoin(recording, recording.c.id == own.target_id)
    .where(
        own.id == bindparam("session", type_=String),
        own.position_ms >= marks.WORTH_MS,
        _LENGTH_MS > 0,
        ~_WATCHED_LATER,
        ~_PLAYED_LATER,
    )
    .with_for_update(read=True, key_share=True, of=profile)
)
