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
3. A CDN is dead as a whole once it is not closed in most of the regions that can tell, and in at
   least two of them (quorum): then it is open wherever it does not show that it works.
4. Stalls of a region that come from its access are no CDN's: a brown-out needs a better CDN there.
5. Of a half-open circuit one session of a node is the probe; policies send nobody else there. A
   probe that says nothing is followed by another, and what nobody can say a word of is closed.

Times are epoch seconds. Source: specs routing.md RT-8, RT-20, RT-22.
"""

import math
from collections.abc import Collection, Iterable, Mapping
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
TRIAL_S = 30  # until a probe that says nothing is followed by another
PATIENCE_S = 60  # half-open without a word
QUORUM = 2  # regions
OUT = frozenset({Circuit.OPEN, Circuit.HALF_OPEN})

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
    """A circuit and since when it is so, when its last probe went out, and what the last window
    said of it.
    """

    circuit: Circuit = Circuit.CLOSED
    since_s: float = 0.0
    probed_s: float = -math.inf
    good: int = 0
    failed: int = 0

    @property
    def tells(self) -> bool:
        """Whether enough is heard of it to say that it works, or not."""
        return self.circuit in OUT or self.good + self.failed >= FAILURES


@dataclass(slots=True)
class Circuits:
    states: dict[Where, State] = field(default_factory=dict)
    half_open: tuple[Where, ...] = ()
    dead: frozenset[int] = frozenset()  # CDNs that are out as a whole

    def look(
        self, nodes: list[Seconds], there: Mapping[Where, float], now_s: float
    ) -> list[tuple[Where, Circuit]]:
        """Judge all circuits; `there` is how many sessions use them. What changed comes back."""
        recent = joined(nodes, now_s - WINDOW_S, now_s)
        for where in recent:
            self.states.setdefault(where, State())
        stalled = _stalled_shares(recent, there)
        changes: list[tuple[Where, Circuit]] = []
        for where, state in self.states.items():
            seen = recent.get(where, SILENCE)
            state.good, state.failed = seen.good, seen.failed
            state.since_s = min(state.since_s, now_s)  # the clock may have been put back
            if state.circuit is Circuit.HALF_OPEN:
                seen = joined(nodes, state.since_s, now_s).get(where, SILENCE)
            following = _judge(state, seen, where[1], stalled.get(where[0], {}), now_s)
            if following is not state.circuit:
                state.circuit, state.since_s, state.probed_s = following, now_s, -math.inf
                changes.append((where, following))
        self.half_open = tuple(
            where for where, state in self.states.items() if state.circuit is Circuit.HALF_OPEN
        )
        self.dead = frozenset(filter(self._dead, {which for _, which in self.states}))
        return changes

    def circuit(self, region: str, cdn: int) -> Circuit:
        """How a CDN is in a region, after the quorum."""
        state = self.states.get((region, cdn), UNHEARD)
        works = state.tells and not state.failed
        if state.circuit in OUT or works or cdn not in self.dead:
            return state.circuit
        return Circuit.OPEN

    def trial(self, region: str, now_s: float, down: Collection[int] = ()) -> int:
        """The CDN that the caller is to try as the one probe of its half-open circuit, or -1; none
        of those that active probes find down.
        """
        for where in self.half_open:
            state = self.states[where]
            due = now_s - state.probed_s >= TRIAL_S
            if where[0] == region and where[1] not in down and due:
                state.probed_s = now_s
                return where[1]
        return -1

    def _dead(self, cdn: int) -> bool:
        """Whether a CDN is out in most regions that can tell, and in `QUORUM` of them."""
        told = [
            s.circuit in OUT for (_, which), s in self.states.items() if which == cdn and s.tells
        ]
        return sum(told) >= QUORUM and 2 * sum(told) > len(told)


SILENCE, UNHEARD = Second(), State()


def _judge(
    state: State, seen: Second, cdn: int, stalled: Mapping[int, float], now_s: float
) -> Circuit:
    circuit = state.circuit
    if circuit is Circuit.OPEN:
        return Circuit.HALF_OPEN if now_s - state.since_s >= OPEN_S else circuit
    if circuit is Circuit.HALF_OPEN:
        if seen.failed:
            return Circuit.OPEN
        over = seen.good or now_s - state.since_s >= PATIENCE_S
        return Circuit.CLOSED if over else circuit
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
    recent: Mapping[Where, Second], there: Mapping[Where, float]
) -> dict[str, dict[int, float]]:
    """Stalls by sessions there, for each CDN of each region that was heard of."""
    shares: dict[str, dict[int, float]] = {}
    for where, second in recent.items():
        region, cdn = where
        shares.setdefault(region, {})[cdn] = second.stalled / max(1.0, there.get(where, 0.0))
    return shares
