"""Which CDN a session used when, and what stalled on it: the attribution of stalls.

Rules
1. A stall is charged to the CDN in use when it began (CM-41), not to the one that reports it.
2. A CDN is in use from the arrival of its first media (CM-42). A player that only says that it
   turned to another host uses it from the moment it plays again, at the latest `TURN_MS` after.
3. Who reports states is charged by them. Who only reports durations, once and after the fact, is
   charged from the report before: a switch between the two follows the stall that caused it.
4. Charges are made when read, so that evidence of a late batch still counts.

Times are the player's own clock, in ms. Source: CTA-5004-B section 4.3 (bs, bsd, h, rr, sta).
"""

from bisect import bisect_right, insort
from collections import deque
from dataclasses import dataclass, field

TURN_MS = 10_000  # ours: longer than the buffers of low latency, shorter than an interval report
MAX_STALL_MS = 600_000  # longer is a sleeping device or a lie (CM-33)
KEPT_TURNS = 16
KEPT_STALLS = 32
UNKNOWN = ""


@dataclass(slots=True)
class Charge:
    """Stalls on one CDN."""

    count: int = 0
    ms: int = 0


@dataclass(slots=True)
class Ledger:
    _used: list[tuple[int, str]] = field(default_factory=list)  # in use from, CDN; in order
    _turn: tuple[int, str] | None = None  # in use from, when nothing is heard before
    _stalls: deque[tuple[int, int]] = field(default_factory=deque)  # began, lasted
    _settled: dict[str, Charge] = field(default_factory=dict)
    _stalled_at: int | None = None
    _by_state: bool = False
    _reported_ms: int | None = None

    def media(self, cdn: str, at_ms: int) -> None:
        """Media of a CDN arrived."""
        if self._turn and at_ms >= self._turn[0] - TURN_MS:
            self._turn = None
        if self.used_at(at_ms) != cdn:
            insort(self._used, (at_ms, cdn))
            del self._used[:-KEPT_TURNS]

    def turned(self, cdn: str, at_ms: int) -> None:
        """The player says that it asks another CDN from now on."""
        if not self._used:
            self.media(cdn, at_ms)
        if self._turn and self._turn[0] <= at_ms:
            self.media(self._turn[1], self._turn[0])
        if self._turn and self._turn[1] == cdn:
            return
        self._turn = (at_ms + TURN_MS, cdn) if self.used_at(at_ms) != cdn else None

    def state(self, state: str, at_ms: int) -> None:
        """The player's state changed, or is as before."""
        if state == "p" and self._turn:
            self.media(self._turn[1], min(at_ms, self._turn[0]))
        if state == "r" and self._stalled_at is None:
            self._by_state = True
            self._stalled_at = at_ms
        elif state != "r" and self._stalled_at is not None:
            self._stalled(self._stalled_at, at_ms - self._stalled_at)
            self._stalled_at = None

    def starved(self, duration_ms: int, at_ms: int) -> None:
        """The player reports that it stalled so long, some time before the report (`bsd`)."""
        if not self._by_state:
            earliest = at_ms - duration_ms
            before = earliest if self._reported_ms is None else self._reported_ms
            self._stalled(min(earliest, before), duration_ms)

    def reported(self, at_ms: int) -> None:
        """A report was taken in whole."""
        self._reported_ms = max(at_ms, self._reported_ms or 0)

    def used_at(self, at_ms: int) -> str:
        """The CDN in use then, UNKNOWN before the first is known."""
        if self._turn and self._turn[0] <= at_ms:
            return self._turn[1]
        at = bisect_right(self._used, at_ms, key=lambda turn: turn[0])
        return self._used[at - 1][1] if at else UNKNOWN

    def charges(self) -> dict[str, Charge]:
        """Stalls by the CDN that they are charged to."""
        total = {cdn: Charge(charge.count, charge.ms) for cdn, charge in self._settled.items()}
        for began_ms, lasted_ms in self._stalls:
            _add(total, self.used_at(began_ms), lasted_ms)
        return total

    def _stalled(self, began_ms: int, lasted_ms: int) -> None:
        if not 0 < lasted_ms <= MAX_STALL_MS:
            return
        self._stalls.append((began_ms, lasted_ms))
        if len(self._stalls) > KEPT_STALLS:
            began_ms, lasted_ms = self._stalls.popleft()
            _add(self._settled, self.used_at(began_ms), lasted_ms)


def _add(charges: dict[str, Charge], cdn: str, ms: int) -> None:
    charge = charges.setdefault(cdn, Charge())
    charge.count += 1
    charge.ms += ms
