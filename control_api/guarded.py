"""The engines behind their breakers: one that keeps failing is left alone for a while (CTL-187).

SQLite is a file of ours and has none.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from runtime.asking import Ask, Statement
from runtime.breaker import Breaker, BreakerOpen
from runtime.sql import Database, Dialect, SqlError
from runtime.store import Store, StoreError

T = TypeVar("T")
PROBE_S = 0.5  # then who asked is refused, and the probe goes on


class GuardedDatabase(Database):
    """The same database; refuses at once while its breaker is open.

    The probe fills the pools, whatever becomes of the request that it was made for: many come when
    the breaker closes, and each would have to make a connection within its own time.
    """

    def __init__(self, inner: Database, open_s: float) -> None:
        self.name = inner.name
        self._inner = inner
        self._breaker = Breaker("sql", counts=(SqlError,), open_s=open_s)
        self._probe: asyncio.Task[None] | None = None

    @property
    def dialect(self) -> Dialect:
        return self._inner.dialect

    async def _revived(self) -> None:
        """Make the probe, and wait for it as long as a request may."""
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._breaker.call(self._inner.warm))
            self._probe.add_done_callback(_seen)
        await asyncio.wait([self._probe], timeout=PROBE_S)

    @asynccontextmanager
    async def read(self, *, timeout_ms: int | None = None) -> AsyncIterator[AsyncConnection]:
        try:
            if self._breaker.due:
                await self._revived()
            with self._breaker.guard():
                async with self._inner.read(timeout_ms=timeout_ms) as connection:
                    yield connection
        except BreakerOpen as error:
            raise SqlError("unavailable", str(error)) from None

    async def ask(
        self, statement: Statement, values: Mapping[str, Any], *, timeout_ms: int | None = None
    ) -> Sequence[Any]:
        try:
            if self._breaker.due:
                await self._revived()
            with self._breaker.guard():
                return await self._inner.ask(statement, values, timeout_ms=timeout_ms)
        except BreakerOpen as error:
            raise SqlError("unavailable", str(error)) from None

    @asynccontextmanager
    async def write(self, *, timeout_ms: int | None = None) -> AsyncIterator[AsyncConnection]:
        try:
            if self._breaker.due:
                await self._revived()
            with self._breaker.guard():
                async with self._inner.write(timeout_ms=timeout_ms) as connection:
                    yield connection
        except BreakerOpen as error:
            raise SqlError("unavailable", str(error)) from None

    @asynccontextmanager
    async def change(self, *, timeout_ms: int | None = None) -> AsyncIterator[Ask]:
        try:
            if self._breaker.due:
                await self._revived()
            with self._breaker.guard():
                async with self._inner.change(timeout_ms=timeout_ms) as ask:
                    yield ask
        except BreakerOpen as error:
            raise SqlError("unavailable", str(error)) from None


def _seen(probe: asyncio.Task[None]) -> None:
    """Its error is the breaker's alone."""
    if not probe.cancelled():
        probe.exception()


def guarded(database: Database, open_s: float) -> Database:
    """The database behind a breaker, where one is of use."""
    return database if database.dialect == "sqlite" else GuardedDatabase(database, open_s)


class Shelf:
    """Calls to the store through one breaker; `StoreError` is all that a caller sees."""

    def __init__(self, store: Store, open_s: float) -> None:
        self.store = store
        self._breaker = Breaker("store", counts=(StoreError,), open_s=open_s)

    def latest_ms(self, own_ms: int) -> int:
        """Now: the later of this machine's clock and the store's, which all nodes share. To a clock
        here that is slow, what another node wrote would else be of a time to come (CTL-140).
        """
        return max(own_ms, self.store.now_ms())

    async def ask(self, work: Callable[[Store], Awaitable[T]]) -> T:
        """What the store answers."""
        try:
            return await self._breaker.call(lambda: work(self.store))
        except BreakerOpen as error:
            raise StoreError("unavailable", str(error)) from None
