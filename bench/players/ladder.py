"""Which variant to play: the highest that a cautious estimate of throughput carries.

The estimate is the lower of two exponential averages (half-lives of 3 s and 9 s of download), as in
hls.js and Shaka Player.
"""

from collections.abc import Sequence
from dataclasses import dataclass

HALF_LIVES_S = (3.0, 9.0)
SAFETY = 0.8
SMALLEST_BYTES = 4096  # less says more of the delay than of the rate


@dataclass(frozen=True, slots=True)
class Variant:
    """A playable combination; `audio` is the URL of its audio playlist, if it has one."""

    bandwidth: int
    url: str
    audio: str | None = None


class Throughput:
    """Bits per second, learned from downloads."""

    def __init__(self) -> None:
        self._averages = [0.0] * len(HALF_LIVES_S)
        self._weights = [0.0] * len(HALF_LIVES_S)

    def add(self, size_bytes: int, seconds: float) -> None:
        """One download that took so long."""
        if size_bytes < SMALLEST_BYTES or seconds <= 0:
            return
        rate = 8 * size_bytes / seconds
        for i, half_life_s in enumerate(HALF_LIVES_S):
            kept = 0.5 ** (seconds / half_life_s)
            self._averages[i] = kept * self._averages[i] + (1 - kept) * rate
            self._weights[i] = kept * self._weights[i] + (1 - kept)

    @property
    def bps(self) -> float | None:
        """The estimate; None before the first download."""
        if not self._weights[0]:
            return None
        return min(a / w for a, w in zip(self._averages, self._weights, strict=True))


def choose(ladder: Sequence[Variant], bps: float | None, current: Variant | None) -> Variant:
    """The variant for the next segment; without an estimate the current, else the lowest one."""
    by_rate = sorted(ladder, key=lambda v: v.bandwidth)
    if bps is None:
        return current or by_rate[0]
    return next((v for v in reversed(by_rate) if v.bandwidth <= SAFETY * bps), by_rate[0])
