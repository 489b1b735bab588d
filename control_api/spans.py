"""What a token opens of a channel's past: one time range, by path and query (CTL-112, CTL-113).

Rules of the file
1. Manifests are bound by their query: of `start` and `end`, which alone name a range (CONTRACT),
   a token takes its own values or none; other parameters begin with neither letter.
2. Segments are bound by their number, which is time over their length (origin/live/grid.py), where
   that length is known; one more on each side holds what begins early.
3. Live is a range too: from a little while ago to the token's end, and manifests without times.
4. Expressions are POSIX extended ones within the bounds of CAT section 12: a range that takes more
   room is widened, by tens.
"""

from typing import NamedTuple

MAX_RANGE_CHARS = 140  # 256 less the longest path around it
OTHERS = "[^se&][^&]*"


class Span(NamedTuple):
    """Whole seconds since 1970, half open: equal programmes have equal URLs. `asked` where
    manifests are asked for by these times.
    """

    start_s: int
    end_s: int
    asked: bool = True

    @property
    def query(self) -> str:
        """As the origin spells it in the manifests that it makes."""
        return f"start={self.start_s}&end={self.end_s}"


def span(start_ms: int, end_ms: int) -> Span:
    """The whole seconds around a programme."""
    return Span(start_ms // 1_000, -(-end_ms // 1_000))


def live(now_s: int, expires_s: int, back_s: int) -> Span:
    """What a live token opens: as far back as live manifests list."""
    return Span(now_s - back_s, expires_s, asked=False)


def query(bound: Span) -> str:
    """What may be asked: of times only these, or none."""
    own = f"start={bound.start_s}|end={bound.end_s}|" if bound.asked else ""
    return f"^(({own}{OTHERS})(&|$))*$"


def path(origin_path: str, bound: Span, segment_ms: int) -> str:
    """Manifests and initialisation by name, and segments with their parts by number."""
    first = max(0, 1_000 * bound.start_s // segment_ms - 1)
    last = -(-1_000 * bound.end_s // segment_ms)
    return f"^{origin_path}([^/]+|[^/]+/([^/0-9][^/]*|{numbers(first, last)}[.][^/]+))$"


def numbers(first: int, last: int) -> str:
    """Decimal numbers from `first` to `last`, and as few others as there is room for."""
    for tens in range(len(str(last))):
        unit = 10**tens
        found = _ranges(first // unit * unit, (last // unit + 1) * unit - 1)
        if len(found) <= MAX_RANGE_CHARS:
            return found
    return "[0-9]+"


def _ranges(first: int, last: int) -> str:
    low, parts = first, []
    while low <= last:
        high = min(last, 10 ** len(str(low)) - 1)
        parts.append(_between(str(low), str(high)))
        low = high + 1
    return f"({'|'.join(parts)})"


def _between(low: str, high: str) -> str:
    """Of numbers with equally many digits."""
    rest = len(low) - 1
    if not low or low == high:
        return low
    if low[0] == high[0]:
        return low[0] + _between(low[1:], high[1:])
    least, most, parts = int(low[0]), int(high[0]), []
    if low[1:] != "0" * rest:
        parts.append(low[0] + _between(low[1:], "9" * rest))
        least += 1
    last = []
    if high[1:] != "9" * rest:
        last.append(high[0] + _between("0" * rest, high[1:]))
        most -= 1
    if least <= most:
        digit = str(least) if least == most else f"[{least}-{most}]"
        parts.append(digit + "[0-9]" * min(rest, 1) + (f"{{{rest}}}" if rest > 1 else ""))
    parts += last
    return parts[0] if len(parts) == 1 else f"({'|'.join(parts)})"
