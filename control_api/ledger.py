"""What live sessions owe the database: signs of life, ends, and starts that it could not take.

Rules of the file
1. A heartbeat costs no SQL: its position is merged here and written with the others (CTL-107).
2. What the database did not take stays here, in order, until it does (CTL-188): starts, then
   signs of life, then ends.
3. Bounded: beyond `MAX_OWED` sessions the oldest sign of life is forgotten, never a start or
   an end.
4. Much is paid in pieces: a long transaction holds the rows of its accounts, and who waits for them
   would take a database that has just come back for one that is away.
5. Sessions of one payment are held before any is written, all in the order of their ids: two
   processes that heard of the same ones would else wait for each other.
6. An end may come before its start: the commit of one that nobody waited for is still on its way.
   It is paid once more, later.
7. What the database refuses for what it says, as a start of an account that is gone, would be
   refused for ever: its piece is halved until it stands alone, then it is told of and dropped.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    String,
    and_,
    bindparam,
    case,
    exists,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api import devices, outbox
from control_api.problems import Problem
from control_api.schema import entitlement, playback_session
from control_api.viewers.marks import AHEAD_MS
from control_api.viewers.resume import leave
from runtime import logs, metrics
from runtime.asking import Ask, within
from runtime.clock import SYSTEM, Clock
from runtime.sql import Database, SqlError

log = logs.get("control")
OWED = metrics.gauge("control_owed", "session rows that wait for the database", ("kind",))
LOST = metrics.counter("control_beats_lost", "positions dropped because too many waited")
REFUSED = metrics.counter("control_debts_refused", "rows that no payment can write", ("kind",))
MAX_OWED = 200_000
EARLY_S = 30.0  # no commit comes later
DATA_EXCEPTION = "22"  # class of SQLSTATE that speaks of values; PostgreSQL 15, appendix A
PIECE, SIGNS = 100, 1_000  # of starts and of ends, and of signs, in one transaction
session = playback_session.c
KEEPS_TOKEN = frozenset({"stopped", "expired", "failed"})  # ends that nobody forced (CTL-105)
PLACED = ("stopped", "expired")  # ends after which its viewer may go on (CTL-109)
TOLD = {"expired": "expired", "terminated": "terminated", "support": "terminated"}  # by reason


@dataclass(frozen=True, slots=True)
class Sign:
    """The newest sign of life of a session."""

    seen_ms: int
    position_ms: int
    cdn: str | None
    account_id: str = ""  # whose player said so; unknown of copies that older versions left


@dataclass(frozen=True, slots=True)
class End:
    """A session that is over, and why; `refunds` is the entitlement whose use it gives back."""

    account_id: str
    session_id: str
    reason: str
    at_ms: int
    refunds: str | None = None


Debt = dict[str, Any] | tuple[str, Sign] | End  # a start's row, a session's sign, an end


class Ledger:
    """One process's debts; `flush` pays them."""

    def __init__(
        self,
        database: Database,
        *,
        flush_s: float,
        clock: Clock = SYSTEM,
        latest_ms: Callable[[int], int] = int,
    ) -> None:
        self._database = database
        self._flush_s = flush_s
        self._clock = clock
        self._latest_ms = latest_ms  # of our own time and that of all nodes (`Shelf`)
        self._starts: list[dict[str, Any]] = []
        self._signs: dict[tuple[str, str], Sign] = {}  # by account, for each says what it likes
        self._ends: list[End] = []
        self._early: deque[tuple[float, End]] = deque()  # and when to pay again
        self._paying = asyncio.Lock()

    def start(self, row: Mapping[str, Any]) -> None:
        """A session that was admitted while the database was away; `device` is the row of its
        device, where that is new.
        """
        self._starts.append(dict(row))

    def beat(self, session_id: str, sign: Sign) -> None:
        """Seen again."""
        self._signs[sign.account_id, session_id] = sign
        if len(self._signs) > MAX_OWED:
            del self._signs[next(iter(self._signs))]
            LOST.inc()

    def sign(self, account_id: str, session_id: str) -> Sign | None:
        """The newest that was not written yet."""
        return self._signs.get((account_id, session_id))

    def end(self, end: End) -> None:
        """Over."""
        self._ends.append(end)

    async def flush(self) -> None:
        """Write what is owed; what was not written is owed still."""
        async with self._paying:
            now_s, again = self._clock.monotonic_s(), set()
            while self._early and self._early[0][0] <= now_s:
                again.add(self._early.popleft()[1])
            signs = [(session_id, sign) for (_, session_id), sign in self._signs.items()]
            starts, ends = self._starts, [*again, *self._ends]
            if not (starts or signs or ends):
                return
            self._starts, self._signs, self._ends = [], {}, []
            try:
                while starts or signs or ends:
                    begun = starts[:PIECE]
                    seen = signs[:SIGNS] if len(begun) == len(starts) else []
                    over = (
                        ends[:PIECE]
                        if len(seen) == len(signs) and len(begun) == len(starts)
                        else []
                    )
                    early = await self.settle([*begun, *seen, *over])
                    self._early += [(now_s + EARLY_S, end) for end in early if end not in again]
                    del starts[: len(begun)], signs[: len(seen)], ends[: len(over)]
            except BaseException:
                self._starts = starts + self._starts
                left = {(sign.account_id, session_id): sign for session_id, sign in signs}
                self._signs = left | self._signs
                self._ends = ends + self._ends
                raise
            finally:
                for kind, owed in self._owed().items():
                    OWED.labels(kind).set(owed)

    async def settle(self, debts: Sequence[Debt]) -> list[End]:
        """Pay them all, but for those that cannot be paid. The ends of which no start was found."""
        try:
            now_ms = self._latest_ms(self._clock.now_ms())
            async with self._database.write(timeout_ms=10_000) as connection:
                return await _pay(connection, debts, now_ms)
        except Exception as error:
            if not _refuses(error):
                raise
            if len(debts) > 1:
                half = len(debts) // 2
                return await self.settle(debts[:half]) + await self.settle(debts[half:])
            kind, session_id = _named(debts[0])
            REFUSED.labels(kind).inc()
            log.error("debt_refused", kind=kind, session_id=session_id, error=type(error).__name__)
            return []

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


