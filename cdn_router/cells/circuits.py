"""Circuits by region and CDN: what errors and stalls of many viewers say of it.

    closed --5 failures, >= 3 sessions and networks, >= half of what was asked--> open
    open --30 s--> half-open: one probe --good--> closed, --failed--> open
    closed --as many stalls, >= a quarter of those there, not so elsewhere--> brown --calm--> closed

Rules
1. Outcomes are counted by second and node; who they come from is kept as two bitmaps of 64, so
   that counts of distinct sessions and networks join across nodes. They can only tell too few
   (RT-22).
2. A circuit is a function of the joined seconds of the last `WINDOW_S`, so nodes that know the same
   seconds come to the same end without a word more.
3. A CDN is dead as a whole once it is open in most of the regions where it is heard of, and in at
   least two of them: then it is open everywhere (quorum).
4. Stalls of a region that come from its access are no CDN's: a brown-out needs a better CDN there.

Times are epoch seconds. Source: specs routing.md RT-8, RT-20, RT-22.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..policies.face import Circuit

WINDOW_S = 10
FAILURES = 5
VOICES = 3  # distinct sessions, and distinct networks
FAILED_SHARE = 0.5
STALLED_SHARE = 0.25
BETTER = 0.5  # another CDN stalls at most half as much
OPEN_S = 30
CALM_S = 30
QUORUM = 2  # regions

Where = tuple[str, int]  # region, index of the CDN


@dataclass(slots=True)
class Second:
    """Outcomes of one second; bitmaps of those who spoke of bad ones."""

    good: int = 0
    failed: int = 0
    stalled: int = 0
    sessions: int = 0
    networks: int = 0

    def join(self, other: "Second") -> None:
        self.good += other.good
        self.failed += other.failed
        self.stalled += other.stalled
        self.sessions |= other.sessions
        self.networks |= other.networks


Seconds = dict[int, dict[Where, Second]]  # by epoch second


def joined(nodes: Iterable[Seconds], since_s: float, until_s: float) -> dict[Where, Second]:
    """All outcomes of the seconds in (since, until]."""
    found: dict[Where, Second] = {}
    for seconds in nodes:
        for at_s, wheres in seconds.items():
            if since_s < at_s <= until_s:
                for where, second in wheres.items():
                    found.setdefault(where, Second()).join(second)
    return found


@dataclass(slots=True)
class State:
    """A circuit and since when it is so; `probing` is whether its one probe is out."""

    circuit: Circuit = Circuit.CLOSED
    since_s: float = 0.0
    probing: bool = False


@dataclass(slots=True)
class Circuits:
    states: dict[Where, State] = field(default_factory=dict)

    def look(
        self, nodes: list[Seconds], there: Mapping[Where, float], now_s: float
    ) -> list[tuple[Where, Circuit]]:
        """Judge all circuits; `there` is how many sessions use them. What changed comes back."""
        recent = joined(nodes, now_s - WINDOW_S, now_s)
        for where in recent:
            self.states.setdefault(where, State())
        changes: list[tuple[Where, Circuit]] = []
        for where, state in self.states.items():
            seen = recent.get(where, Second())
            if state.circuit is Circuit.HALF_OPEN:
                seen = joined(nodes, state.since_s, now_s).get(where, Second())
            rates = _stalled_shares(where[0], recent, there)
            following = _judge(state, seen, where[1], rates, now_s)
            if following is not state.circuit:
                self.states[where] = State(following, now_s)
                changes.append((where, following))
        return changes

    def circuit(self, region: str, cdn: int) -> Circuit:
        """How a CDN is in a region, after the quorum."""
        state = self.states.get((region, cdn))
        own = state.circuit if state else Circuit.CLOSED
        return Circuit.OPEN if own is not Circuit.HALF_OPEN and self.dead(cdn) else own

    def dead(self, cdn: int) -> bool:
        """Whether a CDN is open in most regions that speak of it, and in `QUORUM` of them."""
        heard = [state.circuit for (_, which), state in self.states.items() if which == cdn]
        failed = sum(circuit is Circuit.OPEN for circuit in heard)
        return failed >= QUORUM and 2 * failed > len(heard)

    def probe(self, region: str, cdn: int) -> bool:
        """Whether the caller is the one probe of a half-open circuit."""
        state = self.states.get((region, cdn))
        if state is None or state.circuit is not Circuit.HALF_OPEN or state.probing:
            return False
        state.probing = True
        return True


def _judge(
    state: State, seen: Second, cdn: int, stalled: Mapping[int, float], now_s: float
) -> Circuit:
    circuit = state.circuit
    if circuit is Circuit.OPEN:
        return Circuit.HALF_OPEN if now_s - state.since_s >= OPEN_S else circuit
    if circuit is Circuit.HALF_OPEN:
        if seen.failed:
            return Circuit.OPEN
        return Circuit.CLOSED if seen.good else circuit
    heard = min(seen.sessions.bit_count(), seen.networks.bit_count()) >= VOICES
    asked = seen.good + seen.failed
    if heard and seen.failed >= FAILURES and seen.failed >= FAILED_SHARE * asked:
        return Circuit.OPEN
    share = stalled.get(cdn, 0.0)
    if heard and seen.stalled >= FAILURES and share >= STALLED_SHARE:
        others = [rate for which, rate in stalled.items() if which != cdn]
        return Circuit.BROWN if others and min(others) <= BETTER * share else circuit
    if circuit is Circuit.BROWN and now_s - state.since_s >= CALM_S and not heard:
        return Circuit.CLOSED
    return circuit


def _stalled_shares(
    region: str, recent: Mapping[Where, Second], there: Mapping[Where, float]
) -> dict[int, float]:
    """Stalls by sessions there, for each CDN of a region that has both viewers and a voice."""
    return {
        which: recent[where].stalled / max(1.0, there.get(where, 0.0))
        for where in recent
        if where[0] == region and (which := where[1]) >= 0
    }
