"""The time of a store's server, which all processes on it share whatever their own clocks say.

A machine's wall clock may be wrong, and jump when it is set right; sessions and rate limits count
in times that several machines write.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from runtime.abreast import ended
from runtime.clock import SteadyClock
from runtime.store.interface import StoreError

AGAIN_S = 30.0


class ServerClock(SteadyClock):
    """Asks now and then, beside the callers. `ask` answers seconds and microseconds, as TIME."""

    def __init__(self, ask: Callable[[], Awaitable[Sequence[bytes]]]) -> None:
        super().__init__()
        self._ask = ask
        self._asking: asyncio.Task[None] | None = None
        self._due_s = float("inf")

    async def learn(self) -> None:
        """Correct what is certainly wrong: it is as late as the answer says, or later by the time
        that the answer took.
        """
        sent_s = self.monotonic_s()
        self._due_s = sent_s + AGAIN_S
        with suppress(StoreError):
            seconds, micros = await self._ask()
            told_ms = 1_000 * int(seconds) + int(micros) / 1_000
            latest_ms = told_ms + 1_000 * (self.monotonic_s() - sent_s)
            self.tell(min(max(super().now_ms(), told_ms), latest_ms))

    def now_ms(self) -> int:
        if self.monotonic_s() >= self._due_s:
            self._due_s = float("inf")
            self._asking = asyncio.create_task(self.learn())
        return super().now_ms()

    async def close(self) -> None:
        """An answer that is out is not waited for."""
        if self._asking is not None:
            await ended(self._asking)
