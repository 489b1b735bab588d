"""All evidence of this node and its peers, and the snapshot that policies see (RT-15).

A peer's part counts for as long as it is heard of; what this node knows by itself always counts.
The snapshot's time is that of its making; `peers_age_ms` tells how old the oldest part in it is.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol

from ..policies.face import Cdn, Cell, Circuit, Site, Snapshot, Stand
from .circuits import Circuits, Second, Seconds, Where
from .lead import Lead
from .sums import HALF_LIFE_S, SKEW_S, Sample, Sums
from .totals import Layout, Totals

SILENT_S = 10.0  # a peer not heard of for so long is gone
KEPT_S = 45  # seconds of outcomes: the open time and a window


def bit(name: str) -> int:
    """One bit of 64 for a name."""
    return 1 << (blake2b(name.encode(), digest_size=1).digest()[0] & 63)


def counts(at_s: float, now_s: float) -> bool:
    """Whether outcomes of a second are of now."""
    return -KEPT_S <= at_s - now_s <= SKEW_S


@dataclass(slots=True)
class Part:
    """What one node knows; of a peer also the whole that it is telling, the round and number of
    the message that is to come, and what it told of its clock.
    """

    sums: Sums
    seconds: Seconds = field(default_factory=dict)
    heard_s: float = 0.0
    coming: Sums | None = None
    due: tuple[int, int] = (0, 0)
    lead: Lead | None = None

    def follows(self, whole: bool, round_: int, at: int, last: bool) -> bool:
        """Expect what a message brings; whether none before it is missed."""
        begins = whole and at == 0
        follows = begins or (round_, at) == self.due
        if begins:
            self.coming = Sums(self.sums.landmark_s)
            self.coming.ahead_s = self.sums.ahead_s
        elif not follows:
            self.coming = None
        self.due = (round_ + 1, 0) if last else (round_, at + 1)
        return follows

    def came(self) -> None:
        """The whole is told: it takes the place of what was."""
        assert self.coming is not None
        self.coming.losses = self.sums.losses + 1
        self.sums, self.coming = self.coming, None

    def forget(self, now_s: float) -> None:
        """Let outcomes go that are old, or of a time to come: the clock was put back since."""
        for at_s in [at_s for at_s in self.seconds if not counts(at_s, now_s)]:
            del self.seconds[at_s]


class Tape(Protocol):
    """Who is told everything that a state is told, in order, and the snapshots made of it."""

    def sample(self, cell: Cell, cdn: int, sample: Sample, now_s: float) -> None: ...
    def outcome(self, region: str, cdn: int, outcome: Second, now_s: float) -> None: ...
    def heard(self, body: bytes, now_s: float) -> None: ...
    def look(self, now_s: float) -> None: ...
    def before_snapshot(self, now_s: float) -> None: ...
    def snapshot(self, picture: Snapshot, fill: tuple[float, ...]) -> None: ...


class State:
    """`version` is that of the last snapshot. The same told in the same order makes the same
    snapshots, byte for byte: nothing here depends on a clock or on the order of a set.
    """

    def __init__(self, cdns: Sequence[Cdn], now_s: float) -> None:
        self.cdns = tuple(cdns)
        self.circuits = Circuits()
        self.own = Part(Sums(now_s))
        self.peers: dict[str, Part] = {}
        self.tape: Tape | None = None
        self.version = 0
        self._layout = Layout(len(self.cdns), ())
        self._laid: list[tuple[str, int]] = []

    # -- evidence ----------------------------------------------------------------------------------

    def sample(self, cell: Cell, cdn: int, sample: Sample, now_s: float) -> None:
        """A stretch of playback of one session."""
        if self.tape is not None:
            self.tape.sample(cell, cdn, sample, now_s)
        self.own.sums.add(cell, cdn, sample, now_s)

    def outcome(self, region: str, cdn: int, outcome: Second, now_s: float) -> None:
        """What one session saw of a CDN."""
        if self.tape is not None:
            self.tape.outcome(region, cdn, outcome, now_s)
        wheres = self.own.seconds.setdefault(int(now_s), {})
        wheres.setdefault((region, cdn), Second()).join(outcome)

    # -- the snapshot ------------------------------------------------------------------------------

    def look(self, now_s: float) -> list[tuple[Where, Circuit]]:
        """Forget the silent and the old, and judge all circuits."""
        if self.tape is not None:
            self.tape.look(now_s)
        self._part(now_s, SILENT_S)
        parts = [self.own, *self.peers.values()]
        for part in parts:
            part.forget(now_s)
        there = self._totals(now_s).sessions()
        return self.circuits.look([part.seconds for part in parts], there, now_s)

    def snapshot(
        self,
        now_ms: int,
        *,
        stands: Sequence[Stand] = (),
        probed_down: Callable[[str, int], bool] = lambda _region, _cdn: False,
        fill: Sequence[float] = (),
    ) -> Snapshot:
        """Everything as of now. `stands` and `fill` are by CDN, in the order of `cdns`."""
        if self.tape is not None:
            self.tape.before_snapshot(now_ms / 1000)
        self.version += 1
        self._part(now_ms / 1000)
        self.own.sums.turn(now_ms / 1000)
        totals = self._totals(now_ms / 1000)
        sites = {
            region: tuple(
                Site(
                    self.circuits.circuit(region, at),
                    totals.load_mbps(place, at),
                    cdn.capacity_mbps.get(region, 0.0),
                    probed_down(region, at),
                    fill[at] if fill else 0.0,
                )
                for at, cdn in enumerate(self.cdns)
            )
            for region, place in totals.regions.items()
        }
        picture = Snapshot(
            self.version,
            now_ms,
            self.cdns,
            tuple(stands) or (Stand.ENABLED,) * len(self.cdns),
            totals.cells,
            sites,
            HALF_LIFE_S,
            totals.lines,
        )
        if self.tape is not None:
            self.tape.snapshot(picture, tuple(fill))
        return picture

    def peers_age_ms(self, now_ms: int) -> int:
        """Age of the peer that was not heard of for longest; 0 alone."""
        return max((now_ms - int(p.heard_s * 1000) for p in self.peers.values()), default=0)

    def settle(self) -> None:
        """Lay the cells out anew, in the order in which rows stand now."""
        self._laid = []

    def _part(self, now_s: float, silent_s: float = math.inf) -> None:
        """Forget peers that are silent, or were heard in a time to come and not since."""
        ages_s = {name: now_s - part.heard_s for name, part in self.peers.items()}
        for name in [name for name, age_s in ages_s.items() if not -SKEW_S <= age_s <= silent_s]:
            del self.peers[name]

    def _totals(self, now_s: float) -> Totals:
        """Sums over all nodes. Where rows went, cells may have gone with them."""
        nodes = {"": self.own.sums, **{name: part.sums for name, part in self.peers.items()}}
        laid = [(name, sums.losses) for name, sums in nodes.items()]
        if laid != self._laid:
            capped = (region for cdn in self.cdns for region in cdn.capacity_mbps)
            self._layout, self._laid = Layout(len(self.cdns), capped), laid
        return Totals(self._layout, nodes, now_s)
