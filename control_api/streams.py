"""Live sessions, counted in the store and kept in the database (CTL-102..109, CTL-188).

Rules of the file
1. The store admits: one script for each start, one for each heartbeat. The database has the row,
   and is what remains when the store is away: then it admits too, under the account's row lock.
2. A store that lost its memory must not admit beyond the limit: until it has been up for as long as
   a session may be silent it is *cold*, and both of them count.
3. What the database cannot take is owed (`ledger`), save where the start itself must be written: a
   new device, a use that is spent, a cold store. Where operators opened what is free, only the last
   two of these count, and only a store that is away is too cold. A database that hangs is one that
   takes nothing: nobody waits for it who may owe.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from math import inf

from control_api import details, devices, kept, sessions, types
from control_api.arrivals import Arrival, Arrivals
from control_api.beats import Beats
from control_api.details import Detail
from control_api.guarded import Shelf
from control_api.known import Known, KnownSessions
from control_api.ledger import End, Ledger, Sign, finish
from control_api.pledges import Pledges
from control_api.problems import Problem
from control_api.sessions import Clockwork, Newcomer
from control_api.times import utc
from runtime import logs, metrics
from runtime.asking import REFUSED, within
from runtime.sql import Database, SqlError
from runtime.store import Admission, Session, Store, StoreError

log = logs.get("control")
DEGRADED = metrics.counter("control_degraded", "answers without an engine", ("engine", "operation"))

SINCE = "live:since"  # when this store began to count, in its own time
SINCE_KEPT_MS = 10 * 365 * 86_400_000
SINCE_DIGITS = 20
WARM_CHECK_MS = 1_000


class Streams:
    """Admission, heartbeat and end over both engines."""

    def __init__(
        self,
        database: Database,
        shelf: Shelf,
        ledger: Ledger,
        secret: bytes,
        times: Clockwork,
    ) -> None:
        self._database = database
        self._shelf = shelf
        self._ledger = ledger
        self.pledges = Pledges(shelf, ledger)
        self._beats = Beats(shelf)
        self._arrivals = Arrivals(database)
        self._secret = secret
        self._times = times
        self._known = KnownSessions(database)
        self._since_ms: int | None = None
        self._looked_ms = 0
        self._doubt_until_ms = 0
        self._leaving: set[asyncio.Task[None]] = set()

    async def admit(self, arrival: Arrival, codes: list[str], now_ms: int) -> int | None:
        """How many are in use with this one; 409 beyond the limit. None: the store is away."""
        one = arrival.newcomer
        detail = Detail(arrival.device.name, arrival.device_class, arrival.title, now_ms)
        victims = sessions.named_by(codes, self._secret, one.account_id, now_ms)
        try:
            done = await self._admitted(
                one.account_id,
                lambda store: store.admit(
                    one.account_id,
                    one.id,
                    device=one.device_id,
                    detail=detail.packed(),
                    limit=one.limit,
                    terminate=victims,
                ),
                now_ms,
            )
        except StoreError as error:
            self._decided_alone("start", error, now_ms)
            return None
        except asyncio.CancelledError:  # it may have counted
            self.withdraw(one, now_ms)
            raise
        self._accepted(one.account_id, one.limit, done, now_ms)
        return len(done.live)

    async def _admitted(
        self, account_id: str, admit: Callable[[Store], Awaitable[Admission]], now_ms: int
    ) -> Admission:
        """The store's word, once it knows of the account; who had to go is told."""
        done = await self._shelf.ask(admit)
        if done.unreadable:
            await self._ledger.flush()
            await details.restore(self._database, self._shelf, account_id, self._times, now_ms)
            done = await self._shelf.ask(admit)
            if done.unreadable:
                raise StoreError("unavailable", "the account cannot be read")
        for ended in done.ended:
            self._ledger.end(End(ended.account, ended.id, ended.reason, now_ms))
        return done

    def _accepted(self, account_id: str, limit: int, done: Admission, now_ms: int) -> None:
        """409 with the list, if it was refused (CTL-103)."""
        if not done.admitted:
            listed = [self._listed(account_id, each, now_ms) for each in done.live]
            raise Problem("stream_limit", limit=limit, active_devices=listed)

    def _listed(self, account_id: str, live: Session, now_ms: int) -> types.ActiveDevice:
        detail = details.read(live.detail, live.last_seen_ms)
        return types.ActiveDevice(
            session_id=live.id,
            device_name=detail.name,
            device_class=detail.device_class,
            content_title=detail.title,
            started_at=utc(detail.started_ms),
            last_seen=utc(live.last_seen_ms),
            termination_code=sessions.code_for(
                live.id, self._secret, account_id, self._times, now_ms
            ),
        )

    async def record(
        self,
        arrival: Arrival,
        codes: list[str],
        in_use: int | None,
        now_ms: int,
        patience_s: float | None = None,
    ) -> int:
        """The database's part of a start; how many are in use. It is waited for no longer than
        `patience_s` where it may be owed.
        """
        one = arrival.newcomer
        cold = in_use is None or await self._cold(now_ms)
        sure = arrival.device_known and not cold
        owable = in_use is not None and one.spends is None and (sure or arrival.open)
        try:
            async with asyncio.timeout(patience_s if owable else None):
                if cold:
                    async with self._database.change() as ask:
                        await devices.see(ask, arrival.device_row(now_ms))
                        counted = await sessions.admit(
                            ask, one, codes, self._secret, self._times, now_ms
                        )
                    in_use = max(counted, in_use or 0)
                else:
                    await self._arrivals.enter(arrival, now_ms)
        except (SqlError, TimeoutError) as error:
            if not owable:
                raise
            _without("sql", "start", error)
            new = {} if arrival.device_known else {"device": arrival.device_row(now_ms)}
            await self.pledges.start(one.row(now_ms) | new)
        assert in_use is not None, "the store counted, or the database did"
        self._known.keep(
            one.id,
            Known(
                one.account_id,
                one.device_id,
                one.kind,
                one.target_id,
                one.cti,
                one.limit,
                now_ms,
                renewed_ms=now_ms,
                profile_id=one.profile_id,
                pin_passed=one.pin_passed,
                country=one.country,
            ),
        )
        return in_use

    async def _cold(self, now_ms: int) -> bool:
        """Has the store not counted for long enough to have heard of every live session?"""
        if now_ms < self._doubt_until_ms:
            return True
        store_ms = self._shelf.store.now_ms()
        if self._since_ms is None or not 0 <= store_ms - self._looked_ms <= WARM_CHECK_MS:
            try:
                self._since_ms = await self._shelf.ask(_since)
            except StoreError as error:
                self._decided_alone("start", error, now_ms)
                return True
            self._looked_ms = store_ms
        return store_ms - self._since_ms < 1_000 * self._times.ttl_s

    async def known(self, account_id: str, session_id: str) -> Known:
        """The session; 404 when it is unknown or another account's."""
        return await self._known.find(account_id, session_id)

    async def beat(
        self, account_id: str, session_id: str, told: types.HeartbeatRequest, now_ms: int
    ) -> bool:
        """Seen now, by the store alone; false: not by the store (CTL-105..108)."""
        known = await self._heard_of(account_id, session_id)
        limit = 1 if known is None else known.limit  # what is late waits
        sign = Sign(now_ms, told.position_ms, told.cdn, account_id)
        try:
            pulse = await self._beats.send(account_id, session_id, limit)
        except StoreError as error:
            _without("store", "heartbeat", error)
            await self._beat_in_sql(session_id, told, sign)
            return False
        match pulse.beat:
            case "ended":
                raise sessions.gone(pulse.reason, now_ms)
            case "limit":
                raise Problem("stream_limit", limit=limit, active_devices=[])
            case "unknown" if not await self._taken_up(account_id, session_id, known, now_ms):
                self._ledger.beat(session_id, sign)
                return False
        if now_ms < self._doubt_until_ms:
            await self._compared(session_id, told, sign)
        self._ledger.beat(session_id, sign)
        return True

    async def _heard_of(self, account_id: str, session_id: str) -> Known | None:
        """None where nobody can be asked: whether it is the account's then shows at payment."""
        try:
            return await self.known(account_id, session_id)
        except SqlError as error:
            _without("sql", "heartbeat", error)
            return None

    async def _beat_in_sql(self, session_id: str, told: types.HeartbeatRequest, sign: Sign) -> None:
        try:
            async with self._database.change() as ask:
                await sessions.beat(
                    ask, sign.account_id, session_id, told, self._times, sign.seen_ms
                )
        except SqlError as error:
            _without("sql", "heartbeat", error)
            self._ledger.beat(session_id, sign)

    async def _compared(self, session_id: str, told: types.HeartbeatRequest, sign: Sign) -> None:
        """What ended while the store was away has ended for the store too."""
        try:
            await self._beat_in_sql(session_id, told, sign)
        except Problem as problem:
            account_id = sign.account_id
            reason = str(problem.members.get("reason", "failed"))
            with contextlib.suppress(StoreError):
                await self._shelf.ask(lambda store: store.end(account_id, session_id, reason))
            raise

    async def _taken_up(
        self, account_id: str, session_id: str, known: Known | None, now_ms: int
    ) -> bool:
        """The store does not know it: the database's word, told to the store. Whether both heard;
        else nobody knows better than the player. 409 where the store counts others already.
        """
        if known is None:
            return False
        try:
            async with self._database.change() as ask:
                await sessions.goes_on(ask, account_id, session_id, self._times, now_ms)
            detail = Detail("", "web", known.target_id, known.started_ms)
            done = await self._admitted(
                account_id,
                lambda store: store.admit(
                    account_id,
                    session_id,
                    device=known.device_id,
                    detail=detail.packed(),
                    limit=known.limit,
                ),
                now_ms,
            )
        except (SqlError, StoreError) as error:
            _without("sql" if isinstance(error, SqlError) else "store", "heartbeat", error)
            return False
        self._accepted(account_id, known.limit, done, now_ms)
        return True

    def withdraw(self, one: Newcomer, now_ms: int) -> asyncio.Task[None]:
        """A start that came to nothing must not hold a slot nor cost a use, whoever is away, and
        whoever leaves before that is done.
        """
        task = asyncio.create_task(self._withdrawn(one, now_ms))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    async def settled(self) -> None:
        """Return when nobody is being withdrawn any more."""
        while self._leaving:
            await asyncio.wait(self._leaving)

    async def _withdrawn(self, one: Newcomer, now_ms: int) -> None:
        with contextlib.suppress(StoreError):
            await self._shelf.ask(lambda store: store.end(one.account_id, one.id, "failed"))
        await self._arrivals.settled()
        self._ledger.end(End(one.account_id, one.id, "failed", now_ms, one.spends))
        with contextlib.suppress(SqlError, *REFUSED):
            await self._ledger.flush()

    async def end(self, account_id: str, session_id: str, reason: str, now_ms: int) -> None:
        """Over, in both; 404 when unknown, nothing when it was over already (CTL-109)."""
        await self.known(account_id, session_id)
        end = End(account_id, session_id, reason, now_ms)
        freed = False
        try:
            await self._shelf.ask(lambda store: store.end(account_id, session_id, reason))
            freed = True
        except StoreError as error:
            self._decided_alone("end", error, now_ms)
        try:
            async with asyncio.timeout(kept.patience_s(inf) if freed else None):
                await self._ledger.flush()
                async with self._database.write() as connection:
                    await finish(connection, end, self._shelf.latest_ms(now_ms))
        except (SqlError, TimeoutError) as error:
            if not freed:
                raise
            _without("sql", "end", error)
            await self.pledges.end(end)

    async def live(self, account_id: str, now_ms: int) -> list[types.ActiveDevice]:
        """The account's live sessions, as the database knows them."""
        await self._ledger.flush()
        async with self._database.read() as connection:
            ask = within(connection)
            return await sessions.active(ask, account_id, self._secret, self._times, now_ms)

    async def reap(self, now_ms: int) -> int:
        """End what was not seen for too long, once whatever number of us look (CTL-108)."""
        found = await self._shelf.ask(lambda store: store.reap())
        for ended in found:
            self._ledger.end(End(ended.account, ended.id, ended.reason, now_ms))
        return len(found)

    def _decided_alone(self, operation: str, error: StoreError, now_ms: int) -> None:
        """The database admits or ends what the store does not hear of: for as long as a session may
        be silent both are asked.
        """
        self._doubt_until_ms = now_ms + 1_000 * self._times.ttl_s
        _without("store", operation, error)


async def _since(store: Store) -> int:
    """When the store began to count, in its own time; now, if it never did, or forgot, if that is
    to come and was written by a clock that was wrong, or if nobody here wrote it.
    """
    now_ms = store.now_ms()
    now = str(now_ms).encode()
    await store.put_if_absent(SINCE, now, SINCE_KEPT_MS)
    found = await store.get(SINCE) or b""
    since_ms = int(found) if found.isdigit() and len(found) < SINCE_DIGITS else None
    if since_ms is None or since_ms > now_ms:
        await store.put(SINCE, now, SINCE_KEPT_MS)
        return now_ms
    return since_ms


def _without(engine: str, operation: str, error: Exception) -> None:
    DEGRADED.labels(engine, operation).inc()
    log.warning("without", engine=engine, operation=operation, error=str(error) or "late")
