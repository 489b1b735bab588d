"""What CheckAccess judges, kept for a while: asked again it costs no SQL (CTL-83, CTL-84).

Rules of the file
1. Facts are kept, not verdicts: the rules run at every question, so an allow never outlives its
   window, its entitlement or a blackout.
2. A copy serves for `kept_ms`, as long as the account's recent version (`control_api.versions`) is
   the one it was read under; after that only while the database does not answer, or not within
   `late_ms` (CTL-188), for `STALE_MS`.
   Where operators opened what is free, an account without a copy is judged like one that bought
   nothing, if the terms are no older.
3. `changed` moves an account's version and tells every process, which forgets its copies.
4. A miss is one statement about the account. What is so whoever asks, a target's terms, is kept
   apart: another account's question about it reads only what is the account's. A copy is as old as
   the terms that it was made with. A recording's terms are its account's and move with it, so they
   are read each time; what is told of its channel is told of it.
5. Changes are numbered as they are told. What was read under a number holds until one of its
   subjects has a higher one, so a change during the reading counts, also of a channel that the
   reading was to find.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from control_api import events, household, rights
from control_api.guarded import Shelf
from control_api.problems import Problem
from control_api.sessions import Clockwork
from control_api.versions import UNKNOWN, Versions, key
from runtime import logs, metrics
from runtime.flight import SingleFlight
from runtime.sql import Database, SqlError
from runtime.store import StoreError

log = logs.get("control")
ASKED = metrics.counter("control_access", "CheckAccess by where its facts came from", ("source",))
CHANNEL = "access"
EVERYTHING = "*"  # the subject of a change that may concern any title or channel
DOMAINS = ("entitlement", "account", "device", "catalog", "rights", "blackout")
STALE_MS = 900_000
STRANGER = household.Household("active", 1, 1, 0, (), ())
MAX_KEPT = 50_000
MAX_TERMS = 20_000
MAX_EPOCHS = 200_000
PAUSE_S = 1.0

Question = tuple[str, str, rights.Kind, str]  # account, device, kind and id of the target


class Found(NamedTuple):
    """`in_use` counts the account's streams as of the facts; `source`: cache, sql, stale, open."""

    case: rights.Case
    in_use: int
    source: str


@dataclass(slots=True)
class _Copy:
    case: rights.Case | None
    read_ms: int
    version: bytes
    epoch: int
    in_use: int


@dataclass(frozen=True, slots=True)
class _Terms:
    terms: rights.Terms
    read_ms: int
    epoch: int


