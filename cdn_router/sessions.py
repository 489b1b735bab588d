"""What the router remembers of a session, for people: its decision, its polls, whether it followed.

Decisions never need it (the state travels in RELOAD-URI), so the oldest records give way.
Source: steering ST-31, ST-33, ST-34, ST-41.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from sys import intern
from typing import NamedTuple

from msgspec import structs

from .decider import Choice
from .quality import Quality
from .report import NO_PATHWAY, Entries, Report
from .rules.rule import MAX_TEXT_CHARS, Who
from .state import State
from .steering import origin
from .verdict import GRACE_MS, Verdict, judge

KEPT_ISSUES = 8
KEPT_MOVES = 16


class Told(NamedTuple):
    """From when on a session was told to use a pathway, and why."""

    at_ms: int
    pathway: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """What a start says of who watches what."""

    content: str = ""
    country: str = ""
    device_class: str = ""
    asn: int | None = None
    tenant: str = ""

    def who(self) -> Who:
        """What rules and cells go by; texts no longer than state may carry, one for all alike."""
        isp = "" if self.asn is None else f"AS{self.asn}"
        texts = (self.content, self.tenant, self.country, self.device_class, isp)
        return Who(*(intern(text[:MAX_TEXT_CHARS]) for text in texts))


NOBODY = Viewer()
NO_WHO = NOBODY.who()


@dataclass(slots=True)
class Session:
    id: str
    created_ms: int
    viewer: Viewer = NOBODY
    who: Who = NO_WHO
    declared: tuple[str, ...] = ()  # what its manifest names
    order: tuple[str, ...] = ()
    choice: Choice | None = None
    moved_ms: int = 0
    told: deque[Told] = field(default_factory=lambda: deque(maxlen=KEPT_MOVES))
    proto: str | None = None
    polls: int = 0
    last_poll_ms: int | None = None
    reported: Entries = ()
    throughput_bps: dict[str, int] = field(default_factory=dict)
    followed: bool | None = None
    moves: int = 0
    issues: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_ISSUES))
    quality: Quality | None = None  # once its player reports
    best_kbps: int = 0  # that its polls ever told
    weighed_ms: int = 0  # when they last counted as evidence
    origin: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.origin = origin(self.id)

    def known(self, viewer: Viewer) -> None:
        """Note who watches."""
        self.viewer, self.who = viewer, viewer.who()

    def recalled(self, state: State) -> None:
        """What the session brought along; it may be news to this node."""
        if state.declared and state.declared != self.declared:
            self.declared = tuple(map(intern, state.declared))
        if not self.order and state.lead:
            self.order, self.moved_ms = (state.lead,), state.moved_s * 1000
        if self.viewer is NOBODY and state.who != NO_WHO:
            who = state.who
            asn = int(who.isp[2:]) if who.isp[2:].isdecimal() else None
            self.known(Viewer(who.content, who.region, who.device, asn, who.tenant))

    def decided(self, choice: Choice, order: tuple[str, ...], now_ms: int) -> None:
        """Note what the session was told."""
        if not self.order or order[0] != self.order[0]:
            self.moves += bool(self.order)
            self.moved_ms = now_ms
            self.told.append(Told(now_ms, order[0], choice.reason, choice.sentence))
        self.order, self.choice = order, choice

    def polled(self, report: Report, issues: Sequence[str], now_ms: int) -> None:
        """Note a poll. Only an HLS report says what is played (ST-34), once what was told could
        have taken effect (ST-40).
        """
        first = self.polls == 0
        self.polls += 1
        self.last_poll_ms = now_ms
        self.proto = report.proto or self.proto
        if issues:
            self.issues.extend(issues)
        if report.entries:
            self.reported = report.entries
        self.measured(report.measured(first_poll=first))
        if report.proto == "hls" and report.entries and self.order:
            played = report.entries[0][0]
            obeyed = played == self.order[0]
            if obeyed or (played != NO_PATHWAY and now_ms - self.moved_ms >= GRACE_MS):
                self.followed = obeyed

    def measured(self, throughput_bps: Mapping[str, int]) -> None:
        """Note throughputs by pathway, the latest of each."""
        self.throughput_bps |= throughput_bps
        while len(self.throughput_bps) > KEPT_ISSUES:
            del self.throughput_bps[next(iter(self.throughput_bps))]

    def verdict(self, now_ms: int) -> Verdict:
        """Whether the client obeyed, by the clock of its own reports."""
        ledger = self.quality.ledger if self.quality is not None else None
        return judge(
            list(self.told), ledger.used_at if ledger is not None else None, self.followed, now_ms
        )

    def to_json(self, now_ms: int) -> dict[str, object]:
        """Everything that is known of it."""
        return {
            "session_id": self.id,
            "created_ms": self.created_ms,
            **asdict(self.viewer),
            "decision": explained(self.choice, self.order),
            "told": [told._asdict() for told in self.told],
            "protocol": self.proto,
            "polls": self.polls,
            "last_poll_ms": self.last_poll_ms,
            "reported": [name for name, _ in self.reported],
            "throughput_bps": self.throughput_bps,
            "followed": self.followed,
            "verdict": self.verdict(now_ms)._asdict(),
            "moves": self.moves,
            "issues": list(self.issues),
            "quality": self.quality.to_json() if self.quality else None,
        }


def explained(choice: Choice | None, order: Sequence[str]) -> dict[str, object]:
    """A decision in full: reason, rule, versions, seed, candidates with their parts (RT-13)."""
    if choice is None:
        return {"pathways": list(order)}
    return {
        "pathways": list(order),
        "reason": choice.reason,
        "sentence": choice.sentence,
        "snapshot_version": choice.snapshot_version,
        "policy": choice.policy,
        "policy_version": choice.policy_version,
        "generation": choice.generation,
        "rule": choice.rule,
        "seed": choice.seed,
        "cell": choice.cell._asdict() if choice.cell is not None else None,
        "candidates": [structs.asdict(each) for each in choice.candidates],
    }


class Sessions:
    """Records by id, at most `capacity`; the one not seen for longest is forgotten first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._records: OrderedDict[str, Session] = OrderedDict()

    def get(self, session_id: str) -> Session | None:
        return self._records.get(session_id)

    def seen(self, session_id: str, now_ms: int) -> Session:
        """The record, made when there is none."""
        record = self._records.get(session_id)
        if record is None:
            record = self._records[session_id] = Session(session_id, now_ms)
            if len(self._records) > self.capacity:
                self._records.popitem(last=False)
        else:
            self._records.move_to_end(session_id)
        return record

    def latest(self) -> Iterator[Session]:
        """The one seen last comes first."""
        return reversed(self._records.values())

    def __len__(self) -> int:
        return len(self._records)
