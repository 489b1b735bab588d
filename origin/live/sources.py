"""The sources of one track: who sends, how far each keeps up with time, and which one may go on.

Theory of operation
1. An Input is one encoder's output for one track, over all its requests. It is told by the name it
   gives (query `source` or header `Headwater-Source`), or else by its connection; an encoder that
   opens a connection for each segment is one input as long as the last connection has closed.
2. A Source is one request body of an input. Segments are owned by bodies (redundancy.py), because
   only the bytes of one body are sure to fit together.
3. Pace is told on the steady clock, so that a step of the wall clock makes nobody stale: lag is how
   much later media comes than the earliest ever came, with SLACK for slow clocks (AB9).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from origin.errors import BadMedia

STALE = 1.5  # segments: one falls behind by silence alone when segments come whole
SLACK = 0.001  # of real time: what an encoder's crystal may lose for ever
BACK_S = 10.0  # media this far back is another timeline, not a repeat
RATE_S = 10.0  # the media rate is measured over at least this long
INPUT_LIMIT = 8


@dataclass(frozen=True, slots=True)
class Peer:
    """Who sends a request; `connected` tells whether its connection still stands."""

    name: str = ""
    host: str = ""
    connection: int = 0
    connected: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class Input:
    """One encoder's output for one track. Times are seconds of the steady clock and of media."""

    name: str
    peer: Peer
    bodies: int = 0
    chunks: int = 0
    end_s: float = 0.0
    rate: float = 0.0
    off_grid_s: float = 0.0  # of the newest segment's start (AB1)
    sparse: bool = False
    _least_s: float = 0.0
    _seen_s: float = 0.0
    _mark: tuple[float, float] = (0.0, 0.0)

    def note(self, end_s: float, now_s: float) -> None:
        """Media up to `end_s` came now."""
        behind_s = now_s - end_s
        if not self.chunks or end_s < self.end_s - BACK_S:
            self._least_s, self._mark = behind_s, (now_s, end_s)
        self._least_s = min(behind_s, self._least_s + SLACK * (now_s - self._seen_s))
        if now_s - self._mark[0] >= RATE_S:
            self.rate = (end_s - self._mark[1]) / (now_s - self._mark[0])
            self._mark = (now_s, end_s)
        self.end_s, self._seen_s = end_s, now_s
        self.chunks += 1

    def lag_s(self, now_s: float) -> float:
        """How far it has fallen behind real time by now."""
        return now_s - self.end_s - self._least_s if self.chunks else 0.0

    def stale(self, now_s: float, segment_s: Fraction | None) -> bool:
        """AB9; never for tracks that may be silent (I15)."""
        if self.sparse or segment_s is None:
            return False
        return self.lag_s(now_s) > STALE * segment_s


@dataclass(slots=True, eq=False)
class Source:
    """One request body: what it has settled, and how it ended."""

    input: Input = field(default_factory=lambda: Input("1", Peer()))
    shift_s: Fraction | None = None  # once its first media told the session
    raw_end: int = -1  # ticks of its own time
    chunks: int = 0
    closed: bool = False
    cut: bool = False


class Inputs:
    """The inputs of one track, few and named: "1", "2".. unless they named themselves."""

    def __init__(self, *, sparse: bool) -> None:
        self.known: list[Input] = []
        self._sparse = sparse

    def open(self, peer: Peer) -> Source:
        """A body begins."""
        found = self._find(peer)
        found.peer = peer
        found.bodies += 1
        return Source(found)

    def named(self, name: str) -> Input | None:
        return next((i for i in self.known if i.peer.name == name), None)

    def others(self, source: Source) -> list[Input]:
        """Inputs with a body open besides this one's."""
        return [i for i in self.known if i is not source.input and i.bodies]

    def _find(self, peer: Peer) -> Input:
        for known in self.known:
            if peer.name or known.peer.name:
                same = known.peer.name == peer.name
            else:
                same = known.peer.connection == peer.connection or (
                    known.peer.host == peer.host and not known.bodies and not known.peer.connected()
                )
            if same:
                return known
        if len(self.known) >= INPUT_LIMIT:
            idle = next((i for i in self.known if not i.bodies), None)
            if idle is None:
                raise BadMedia("this track has too many sources", code="too_many_sources")
            self.known.remove(idle)
        taken = {i.name for i in self.known}
        slot = next(str(n) for n in range(1, INPUT_LIMIT + 1) if str(n) not in taken)
        self.known.append(Input(peer.name or slot, peer, sparse=self._sparse))
        return self.known[-1]
