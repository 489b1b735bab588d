"""Circuit breaker (CTL-187): a dependency that keeps failing is left alone for a while.

    closed --5 consecutive failures--> open --30 s--> half-open, exactly one probe
      ^                                 ^                |
      |                                 +----failure-----+
      +---------------------success----------------------+

While open, and while the one probe is out, every other call is refused at once. (purgatory 3.0.1
lets all waiting calls through in half-open, CMP-30.) A call that is cancelled says nothing about
the dependency; a cancelled probe leaves the next call to probe. Nor does one that fails although
another was answered while it went on: a process that is short of time ends many at once, too late.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

from runtime import clock, logs, metrics

State = Literal["closed", "open", "half_open"]
T = TypeVar("T")

STATES: dict[State, int] = {"closed": 0, "half_open": 1, "open": 2}
STATE = metrics.gauge("breaker_state", "0 closed, 1 half-open, 2 open", ("name",))
CHANGES = metrics.counter("breaker_changes", "state changes", ("name", "state"))
log = logs.get("breaker")


class BreakerOpen(Exception):
    """The call was not made. `retry_after_s` is when the next probe may go."""

    code = "breaker_open"

    def __init__(self, name: str, retry_after_s: float) -> None:
        super().__init__(f"{name} is switched off for {retry_after_s:.1f} s more")
        self.name = name
        self.retry_after_s = retry_after_s


class Breaker:
    """Guards one dependency. `counts` are the errors that speak against it; others pass through."""

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        open_s: float = 30.0,
        counts: tuple[type[Exception], ...] = (Exception,),
        clock: clock.Clock = clock.SYSTEM,
    ) -> None:
        self.name = name
        self._limit = failures
        self._open_s = open_s
        self._counts = counts
        self._clock = clock
        self._failed = 0
        self._answered = 0
        self._opened_s = 0.0
        self._state: State = "closed"
        STATE.labels(name).set(STATES["closed"])

    @property
    def state(self) -> State:
        """Open lasts until a probe is out, however long ago the wait ended."""
        return self._state

    @property
    def due(self) -> bool:
        """Whether the next call is the probe."""
        return self._state == "open" and self._left_s() <= 0

    def _left_s(self) -> float:
        return self._opened_s + self._open_s - self._clock.monotonic_s()

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work, or raise `BreakerOpen` without doing it."""
        with self.guard():
            return await work()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """The same around a block."""
        probe = self._enter()
        answered = self._answered
        try:
            yield
        except self._counts:
            if probe or answered == self._answered:
                self._failure(probe)
            raise
        except BaseException:
            if probe:
                self._change("open")
            raise
        self._answered += 1
        if probe or self._state == "closed":
            self._failed = 0
        if probe:
            self._change("closed")

    def _enter(self) -> bool:
        """Is this call the probe? An answer to a call from before the break changes nothing."""
        if self._state == "closed":
            return False
        left_s = self._left_s()
        if self._state == "half_open" or left_s > 0:
            raise BreakerOpen(self.name, max(left_s, 0.0))
        self._change("half_open")
        return True

    def _failure(self, probe: bool) -> None:
        self._failed += 1
        if probe or (self._state == "closed" and self._failed >= self._limit):
            self._opened_s = self._clock.monotonic_s()
            self._change("open")

    def _change(self, state: State) -> None:
        self._state = state
        STATE.labels(self.name).set(STATES[state])
        CHANGES.labels(self.name, state).inc()
        log.warning("breaker", name=self.name, state=state)
