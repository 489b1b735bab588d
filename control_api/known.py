"""Sessions that a process started or heard of: their heartbeats cost no SQL (CTL-107)."""

from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import select

from control_api import sessions
from control_api.entitlement import NEVER_MS
from control_api.facts import UNKNOWN_COUNTRY
from control_api.problems import Problem
from control_api.schema import playback_session
from runtime.sql import Database

MAX_KNOWN = 200_000


@dataclass(slots=True)
class Known:
    """What a process remembers of one."""

    account_id: str
    device_id: str
    kind: str
    target_id: str
    cti: str
    limit: int
    started_ms: int
    renewed_ms: int | None = None
    reviewed: int = -1  # the epoch when its access was last looked at
    watched_id: str = ""  # the title, channel or recording whose rights count, once looked at
    channel_id: str = ""  # a recording's, whose rights are its own
    until_ms: int = NEVER_MS  # when access ends as far as is known
    profile_id: str | None = None
    pin_passed: bool = False
    country: str = UNKNOWN_COUNTRY


class KnownSessions:
    """A process's; of too many the oldest is forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.by_id: OrderedDict[str, Known] = OrderedDict()

    async def find(self, account_id: str, session_id: str) -> Known:
        """The session; 404 when it is unknown or another account's. Raises SqlError."""
        found = self.by_id.get(session_id)
        if found is None:
            async with self._database.read() as connection:
                query = select(playback_session).where(
                    playback_session.c.id == session_id,
                    playback_session.c.account_id == account_id,
                )
                row = (await connection.execute(query)).first()
                if row is not None:
                    limit = await sessions.limit_of(connection, account_id)
                    found = Known(
                        row.account_id,
                        row.device_id,
                        row.kind,
                        row.target_id,
                        row.cti,
                        limit,
                        row.started_ms,
                        profile_id=row.profile_id,
                        pin_passed=row.pin_passed,
                        country=row.country,
                    )
                    self.keep(session_id, found)
        if found is None or found.account_id != account_id:
            raise Problem("session_not_found")
        return found

    def keep(self, session_id: str, known: Known) -> None:
        self.by_id[session_id] = known
        if len(self.by_id) > MAX_KNOWN:
            self.by_id.popitem(last=False)
