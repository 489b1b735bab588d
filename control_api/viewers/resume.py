"""Where playback starts: at the bookmark, or at the begin (CTL-100, CTL-101)."""

from typing import Any

from sqlalchemy import select

from control_api import types
from control_api.viewers.schema import bookmark, profile
from runtime import logs
from runtime.sql import Database, SqlError

log = logs.get("control")


class Resume:
    """A look that a start does beside others; a database that is away starts at the begin."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def position_ms(self, caller: Any, asked: types.Subject) -> int:
        """0 for live, for what is finished, and where no profile is named or it is not the
        caller's.
        """
        target_id = asked.content_id or asked.recording_id
        if target_id is None or asked.profile_id is None:
            return 0
        query = (
            select(bookmark.c.position_ms)
            .join(profile, profile.c.id == bookmark.c.profile_id)
            .where(
                profile.c.account_id == caller.account_id,
                bookmark.c.profile_id == asked.profile_id,
                bookmark.c.content_id == target_id,
                bookmark.c.finished.is_(False),
            )
        )
        try:
            async with self._database.read() as connection:
                return int((await connection.execute(query)).scalar() or 0)
        except SqlError as error:
            log.warning("resume_unknown", error=str(error))
            return 0
