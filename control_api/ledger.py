"""What live sessions owe the database: signs of life, ends, and starts that it could not take.

Rules of the file
1. A heartbeat costs no SQL: its position is merged here and written with the others (CTL-107).
2. What the database did not take stays here, in order, until it does (CTL-188): starts, then
   signs of life, then ends.
3. Bounded: beyond `MAX_OWED` sessions the oldest sign of life is forgotten, never a start or
   an end.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, and_, bindparam, func, insert, null, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import outbox
from control_api.schema import playback_session
from runtime import logs, metrics
from runtime.sql import Database, SqlError

log = logs.get("control")
OWED = metrics.gauge("control_owed", "session rows that wait for the database", ("kind",))
LOST = metrics.counter("control_beats_lost", "positions dropped because too many waited")
MAX_OWED = 200_000
session = playback_session.c
KEEPS_TOKEN = frozenset({"stopped", "expired", "failed"})  # ends that nobody forced (CTL-105)
TOLD = {"expired": "expired", "terminated": "terminated", "support": "terminated"}  # by reason


@dataclass(frozen=True, slots=True)
class Sign:
    """The newest sign of life of a session."""

    seen_ms: int
    position_ms: int
    cdn: str | None


@dataclass(frozen=True, slots=True)
class End:
    """A session that is over, and why."""

    account_id: str
    session_id: str
    reason: str
    at_ms: int


class Ledger:
    """One process's debts; `flush` pays them."""

    def __init__(self, database: Database, *, flush_s: float) -> None:
        self._database = database
        self._flush_s = flush_s
        self._starts: list[dict[str, Any]] = []
        self._signs: dict[str, Sign] = {}
        self._ends: list[End] = []
        self._paying = asyncio.Lock()

    def start(self, row: Mapping[str, Any]) -> None:
        """A session that was admitted while the database was away."""
        self._starts.append(dict(row))

    def beat(self, session_id: str, sign: Sign) -> None:
        """Seen again."""
        self._signs[session_id] = sign
        if len(self._signs) > MAX_OWED:
            del self._signs[next(iter(self._signs))]
            LOST.inc()

    def end(self, end: End) -> None:
        """Over."""
        self._ends.append(end)

    async def flush(self) -> None:
        """Write what is owed, all of it or nothing."""
        async with self._paying:
            starts, signs, ends = self._starts, self._signs, self._ends
            if not (starts or signs or ends):
                return
            self._starts, self._signs, self._ends = [], {}, []
            try:
                async with self._database.write(timeout_ms=10_000) as connection:
                    await _pay(connection, starts, signs, ends)
            except BaseException:
                self._starts = starts + self._starts
                self._signs = signs | self._signs
                self._ends = ends + self._ends
                raise
            finally:
                for kind, owed in self._owed().items():
                    OWED.labels(kind).set(owed)

    def _owed(self) -> Mapping[str, int]:
        return {"start": len(self._starts), "beat": len(self._signs), "end": len(self._ends)}

    async def run(self) -> None:
        """Pay now and then, for ever."""
        while True:
            await asyncio.sleep(self._flush_s)
            try:
                await self.flush()
            except SqlError as error:
                log.warning("ledger_waits", error=str(error), **self._owed())


async def _pay(
    connection: AsyncConnection,
    starts: list[dict[str, Any]],
    signs: Mapping[str, Sign],
    ends: list[End],
) -> None:
    if starts:
        await connection.execute(insert(playback_session), starts)
        for row in starts:
            await told(connection, "started", row, row["started_ms"])
    if signs:
        await connection.execute(
            _SEEN,
            [
                {"of": of, "seen": sign.seen_ms, "at": sign.position_ms, "by": sign.cdn}
                for of, sign in signs.items()
            ],
        )
    for end in ends:
        await close(connection, end)


async def close(connection: AsyncConnection, end: End) -> None:
    """Note an end, once."""
    done = await connection.execute(
        update(playback_session)
        .where(
            session.id == end.session_id,
            session.account_id == end.account_id,
            session.ended_ms.is_(None),
        )
        .values(ended_ms=end.at_ms, end_reason=end.reason)
        .returning(playback_session)
    )
    for row in done.all():
        kind = TOLD.get(end.reason, "ended")
        await told(connection, kind, row._asdict(), end.at_ms, reason=end.reason)
        if end.reason not in KEEPS_TOKEN:
            gone = {"cti": row.cti, "session_id": row.id, "reason": end.reason}
            await outbox.emit(connection, "token.revoked", gone, end.at_ms)


async def told(
    connection: AsyncConnection, kind: str, row: Mapping[str, Any], now_ms: int, **more: str
) -> None:
    """An event of a session, whose row it is."""
    data = {
        "account_id": row["account_id"],
        "session_id": row["id"],
        "device_id": row["device_id"],
        "kind": row["kind"],
        "target_id": row["target_id"],
        **more,
    }
    await outbox.emit(connection, f"playback.session.{kind}", data, now_ms)


# An expired session that was seen again is live again (CTL-108); another end is for good.
_SEEN = (
    update(playback_session)
    .where(
        and_(
            session.id == bindparam("of"),
            session.last_seen_ms <= bindparam("seen"),
            or_(session.ended_ms.is_(None), session.end_reason == "expired"),
        )
    )
    .values(
        last_seen_ms=bindparam("seen"),
        position_ms=bindparam("at"),
        cdn=func.coalesce(bindparam("by", type_=String), session.cdn),
        ended_ms=null(),
        end_reason=null(),
    )
)
