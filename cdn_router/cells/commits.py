"""How full each CDN's commit is: the 95th percentile of a month's five-minute means (RT-5).

Months are calendar months in UTC. A node counts for itself from what all nodes carry; after a
restart it begins anew, which makes a commit look emptier and its CDN cheaper until it has filled.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from ..policies.face import Cdn

BILLED_S = 300.0
FREE = 20  # of so many samples the greatest is not billed
MAX_STEP_S = 60.0  # of which one reading speaks


def percentile95(samples: Sequence[float]) -> float:
    """The greatest sample once the top twentieth is left out; 0 of none."""
    if not samples:
        return 0.0
    return sorted(samples)[max(0, len(samples) - 1 - len(samples) // FREE)]


class Commits:
    """Readings in Mbit/s by CDN, in the order of `cdns`; at most 8,928 samples of each."""

    def __init__(self, cdns: Sequence[Cdn], now_s: float) -> None:
        self.fills = (0.0,) * len(cdns)
        self._commits = [cdn.commit_mbps for cdn in cdns]
        self._samples: list[list[float]] = [[] for _ in cdns]
        self._megabits = [0.0] * len(cdns)
        self._spent_s = 0.0
        self._at_s = now_s

    def note(self, mbps: Sequence[float], now_s: float) -> None:
        """What each carries from the last reading until now; clocks that go back say nothing."""
        step_s = min(MAX_STEP_S, max(0.0, now_s - self._at_s))
        if now_s // BILLED_S != self._at_s // BILLED_S:
            self._close()
        if _month(now_s) != _month(self._at_s):
            self._samples = [[] for _ in self._samples]
            self.fills = (0.0,) * len(self._samples)
        self._at_s = now_s
        self._spent_s += step_s
        for index, rate in enumerate(mbps):
            self._megabits[index] += rate * step_s

    def _close(self) -> None:
        """End a sample; what was heard of for none of it is no sample."""
        if self._spent_s > 0.0:
            for samples, megabits in zip(self._samples, self._megabits, strict=True):
                samples.append(megabits / self._spent_s)
        self._megabits, self._spent_s = [0.0] * len(self._megabits), 0.0
        self.fills = tuple(
            percentile95(samples) / commit if commit else 0.0
            for samples, commit in zip(self._samples, self._commits, strict=True)
        )


def _month(at_s: float) -> tuple[int, int]:
    at = datetime.fromtimestamp(at_s, UTC)
    return at.year, at.month
