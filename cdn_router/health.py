"""Health of one pathway from probes: three bad ones put it back, a streak of good ones returns it.

Rules
1. A probe is good, slow (answered, later than the limit) or failed.
2. `threshold` failures in a row: out. `threshold` bad probes in a row, not all failures: slow.
3. An out pathway stays out for at least `out_s`, and then until `recovery` probes in a row were
   good (then it is up) or slow (then it is slow). A slow pathway needs only the streak.
4. Time is the caller's, in seconds of a clock that never goes back.

Source: routing RT-8, RT-18 (fail-back with hysteresis).
"""

from dataclasses import dataclass, field
from enum import StrEnum

from .reasons import Reason


class State(StrEnum):
    UP = "up"
    SLOW = "slow"
    OUT = "out"


class Outcome(StrEnum):
    GOOD = "good"
    SLOW = "slow"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Limits:
    threshold: int = 3
    recovery: int = 3
    out_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Change:
    """A state left behind, and why in one sentence."""

    state: State
    reason: Reason
    why: str


@dataclass(slots=True)
class Health:
    limits: Limits = field(default_factory=Limits)
    state: State = State.UP
    reason: Reason = Reason.PRIORITY
    since_s: float = 0.0
    _good: int = 0
    _slow: int = 0
    _failed: int = 0
    _bad: int = 0
    _bad_since_s: float = 0.0

    def observe(self, outcome: Outcome, now_s: float) -> Change | None:
        """Take one probe; the change it causes, if any."""
        if outcome is Outcome.GOOD:
            self._good += 1
            self._bad = self._failed = self._slow = 0
            return self._recovered(now_s)
        if not self._bad:
            self._bad_since_s = now_s
        self._good = 0
        self._bad += 1
        self._failed = self._failed + 1 if outcome is Outcome.FAILED else 0
        self._slow = self._slow + 1 if outcome is Outcome.SLOW else 0
        return self._worse(now_s)

    def _recovered(self, now_s: float) -> Change | None:
        if self.state is State.UP or self._good < self.limits.recovery:
            return None
        if self._must_stay_out(now_s):
            return None
        why = f"{self._good} good probes in a row"
        return self._become(State.UP, Reason.RECOVERED, why, now_s)

    def _worse(self, now_s: float) -> Change | None:
        span_s = round(now_s - self._bad_since_s)
        if self._failed >= self.limits.threshold and self.state is not State.OUT:
            why = f"{self._failed} probes failed in {span_s} s"
            return self._become(State.OUT, Reason.PROBE_FAILED, why, now_s)
        if self.state is State.UP and self._bad >= self.limits.threshold:
            why = f"{self._bad} probes were slow or failed in {span_s} s"
            if self._slow >= self.limits.threshold:
                why = f"{self._slow} probes were slow in {span_s} s"
            return self._become(State.SLOW, Reason.PROBE_SLOW, why, now_s)
        back = self.state is State.OUT and self._slow >= self.limits.recovery
        if back and not self._must_stay_out(now_s):
            why = f"it answers again, but {self._slow} probes were slow"
            return self._become(State.SLOW, Reason.PROBE_SLOW, why, now_s)
        return None

    def _must_stay_out(self, now_s: float) -> bool:
        return self.state is State.OUT and now_s - self.since_s < self.limits.out_s

    def _become(self, state: State, reason: Reason, why: str, now_s: float) -> Change:
        self.state, self.reason, self.since_s = state, reason, now_s
        return Change(state, reason, why)
