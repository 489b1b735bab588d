"""Sessions that nobody else ends (CTL-108): the store forgot them, or the process that knew of an
end died before it wrote it.

Rules of the file
1. What was unseen for so long that no heartbeat could take it up again is over since the TTL; so is
   what was seen in a time to come, as by a node whose clock was wrong, and is not seen now.
2. It must be seen silent for a while by one process: a database that just came back, or a clock
   that jumped, says so of sessions that live.
3. The store must know it as not live: a node that does not reach the database still tells the
   store. While the store does not answer nobody is ended, nor whose account it cannot read.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, or_, select, tuple_

from control_api.guarded import Shelf
from control_api.ledger import End, Ledger
from control_api.schema import playback_session
from control_api.sessions import LATE_S
from control_api.times import now_ms
from control_api.viewers.marks import AHEAD_MS
from runtime import logs, metrics
from runtime.clock import SYSTEM, Clock
from runtime.sql import Database, SqlError
from runtime.store import StoreError

LOOK_S = 60.0
WATCHED_S = 240.0  # more than two heartbeats of a stretched interval, and their flush
MOST = 1_000  # at once
PAGES = 200  # of so many, in one look

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
        self,
        database: Database,
        shelf: Shelf,
        ledger: Ledger,
        ttl_s: int,
        clock: Clock = SYSTEM,
    ) -> None:
        self._database = database
        self._shelf = shelf
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
            except (SqlError, StoreError) as error:
                log.warning("silent_unknown", error=str(error))

    async def look(self, at_ms: int) -> int:
        """How many were ended. What could not be looked at begins anew."""
        before, self._watched = self._watched, {}
        now_s, ended = self._clock.monotonic_s(), 0
        async for rows in self._pages(at_ms):
            due = []
            for row in rows:
                known = before.get(row.id)
                if known is None or known.seen_ms != row.last_seen_ms:
                    known = Watched(row.last_seen_ms, now_s)
                if now_s - known.since_s < WATCHED_S:
                    self._watched[row.id] = known
                else:
                    due.append(row)
            for row in await self._dead(due):
                over_ms = min(row.last_seen_ms + 1_000 * self._ttl_s, at_ms)
                self._ledger.end(End(row.account_id, row.id, "expired", over_ms))
                ended += 1
        if ended:
            FOUND.inc(ended)
            log.warning("sessions_found_silent", count=ended)
        return ended

    async def _pages(self, at_ms: int) -> AsyncIterator[Sequence[Any]]:
        """Those that the database knows as live and silent."""
        bounds = {
            "before": at_ms - 1_000 * (self._ttl_s + LATE_S),
            "ahead": at_ms + AHEAD_MS,
            "seen": -1,
            "id": "",
        }
        for _ in range(PAGES):
            rows = await self._database.ask(_SILENT, bounds)
            yield rows
            if len(rows) < MOST:
                break
            bounds |= {"seen": rows[-1].last_seen_ms, "id": rows[-1].id}

    async def _dead(self, due: Sequence[Any]) -> Sequence[Any]:
        """Those of them that the store knows as not live; the others are watched anew."""
        if not due:
            return due
        asked = [(row.account_id, row.id) for row in due]
        live = await self._shelf.ask(lambda store: store.live(asked))
        return [row for row, alive in zip(due, live, strict=True) if alive is False]


_SILENT = (
    select(session.id, session.account_id, session.last_seen_ms)
    .where(
        session.ended_ms.is_(None),
        or_(session.last_seen_ms < bindparam("before"), session.last_seen_ms > bindparam("ahead")),
        tuple_(session.last_seen_ms, session.id) > tuple_(bindparam("seen"), bindparam("id")),
    )
    .order_by(session.last_seen_ms, session.id)
    .limit(MOST)
)
