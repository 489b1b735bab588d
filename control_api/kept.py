"""Answers that many ask for: fresh for half a minute unless what they tell of changed, and for a
day if nothing better can be had.

The clock comes in as an argument. What is kept is bounded by `MOST`; the longest unused goes first.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from runtime.flight import SingleFlight
from runtime.sql import Database, SqlError

FRESH_MS = 30_000
STALE_MS = 24 * 3_600_000  # control-api section 4
SETTLE_MS = 250  # between two looks behind changes that follow one another
FILL_MS = 3_500  # of a request's 5 s; the rest is for the rest of its answer
LATE_MS = 1_000  # then a copy serves, if there is one, and the filling goes on (CTL-188)
SHARES = 3  # of the caller's budget: two waits, and the rest of its answer
MOST = 512

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T")


@dataclass(slots=True)
class _Copy(Generic[V]):
    """`behind` says that it was made because of a change; it is fresh in its `slot` only."""

    value: V
    made_ms: int
    behind: bool
    slot: Hashable


class Kept(Generic[K, V]):
    """One process's answers."""

    def __init__(self, fresh_ms: int = FRESH_MS) -> None:
        self._fresh_ms = fresh_ms
        self._copies: OrderedDict[K, _Copy[V]] = OrderedDict()
        self._flight: SingleFlight[tuple[K, Hashable], _Copy[V]] = SingleFlight()
        self._changed_ms = -1

    def changed(self, now_ms: int) -> None:
        """What was made until now is not fresh any more."""
        self._changed_ms = now_ms

    async def get(
        self,
        key: K,
        now_ms: int,
        make: Callable[[], Awaitable[V]],
        worth: Callable[[V], bool] = lambda _: True,
        *,
        slot: Hashable = None,
        budget_ms: float = inf,
    ) -> tuple[V, bool]:
        """The answer, and whether it is stale because the database does not answer, or not soon
        enough for a caller with this budget. One that is not `worth` it is not kept; that of
        another slot, of time for one, only stands in.

        Raises SqlError when there is none, or only one older than a day.
        """
        copy = self._copies.get(key)
        if copy is not None and self._fresh(copy, slot, now_ms):
            self._copies.move_to_end(key)
            return copy.value, False

        behind = copy is not None and copy.made_ms <= self._changed_ms

        async def made() -> _Copy[V]:
            fresh = _Copy(await make(), now_ms, behind, slot)
            self._copies.pop(key, None)
            if worth(fresh.value):
                self._copies[key] = fresh
            while len(self._copies) > MOST:
                self._copies.popitem(last=False)
            return fresh

        if copy is None or now_ms - copy.made_ms >= STALE_MS:
            return (await self._flight.do((key, slot), made)).value, False
        try:
            patience = patience_s(budget_ms)
            return (await self._flight.soon((key, slot), made, patience)).value, False
        except (SqlError, TimeoutError):
            return copy.value, True

    def _fresh(self, copy: _Copy[V], slot: Hashable, now_ms: int) -> bool:
        return copy.slot == slot and 0 <= now_ms - copy.made_ms < self._life_ms(copy)

    def _life_ms(self, copy: _Copy[V]) -> int:
        if copy.made_ms > self._changed_ms:
            return self._fresh_ms
        return SETTLE_MS if copy.behind else 0


def patience_s(budget_ms: float) -> float:
    """How long a caller with this budget waits for what is fresh while a copy would do."""
    return min(LATE_MS, budget_ms / SHARES) / 1_000


_ALL: WeakKeyDictionary[Database, dict[str, Any]] = WeakKeyDictionary()


def of(database: Database, name: str, make: Callable[[], T]) -> T:
    """What this process keeps of a database under a name; made when it is asked for first."""
    named = _ALL.setdefault(database, {})
    if name not in named:
        named[name] = make()
    found: T = named[name]
    return found
