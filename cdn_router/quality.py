"""What a session's player tells of its quality: CMCD events, deduplicated and held to sane ranges.

Source: CTA-5004-B section 4.3; specs/cmcd.md CM-22, CM-32, CM-33, CM-40..CM-42. Absent booleans
and zero throughput are no evidence (CM-32).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .cmcd.record import Data, Value, bare
from .stalls import UNKNOWN, Ledger

MAX_KBPS = 10_000_000
MAX_BUFFER_MS = 3_600_000
MAX_START_MS = 600_000
MAX_GAP = 1_000  # a longer gap is a jump, not a loss
WINDOW = 64  # sequence numbers that may still arrive late
NO_MEDIA = frozenset({"m", "k"})  # manifests and keys come from elsewhere

Cdns = Callable[[str], str]  # the CDN of a host, UNKNOWN when it is none of ours


@dataclass(slots=True)
class Sequence:
    """Sequence numbers of one target (CM-22): doubles are told, gaps counted. A number further back
    than the window begins a new count: the standard wants a new session then, players reload.
    """

    top: int = -1
    _seen: int = 0  # bit n: `top` - n was seen
    lost: int = 0

    def take(self, number: int) -> bool:
        """Whether the report is new."""
        ahead = number - self.top
        if ahead <= -WINDOW:
            self.top, self._seen = number, 1
            return True
        if ahead > 0:
            self.lost += min(ahead - 1, MAX_GAP) if self.top >= 0 else 0
            self._seen = ((self._seen << min(ahead, WINDOW)) | 1) & ((1 << WINDOW) - 1)
            self.top = number
            return True
        if self._seen >> -ahead & 1:
            return False
        self._seen |= 1 << -ahead
        self.lost = max(0, self.lost - 1)
        return True


@dataclass(slots=True)
class Quality:
    reports: int = 0
    doubles: int = 0
    errors: int = 0
    state: str = ""
    buffer_ms: int | None = None
    start_delay_ms: int | None = None
    failures: dict[str, int] = field(default_factory=dict)  # responses without media, by CDN
    ledger: Ledger = field(default_factory=Ledger)
    sequence: Sequence = field(default_factory=Sequence)

    def observe(self, data: Data, cdns: Cdns, now_ms: int) -> dict[str, int]:
        """Take a record in; the throughput it shows, in bits per second by CDN."""
        number = data.get("sn")
        if isinstance(number, int) and not self.sequence.take(number):
            self.doubles += 1
            return {}
        self.reports += 1
        at_ms = _number(data.get("ts")) or now_ms
        if isinstance(host := data.get("h"), str) and (cdn := cdns(host)):
            self.ledger.turned(cdn, at_ms)
        if data.get("e") == "rr":
            self._responded(data, cdns, at_ms)
        self._measured(data)
        for duration in _numbers(data.get("bsd")):
            self.ledger.starved(duration, at_ms)
        if isinstance(state := data.get("sta"), str):
            self.state = state
            self.ledger.state(state, at_ms)
        self.ledger.reported(at_ms)
        rates = [rate for rate in _numbers(data.get("mtp")) if 0 < rate <= MAX_KBPS]
        cdn = self.ledger.used_at(at_ms)
        return {cdn: max(rates) * 1000} if rates and cdn != UNKNOWN else {}

    def _responded(self, data: Data, cdns: Cdns, at_ms: int) -> None:
        """A response: media puts its CDN in use, none of it is a failure (CM-43: `rc` 0)."""
        url, status = data.get("url"), data.get("rc")
        cdn = cdns(host_of(url)) if isinstance(url, str) else UNKNOWN
        if cdn == UNKNOWN or not isinstance(status, int):
            return
        if status == 0 or status >= 400:
            self.failures[cdn] = self.failures.get(cdn, 0) + 1
        elif data.get("ot") not in NO_MEDIA:
            took_ms = _number(data.get("ttlb")) or _number(data.get("ttfb"))
            self.ledger.media(cdn, at_ms + took_ms)

    def _measured(self, data: Data) -> None:
        buffers = [each for each in _numbers(data.get("bl")) if each <= MAX_BUFFER_MS]
        self.buffer_ms = min(buffers) if buffers else self.buffer_ms
        delay_ms = data.get("msd")
        if self.start_delay_ms is None and isinstance(delay_ms, int) and delay_ms <= MAX_START_MS:
            self.start_delay_ms = delay_ms
        self.errors += len(errors) if isinstance(errors := data.get("ec"), list) else 0

    def to_json(self) -> dict[str, object]:
        charges = self.ledger.charges().items()
        return {
            "reports": self.reports,
            "doubles": self.doubles,
            "lost": self.sequence.lost,
            "errors": self.errors,
            "state": self.state,
            "buffer_ms": self.buffer_ms,
            "start_delay_ms": self.start_delay_ms,
            "failures": self.failures,
            "stalls": {cdn or "unknown": {"count": c.count, "ms": c.ms} for cdn, c in charges},
        }


def host_of(url: str) -> str:
    """Host and port of a URL; nothing else of it is kept (CM-33)."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _number(value: Value | None) -> int:
    return value if isinstance(value, int) else 0


def _numbers(value: Value | None) -> list[int]:
    """The integers of an inner list, their object types aside."""
    values = [bare(each) for each in value] if isinstance(value, list) else []
    return [each for each in values if isinstance(each, int)]
