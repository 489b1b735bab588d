from collections.abc import Sequence
from typing import Final, final

STARTED: Final[int]
STAYED: Final[int]
DRAWN: Final[int]
URGENT: Final[int]
REFUSED: Final[int]

def noise(origin: int, step: int) -> int:
    """64 bits of SplitMix64, so many steps from an origin of 64 bits."""

@final
class Shares:
    """Shares by CDN, the chance to leave each, which must be left, and their rank."""

    count: int
    def __init__(
        self,
        share: Sequence[float],
        leave: Sequence[float],
        urgent: Sequence[object],
        ranked: Sequence[int],
    ) -> None:
        """1..64 CDNs; `ranked` is a permutation of their indices. ValueError otherwise."""

    def lead(self, current: int, settled: bool, allowed: int, seed: int) -> tuple[int, int]:
        """The CDN for a session on `current` (-1: none yet), and how it came to be.

        `allowed` is a bit mask, 0 for all; `seed` has 64 bits. ValueError: no such CDN.
        """