def _refuses(error: Exception) -> bool:
    """Whether the values are at fault, which the same database will never take."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, ValueError | OverflowError)
    state = getattr(error.orig, "sqlstate", None) or ""
    return isinstance(error, IntegrityError | DataError) or state.startswith(DATA_EXCEPTION)


def _named(debt: Debt) -> tuple[str, str]:
    match debt:
        case dict():
            return "start", debt["id"]
        case End():
            return "end", debt.session_id
        case (session_id, _):
            return "beat", session_id


async def _pay(connection: AsyncConnection, debts: Sequence[Debt], now_ms: int) -> list[End]:
    """The ends of sessions that are not there."""
    for row in debts:
        if not isinstance(row, dict):
            continue
        start = dict(row)
        device = start.pop("device", None)
        entered = await connection.execute(_ENTER[connection.dialect.name], start)
        if entered.first() is None:
            continue
        if device is not None:
            with suppress(Problem):  # of an account that has no room for it
                await devices.see(within(connection), device)
        await told(within(connection), "started", start, start["started_ms"])
    named = {_named(debt)[1] for debt in debts if not isinstance(debt, dict)}
    if not named:
        return []
    held = set((await connection.scalars(_HELD, {"ids": sorted(named)})).all())
    seen = [
        {
            "of": debt[0],
            "whose": debt[1].account_id or None,
            "seen": debt[1].seen_ms,
            "at": debt[1].position_ms,
            "by": debt[1].cdn,
            "ahead": now_ms + AHEAD_MS,
        }
        for debt in debts
        if isinstance(debt, tuple)
    ]
    if seen:
        await connection.execute(_SEEN, seen)
        late = {"ids": [each["of"] for each in seen]}
        for each in (await connection.execute(_STOPPED, late)).all():
            await leave(connection, each.id, now_ms)
    early = []
    for end in debts:
        if not isinstance(end, End):
            continue
        if not await finish(connection, end, now_ms) and end.session_id not in held:
            early.append(end)
    return early


async def finish(connection: AsyncConnection, end: End, now_ms: int) -> bool:
    """`close`, and the place where its viewer may go on."""
    closed = await close(within(connection), end)
    if closed and end.reason in PLACED:
        await leave(connection, end.session_id, now_ms)
    return closed


async def close(ask: Ask, end: End) -> bool:
    """Note an end, once; whether this was the time."""
    over = {"of": end.session_id, "by": end.account_id, "at": end.at_ms, "why": end.reason}
    rows = await ask(_CLOSE, over)
    for row in rows:
        kind = TOLD.get(end.reason, "ended")
        await told(ask, kind, row._asdict(), end.at_ms, reason=end.reason)
        if end.reason not in KEEPS_TOKEN:
            gone = {"cti": row.cti, "session_id": row.id, "reason": end.reason}
            await outbox.tell(ask, "token.revoked", gone, end.at_ms)
        if end.refunds is not None:
            spent = {"entitlement": end.refunds, "began": row.started_ms, "of": row.id}
            await ask(_REFUND, spent)
    return bool(rows)


async def told(ask: Ask, kind: str, row: Mapping[str, Any], now_ms: int, **more: str) -> None:
    """An event of a session, whose row it is."""
    await outbox.tell(ask, f"playback.session.{kind}", subject(row) | more, now_ms)


def subject(row: Mapping[str, Any]) -> dict[str, Any]:
    """What an event says of the session itself."""
    said = {name: row[name] for name in ("account_id", "device_id", "kind", "target_id")}
    return said | {"session_id": row["id"]}


# Once: a start whose commit nobody heard of may be there.
_ENTER = {
    name: make(playback_session).on_conflict_do_nothing(index_elements=["id"]).returning(session.id)
    for name, make in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_CLOSE = (
    update(playback_session)
    .where(
        session.id == bindparam("of"),
        session.account_id == bindparam("by"),
        session.ended_ms.is_(None),
    )
    .values(ended_ms=bindparam("at"), end_reason=bindparam("why"))
    .returning(playback_session)
)
_HELD = (
    select(session.id)
    .where(session.id.in_(bindparam("ids", expanding=True)))
    .order_by(session.id)
    .with_for_update(key_share=True)
)
# An expired session that was seen again is live again (CTL-108); another end is for good, and of
# one that its viewer stopped another process may know a later place. What was seen in a time to
# come, by a clock that was wrong, yields to any sign (CTL-140).
_SEEN = (
    update(playback_session)
    .where(
        and_(
            session.id == bindparam("of"),
            session.account_id
            == func.coalesce(bindparam("whose", type_=String), session.account_id),
            or_(
                session.last_seen_ms <= bindparam("seen"), session.last_seen_ms > bindparam("ahead")
            ),
            or_(session.ended_ms.is_(None), *(session.end_reason == why for why in PLACED)),
        )
    )
    .values(
        last_seen_ms=bindparam("seen"),
        position_ms=bindparam("at"),
        cdn=func.coalesce(bindparam("by", type_=String), session.cdn),
        ended_ms=case((session.end_reason == "expired", null()), else_=session.ended_ms),
        end_reason=case((session.end_reason == "expired", null()), else_=session.end_reason),
    )
)
# The start counted a use unless it came within a viewing window that was open already (CTL-82); one
# that it opened stays so for who came in meanwhile.
bought, other = entitlement.c, playback_session.alias("other").c
_BEGAN = bindparam("began", type_=BigInteger)
_SHARED = exists().where(
    other.account_id == bought.account_id,
    other.id != bindparam("of"),
    other.started_ms >= _BEGAN,
    func.coalesce(other.end_reason, "") != "failed",
)
_REFUND = (
    update(entitlement)
    .where(
        bought.id == bindparam("entitlement"),
        bought.uses > 0,
        or_(
            bought.viewing_s.is_(None),
            and_(bought.first_played_ms == _BEGAN, ~_SHARED),
            bought.first_played_ms + 1_000 * bought.viewing_s <= _BEGAN,
        ),
    )
    .values(
        uses=bought.uses - 1,
        first_played_ms=func.nullif(bought.first_played_ms, _BEGAN),
    )
)
_STOPPED = select(session.id).where(
    session.id.in_(bindparam("ids", expanding=True)),
    session.end_reason == "stopped",
    session.profile_id.is_not(None),
)
