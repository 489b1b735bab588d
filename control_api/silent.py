"""Sessions that nobody else ends (CTL-108): the store forgot them, or the process that knew of an
end died before it wrote it.

Rules of the file
1. What was unseen for so long that no heartbeat could take it up again is over since the TTL.
2. It must be seen silent for a while by one process: a database that just came back, or a clock
   that jumped, says so of sessions that live.
"""

import asyncio
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from control_api.ledger import End, Ledger
from control_api.schema import playback_session
from control_api.sessions import LATE_S
from control_api.times import now_ms
from runtime import logs, metrics
from runtime.clock import SYSTEM, Clock
from runtime.sql import Database, SqlError

LOOK_S = 60.0
WATCHED_S = 240.0  # more than two heartbeats of a stretched interval, and their flush
MOST = 1_000  # at once

log = logs.get("control")
FOUND = metrics.counter("control_sessions_found_silent", "sessions that no store ended")
session = playback_session.c


@dataclass(frozen=True, slots=True)
class Watched:
    """A session's last sign of life, and since when we know of none after it."""

    seen_ms: int
    since_s: float


class Silent:
    """One process's look at them."""

    def __init__(
        self, database: Database, ledger: Ledger, ttl_s: int, clock: Clock = SYSTEM
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._ttl_s = ttl_s
        self._clock = clock
        self._watched: dict[str, Watched] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look(now_ms())
            except SqlError as error:
                log.warning("silent_unknown", error=str(error))

    async def look(self, at_ms: int) -> int:
        """How many were ended. What could not be looked at begins anew."""
        before, self._watched = self._watched, {}
        oldest_ms = at_ms - 1_000 * (self._ttl_s + LATE_S)
        now_s, ended = self._clock.monotonic_s(), 0
        for row in await self._database.ask(_SILENT, {"before": oldest_ms}):
            known = before.get(row.id)
            if known is None or known.seen_ms != row.last_seen_ms:
                known = Watched(row.last_seen_ms, now_s)
            if now_s - known.since_s < WATCHED_S:
                self._watched[row.id] = known
                continue
            over_ms = row.last_seen_ms + 1_000 * self._ttl_s
            self._ledger.end(End(row.account_id, row.id, "expired", over_ms))
            ended += 1
        if ended:
            FOUND.inc(ended)
            log.warning("sessions_found_silent", count=ended)
        return ended


_SILENT = (
    select(session.id, session.account_id, session.last_seen_ms)
    .where(session.ended_ms.is_(None), session.last_seen_ms < bindparam("before"))
    .order_by(session.last_seen_ms)
    .limit(MOST)
)
