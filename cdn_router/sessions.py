"""What the router remembers of a session, for people: its decision, its polls, whether it followed.

Decisions never need it (the state travels in RELOAD-URI), so the oldest records give way.
Source: steering ST-31, ST-33, ST-34, ST-41.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from .policy import Decision
from .quality import Quality
from .report import Report

KEPT_ISSUES = 8


@dataclass(frozen=True, slots=True)
class Viewer:
    """What a start says of who watches what."""

    content: str = ""
    country: str = ""
    device_class: str = ""
    asn: int | None = None


@dataclass(slots=True)
class Session:
    id: str
    created_ms: int
    viewer: Viewer = field(default_factory=Viewer)
    declared: tuple[str, ...] = ()  # what its manifest names
    order: tuple[str, ...] = ()
    reason: str = ""
    sentence: str = ""
    snapshot_version: int = 0
    proto: str | None = None
    polls: int = 0
    last_poll_ms: int | None = None
    reported: tuple[str, ...] = ()
    throughput_bps: dict[str, int] = field(default_factory=dict)
    followed: bool | None = None
    moves: int = 0
    issues: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_ISSUES))
    quality: Quality | None = None  # once its player reports

    def decided(self, decision: Decision, order: Sequence[str]) -> None:
        """Note what the session was told."""
        if self.order and order[0] != self.order[0]:
            self.moves += 1
        self.order = tuple(order)
        self.reason = decision.reason
        self.sentence = decision.sentence
        self.snapshot_version = decision.snapshot_version

    def polled(self, report: Report, issues: Sequence[str], now_ms: int) -> None:
        """Note a poll. Only an HLS report says what is played (ST-34)."""
        first = self.polls == 0
        self.polls += 1
        self.last_poll_ms = now_ms
        self.proto = report.proto or self.proto
        self.issues.extend(issues)
        if report.entries:
            self.reported = tuple(name for name, _ in report.entries)
        self.measured(report.measured(first_poll=first))
        if report.proto == "hls" and report.entries and self.order:
            self.followed = report.entries[0][0] == self.order[0]

    def measured(self, throughput_bps: Mapping[str, int]) -> None:
        """Note throughputs by pathway, the latest of each."""
        self.throughput_bps |= throughput_bps
        while len(self.throughput_bps) > KEPT_ISSUES:
            del self.throughput_bps[next(iter(self.throughput_bps))]

    def to_json(self) -> dict[str, object]:
        return {
            "session_id": self.id,
            "created_ms": self.created_ms,
            **asdict(self.viewer),
            "decision": {
                "pathways": list(self.order),
                "reason": self.reason,
                "sentence": self.sentence,
                "snapshot_version": self.snapshot_version,
            },
            "protocol": self.proto,
            "polls": self.polls,
            "last_poll_ms": self.last_poll_ms,
            "reported": list(self.reported),
            "throughput_bps": self.throughput_bps,
            "followed": self.followed,
            "moves": self.moves,
            "issues": list(self.issues),
            "quality": self.quality.to_json() if self.quality else None,
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

    def __len__(self) -> int:
        return len(self._records)
