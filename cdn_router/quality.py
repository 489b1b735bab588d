"""What a session's player tells of its quality: CMCD events, deduplicated and held to sane ranges.

Source: CTA-5004-B section 4.3; specs/cmcd.md CM-22, CM-32, CM-33, CM-40..CM-42. Absent booleans
and zero throughput are no evidence (CM-32).
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from native.cmcd import Report, Witness

from .cmcd.record import Data, Value, bare

MAX_KBPS = 10_000_000
MAX_BUFFER_MS = 3_600_000
MAX_START_MS = 600_000
CALM: frozenset[str] = frozenset()
NO_MEDIA = frozenset({"m", "k"})  # manifests and keys come from elsewhere

Cdns = Callable[[str], str]  # the CDN of a host, UNKNOWN when it is none of ours


class Quality(Witness):
    """`sampled_ms` is when the router last drew a sample of it, `charged` the stalls until then;
    `suffering` are the CDNs that told it of duress since.
    """

    def __init__(self) -> None:
        self.sampled_ms = 0
        self.charged: dict[str, tuple[int, int]] = {}
        self.suffering = CALM

    def observe(self, data: Data, cdns: Cdns, now_ms: int) -> dict[str, int]:
        """Take a record in; the throughput it shows, in bits per second by CDN."""
        report = report_of(data, cdns, now_ms)
        return self.throughput(self.observe_report(*report), report[1])

    def throughput(self, rate_kbps: int, at_ms: int) -> dict[str, int]:
        """A rate in bits per second, by the CDN in use; none when either is unknown."""
        cdn = self.ledger.used_at(at_ms) if rate_kbps > 0 else ""
        return {cdn: rate_kbps * 1000} if cdn else {}

    def to_json(self) -> dict[str, object]:
        charges = self.ledger.charges().items()
        return {
            "reports": self.reports,
            "doubles": self.doubles,
            "lost": self.lost,
            "errors": self.errors,
            "state": self.state,
            "buffer_ms": self.buffer_ms,
            "start_delay_ms": self.start_delay_ms,
            "failures": self.failures,
            "stalls": {cdn or "unknown": {"count": n, "ms": ms} for cdn, (n, ms) in charges},
        }


def report_of(data: Data, cdns: Cdns, now_ms: int = 0) -> Report:
    """A record as the kernel takes it, at `now_ms` when it does not say when; what is beyond a
    range is left out (CM-33).
    """
    host, url, state, errors = (data.get(name) for name in ("h", "url", "sta", "ec"))
    status = _number(data.get("rc"), -1)
    buffers = [each for each in _numbers(data.get("bl")) if each <= MAX_BUFFER_MS]
    delay_ms = _number(data.get("msd"), -1)
    return (
        _number(data.get("sn"), -1),
        _number(data.get("ts")) or now_ms,
        status,
        _number(data.get("ttlb")) or _number(data.get("ttfb")),
        min(buffers, default=-1),
        delay_ms if delay_ms <= MAX_START_MS else -1,
        _rate(data.get("mtp")),
        _rate(data.get("br")),
        _rate(data.get("tb")),
        len(errors) if isinstance(errors, list) else 0,
        data.get("e") == "rr",
        data.get("ot") not in NO_MEDIA,
        _numbers(data.get("bsd")),
        cdns(host) if isinstance(host, str) else "",
        cdns(host_of(url)) if isinstance(url, str) else "",
        state if isinstance(state, str) else "",
    )


def host_of(url: str) -> str:
    """Host and port of a URL; nothing else of it is kept (CM-33)."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _rate(value: Value | None) -> int:
    """The greatest rate of a list that is one, 0 for none."""
    return max((rate for rate in _numbers(value) if 0 < rate <= MAX_KBPS), default=0)


def _number(value: Value | None, default: int = 0) -> int:
    return value if isinstance(value, int) else default


def _numbers(value: Value | None) -> list[int]:
    """The integers of an inner list, their object types aside."""
    values = [bare(each) for each in value] if isinstance(value, list) else []
    return [each for each in values if isinstance(each, int)]
