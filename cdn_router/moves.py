"""The last moves of the default order, each in one sentence: what the console shows."""

from collections import deque
from dataclasses import asdict, dataclass

KEPT_MOVES = 100


@dataclass(frozen=True, slots=True)
class Move:
    """From one snapshot to the next: which pathway leads now, and what happened to which."""

    at_ms: int
    pathway: str
    reason: str
    sentence: str
    from_pathway: str
    to_pathway: str
    snapshot_version: int

    def to_json(self) -> dict[str, object]:
        return asdict(self)


class Moves:
    def __init__(self) -> None:
        self._kept: deque[Move] = deque(maxlen=KEPT_MOVES)

    def add(self, move: Move) -> None:
        self._kept.appendleft(move)

    def to_json(self) -> list[dict[str, object]]:
        """Newest first."""
        return [move.to_json() for move in self._kept]
