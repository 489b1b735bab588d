"""Parental limits: up to which age a profile watches, and the PIN that opens the rest (CTL-77).

Rules of the file
1. A question that names no profile is the account's first one's, as everywhere (viewers); an
   account without profiles has no limits.
2. The PIN is the profile's own; where it has none, that of the household's grown-up profile with
   one, the least limited. Without any the limit cannot be passed.
3. A try is counted, in the database, before the PIN is looked at: whoever asks at once, of whatever
   process, has `pin_tries` in `pin_locked_s` together. The right PIN begins the count anew.
4. A PIN opens the question that brings it and the session that begins with it, nothing else: what
   is kept are limits, never that they were passed.
5. Where some profile has a PIN, whoever changes limits or PINs, adds or removes a profile brings
   the household's: an unlimited profile's own for itself, else that of the least limited profile
   with one, the oldest of equals. A limited profile's PIN passes its limit, it does not lift it.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_api.facts import Limit
from control_api.issuer import Passwords
from control_api.problems import Problem
from control_api.ratings import STRICTEST, age_of
from control_api.settings import Parental
from control_api.times import utc
from control_api.viewers.schema import profile
from runtime import logs, metrics
from runtime.sql import Database

log = logs.get("control")
TRIED = metrics.counter("control_pins", "PINs that were tried, by outcome", ("outcome",))
KEPT_MS = 2_000
MAX_KEPT = 20_000
row = profile.c


class _Profile(NamedTuple):
    """`age` is its limit, `STRICTEST` for none."""

    id: str
    kind: str
    age: int
    has_pin: bool


@dataclass(frozen=True, slots=True)
class _Household:
    """The profiles of an account, the oldest first, as of a moment and an epoch."""

    profiles: Sequence[_Profile]
    read_ms: int
    epoch: int

    def find(self, profile_id: str | None) -> _Profile | None:
        if profile_id is None:
            return self.profiles[0] if self.profiles else None
        return next((each for each in self.profiles if each.id == profile_id), None)

    def guard(self, profile_id: str | None) -> str | None:
        """Whose PIN opens what is beyond this profile's limit."""
        mine = self.find(profile_id)
        if mine is not None and mine.has_pin:
            return mine.id
        return _freest([each for each in self.profiles if each.kind == "adult"])

    def keeper(self, profile_id: str | None) -> str | None:
        """Whose PIN changes this profile's limits and PIN, adds (None) or removes a profile."""
        mine = self.find(profile_id) if profile_id is not None else None
        if mine is not None and mine.has_pin and mine.age >= STRICTEST:
            return mine.id
        return _freest(self.profiles)


def _freest(profiles: Sequence[_Profile]) -> str | None:
    """The least limited one with a PIN, a grown-up's rather than a child's."""
    guarded = [each for each in profiles if each.has_pin]
    best = max(guarded, key=lambda each: (each.age, each.kind == "adult"), default=None)
    return best.id if best is not None else None


class Parents:
    """The limits and PINs of all accounts; `epoch` grows when an account was told to change."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        settings: Parental,
        epoch: Callable[[str], int],
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._settings = settings
        self._epoch = epoch
        self._kept: OrderedDict[str, _Household] = OrderedDict()

    async def limit(
        self, account_id: str, profile_id: str | None, now_ms: int, *, passed: bool = False
    ) -> Limit | None:
        """What a profile may watch; None for one without a limit."""
        found = await self._household(account_id, now_ms)
        mine = found.find(profile_id)
        if mine is None:
            return None if profile_id is None else Limit(0, known=False)
        return None if mine.age >= STRICTEST else Limit(mine.age, passed)

    async def guard(self, account_id: str, profile_id: str | None, now_ms: int) -> str | None:
        """The profile whose PIN counts; None: no PIN opens it."""
        return (await self._household(account_id, now_ms)).guard(profile_id)

    async def keeper(
        self, connection: AsyncConnection, account_id: str, profile_id: str | None
    ) -> str | None:
        """The profile whose PIN a change of the household takes, as the database has it now; None:
        there is no PIN in the household.
        """
        profiles = await self._profiles(connection, account_id)
        return _Household(profiles, 0, 0).keeper(profile_id)

    async def open(self, profile_id: str, pin: str, now_ms: int) -> None:
        """Nothing, if the PIN is the profile's; raises `pin_wrong`, and `pin_locked` after too many
        tries.
        """
        stored = await self._counted(profile_id, now_ms)
        if not await self._passwords.matches(pin, stored):
            TRIED.labels("wrong").inc()
            raise Problem("pin_wrong", rule="CTL-77")
        TRIED.labels("right").inc()
        async with self._database.write() as connection:
            await connection.execute(
                update(profile).where(row.id == profile_id).values(pin_tries=0)
            )

    async def _counted(self, profile_id: str, now_ms: int) -> str | None:
        """The PIN's hash, after one more try was written down."""
        query = select(profile).where(row.id == profile_id).with_for_update()
        async with self._database.write() as connection:
            found = (await connection.execute(query)).first()
            if found is None:  # deleted a moment ago
                raise Problem("profile_not_found", rule="CTL-77")
            again_ms = found.pin_since_ms + 1_000 * self._settings.pin_locked_s
            fresh = now_ms >= again_ms
            if not fresh and found.pin_tries >= self._settings.pin_tries:
                TRIED.labels("locked").inc()
                log.info("pin_locked", profile=profile_id)
                after_s = str(-(-(again_ms - now_ms) // 1_000))
                raise Problem(
                    "pin_locked",
                    rule="CTL-77",
                    until=utc(again_ms),
                    headers={"Retry-After": after_s},
                )
            since_ms, tries = (now_ms, 0) if fresh else (found.pin_since_ms, found.pin_tries)
            await connection.execute(
                update(profile)
                .where(row.id == profile_id)
                .values(pin_tries=tries + 1, pin_since_ms=since_ms)
            )
        return str(found.pin_hash) if found.pin_hash is not None else None

    async def _household(self, account_id: str, now_ms: int) -> _Household:
        epoch = self._epoch(account_id)
        known = self._kept.get(account_id)
        if known is not None and known.epoch == epoch and now_ms - known.read_ms < KEPT_MS:
            return known
        async with self._database.read() as connection:
            profiles = await self._profiles(connection, account_id)
        self._kept[account_id] = known = _Household(profiles, now_ms, epoch)
        self._kept.move_to_end(account_id)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return known

    async def _profiles(self, connection: AsyncConnection, account_id: str) -> Sequence[_Profile]:
        columns = (row.id, row.kind, row.max_rating, row.pin_hash.is_not(None))
        query = select(*columns).where(row.account_id == account_id)
        rows = await connection.execute(query.order_by(row.created_ms, row.id))
        return [
            _Profile(key, kind, self.age(kind, max_rating), has_pin)
            for key, kind, max_rating, has_pin in rows
        ]

    def age(self, kind: str, max_rating: str | None) -> int:
        """Up to which age such a profile watches, `STRICTEST` for no limit."""
        if max_rating is not None:
            return age_of(max_rating) or 0
        return self._settings.kids_age if kind == "kids" else STRICTEST
