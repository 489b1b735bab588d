"""Time as an argument: the system's clock at the rim, a hand-moved one in tests."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for what leaves the process, monotonic time for what stays in it."""

    def now_ms(self) -> int:
        """Epoch milliseconds, UTC."""

    def monotonic_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""


class SystemClock:
    """The machine's own clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class SteadyClock:
    """Wall time as it was told once, and monotonic time since: whatever becomes of the machine's
    wall clock, it neither jumps nor goes back unless told again."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SYSTEM
        self.tell(self._clock.now_ms())

    def tell(self, now_ms: float) -> None:
        """So late is it now."""
        self._ahead_ms = now_ms - 1_000 * self.monotonic_s()

    def now_ms(self) -> int:
        return round(self._ahead_ms + 1_000 * self.monotonic_s())

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()


class ManualClock:
    """A clock that moves only when told; both times move together."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._start_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_s(self) -> float:
        return (self._now_ms - self._start_ms) / 1000

    def advance(self, seconds: float) -> None:
        """Move forward; a negative step is refused because monotonic time has none."""
        if seconds < 0:
            raise ValueError("a clock goes forward only")
        self._now_ms += round(seconds * 1000)


SYSTEM: Clock = SystemClock()