class Cases:
    """One process's copies."""

    def __init__(
        self,
        database: Database,
        shelf: Shelf,
        times: Clockwork,
        *,
        kept_ms: int,
        late_ms: int,
    ) -> None:
        self._database = database
        self._shelf = shelf
        self._versions = Versions(shelf)
        self._times = times
        self._kept_ms = kept_ms
        self._late_s = late_ms / 1_000
        self._copies: OrderedDict[Question, _Copy] = OrderedDict()
        self._terms: OrderedDict[tuple[rights.Kind, str], _Terms] = OrderedDict()
        self._epochs: dict[str, int] = {}
        self._told = 0
        self._swept = 0
        self._forgotten = 0
        self._flight: SingleFlight[Question, _Copy] = SingleFlight()
        self.opens: Callable[[], bool] = lambda: False  # free titles to whom nothing is known of

    def epoch(self, *subjects: str) -> int:
        """Which change was the last to be told of them, accounts or what is played; of none, of
        all. Running sessions do not ask again for `EVERYTHING`.
        """
        if not subjects:
            return self._told
        known, last = self._epochs, self._forgotten
        for subject in subjects:
            last = max(last, known.get(subject, 0))
        return last

    def _holds_since(self, epoch: int, *subjects: str) -> bool:
        """Was nothing told of them, nor of everything, after this change?"""
        return epoch >= max(self._swept, self.epoch(*subjects))

    async def get(self, question: Question, now_ms: int) -> Found:
        """The facts, and where they came from; 401 when the account is gone."""
        copy = self._copies.get(question)
        if copy is not None and await self._holds(copy, question, now_ms):
            source = "cache"
        else:
            copy, source = await self._read(question, copy, now_ms)
        ASKED.labels(source).inc()
        if copy.case is None:
            raise Problem("unauthenticated", headers={"WWW-Authenticate": "Bearer"})
        return Found(copy.case, copy.in_use, source)

    async def _holds(self, copy: _Copy, question: Question, now_ms: int) -> bool:
        if now_ms - copy.read_ms >= self._kept_ms or not self._current(copy, question):
            return False
        return await self._versions.recent(question[0], now_ms) == copy.version

    def _current(self, copy: _Copy, question: Question) -> bool:
        account_id, _, _, target_id = question
        target = copy.case.target if copy.case else None
        return self._holds_since(
            copy.epoch, account_id, target_id, target.channel_id if target else ""
        )

    async def _read(self, question: Question, old: _Copy | None, now_ms: int) -> tuple[_Copy, str]:
        told = self._told
        try:
            copy = await self._soon(question, old, now_ms)
            if copy.epoch < told and not self._current(copy, question):  # begun before the change
                copy = await self._flight.do(question, lambda: self._load(question, now_ms))
            return copy, "sql"
        except (SqlError, TimeoutError) as error:
            if old is not None and self._serves(old, question, now_ms):
                log.warning("stale_rights", error=str(error))
                return old, "stale"
            stranger = self._stranger(question, now_ms) if self.opens() else None
            if stranger is None:
                raise
            log.warning("open_rights", error=str(error))
            return stranger, "open"

    async def _soon(self, question: Question, old: _Copy | None, now_ms: int) -> _Copy:
        """What is so now; TimeoutError if that comes late and the old copy serves."""
        if old is not None and self._serves(old, question, now_ms):
            try:
                work = self._flight.soon(
                    question, lambda: self._load(question, now_ms), self._late_s
                )
                return await work
            except TimeoutError:
                if self._serves(old, question, now_ms):
                    raise
        return await self._flight.do(question, lambda: self._load(question, now_ms))

    def _serves(self, copy: _Copy, question: Question, now_ms: int) -> bool:
        return now_ms - copy.read_ms <= STALE_MS and self._current(copy, question)

    def _stranger(self, question: Question, now_ms: int) -> _Copy | None:
        """The question as an account would ask it that bought nothing, if the terms are known."""
        account_id, device_id, kind, target_id = question
        known = self._terms.get((kind, target_id))
        if known is None:
            return None
        case = rights.case(STRANGER, account_id, device_id, kind, known.terms)
        copy = _Copy(case, known.read_ms, UNKNOWN, known.epoch, 0)
        current = self._holds_since(known.epoch, target_id)  # of the account nothing is asked
        return copy if current and now_ms - known.read_ms <= STALE_MS else None

    async def _load(self, question: Question, now_ms: int) -> _Copy:
        account_id, device_id, kind, target_id = question
        epoch = self._told
        version = await self._versions.recent(account_id, now_ms) if self._kept_ms else UNKNOWN
        known = await self._terms_of(kind, target_id, now_ms)
        bought, unseen_ms = rights.bought(kind, target_id), 1_000 * self._times.ttl_s
        owner = await household.ask(self._database, account_id, bought, now_ms - unseen_ms)
        case, in_use = None, 0
        if owner is not None:
            case = rights.case(owner, account_id, device_id, kind, known.terms)
            in_use = owner.in_use
        copy = _Copy(case, known.read_ms, version, epoch, in_use)
        self._copies[question] = copy
        self._copies.move_to_end(question)
        if len(self._copies) > MAX_KEPT:
            self._copies.popitem(last=False)
        return copy

    async def _terms_of(self, kind: rights.Kind, target_id: str, now_ms: int) -> _Terms:
        known = self._terms.get((kind, target_id))
        if (
            known is not None
            and now_ms - known.read_ms < self._kept_ms
            and self._holds_since(known.epoch, target_id)
        ):
            return known
        epoch = self._told
        terms = await rights.find_terms(self._database.ask, kind, target_id, now_ms)
        known = _Terms(terms, now_ms, epoch)
        if kind != "recording":
            self._terms[kind, target_id] = known
            self._terms.move_to_end((kind, target_id))
            if len(self._terms) > MAX_TERMS:
                self._terms.popitem(last=False)
        return known

    def forget(self, subject: str) -> None:
        """Something of this account, title or channel changed; or `EVERYTHING`."""
        self._told += 1
        if subject == EVERYTHING:
            self._swept = self._told
            return
        self._epochs[subject] = self._told
        self._versions.forget(subject)
        if len(self._epochs) > MAX_EPOCHS:
            self._copies.clear()
            self._terms.clear()
            self._epochs.clear()
            self._forgotten = self._told

    async def heard(self, event: events.Event) -> None:
        """A committed change of one of `DOMAINS`, from the outbox."""
        await self.changed(event.subject)

    async def changed(self, subject: str) -> None:
        """Tell every process; call it when the change is committed (CTL-85)."""
        self.forget(subject)
        try:
            await self._shelf.ask(
                lambda store: store.incr_and_publish(key(subject), CHANNEL, subject.encode())
            )
        except StoreError as error:
            log.warning("change_untold", subject=subject, error=str(error))

    async def listen(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Forget what others tell of, for ever."""
        while True:
            try:
                async with self._shelf.store.subscribe(CHANNEL) as told:
                    async for subject in told:
                        self.forget(subject.decode(errors="replace"))
            except StoreError:
                await sleep(PAUSE_S)
