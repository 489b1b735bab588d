"""Time ranges of a live channel: start-over and catch-up by `?start=&end=` (CONTRACT), as data.

Theory of operation
1. A range is half open in wall clock time, which is media time. Its window is every segment number
   that has media in it; numbers before the channel's first never were, and are left out.
2. A window grows while its end is open or ahead of the edge (EVENT-like, dynamic MPD), and is
   complete when its last number is published (ENDLIST, static MPD) (HLS-M18). A complete playlist
   stays EVENT until every player that saw it grow has seen its end: a type may not change (HLS-3).
3. A range leaves as a whole when the retention reaches its start, so that an EVENT playlist never
   loses its head (410); a hold keeps it.
4. All of this is a function of the range, the settings, the holds and the channel's edge, so equal
   origins agree (O17) and every spelling of one range is one render.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from urllib.parse import unquote

from origin.errors import BadRange, NoRange

EPOCH = re.compile(r"\d{1,11}(\.\d{1,6})?", re.ASCII)
ISO_CHARACTERS = 40
SETTLED = 3  # target durations after which every player has reloaded a playlist that ended
STEPS_S = (86400, 21600, 3600, 600, 60, 1)  # what is left of a range is told in these steps


@dataclass(frozen=True, slots=True)
class Range:
    """Seconds since 1970; without an end it never ends."""

    start_s: Fraction
    end_s: Fraction | None = None

    @property
    def query(self) -> str:
        """The one spelling that manifests hand on to their children."""
        start = f"start={_decimal(self.start_s)}"
        return start if self.end_s is None else f"{start}&end={_decimal(self.end_s)}"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a channel can offer: its grid, target duration, first and newest published number, for
    how long it keeps media, and the longest range it renders.
    """

    segment_s: Fraction
    target_s: int
    first: int
    edge: int
    keep_s: int
    cap_s: int

    @property
    def edge_s(self) -> Fraction:
        return (self.edge + 1) * self.segment_s


@dataclass(frozen=True, slots=True)
class Window:
    """The published numbers `first` to `last` of a range, which is there for `left_s` at least."""

    first: int
    last: int
    complete: bool
    settled: bool
    left_s: int


def parse(query: str) -> Range | None:
    """The range of a raw query, None when it names none. BadRange."""
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name in ("start", "end"):
            if name in found:
                raise BadRange(f"{name} is given twice")
            found[name] = unquote(value)
    if not found:
        return None
    if "start" not in found:
        raise BadRange("an end needs a start", code="range_without_start")
    end_s = moment(found["end"]) if "end" in found else None
    return ordered(moment(found["start"]), end_s)


def moment(text: str) -> Fraction:
    """Seconds since 1970 from a decimal or from ISO 8601; without an offset it is UTC. BadRange."""
    if EPOCH.fullmatch(text):
        return Fraction(text)
    try:
        if len(text) > ISO_CHARACTERS or not text.isascii():
            raise ValueError
        when = datetime.fromisoformat(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        since = when - datetime.fromtimestamp(0, UTC)
    except (ValueError, OverflowError):
        raise BadRange("a time is epoch seconds or ISO 8601", code="bad_time") from None
    seconds = Fraction(since.days * 86400 + since.seconds) + Fraction(since.microseconds, 10**6)
    if seconds < 0:
        raise BadRange("a time is after 1970", code="bad_time")
    return seconds


def ordered(start_s: Fraction, end_s: Fraction | None) -> Range:
    """A range that ends behind its start. BadRange."""
    if end_s is not None and end_s <= start_s:
        raise BadRange("the range ends before it starts", code="range_inverted")
    return Range(start_s, end_s)


def resolve(wanted: Range, shape: Shape, held: Callable[[Range], bool]) -> Window:
    """What of a range is published. BadRange when it is longer than the cap, NoRange when there is
    nothing of it yet (404), nothing at all (404), or no longer (410).
    """
    segment_s = shape.segment_s
    until_s = shape.edge_s if wanted.end_s is None else wanted.end_s
    if until_s - wanted.start_s > shape.cap_s:
        raise BadRange("the range is longer than this origin renders", code="range_too_long")
    first = max(int(wanted.start_s / segment_s), shape.first)
    if shape.edge < 0 or first > shape.edge:
        raise NoRange("the range has not begun", code="range_ahead", status=404)
    last = shape.edge
    complete = wanted.end_s is not None and -int(-wanted.end_s // segment_s) - 1 <= shape.edge
    if wanted.end_s is not None:
        last = min(-int(-wanted.end_s // segment_s) - 1, shape.edge)
    if last < first:
        raise NoRange("the channel began after this range", code="range_empty", status=404)
    left_s = shape.keep_s - (shape.edge_s - first * segment_s)
    kept = held(wanted)
    if left_s < 0 and not kept:
        raise NoRange("the range has left the origin")
    settled = complete and (shape.edge - last) * segment_s >= SETTLED * shape.target_s
    step_s = STEPS_S[0] if kept else next((step for step in STEPS_S if step <= left_s), 0)
    return Window(first, last, complete, settled, step_s)


def _decimal(seconds: Fraction) -> str:
    """Exact: a parsed time has six places at most."""
    micros = int(seconds * 10**6)
    return f"{micros // 10**6}.{micros % 10**6:06d}".rstrip("0").rstrip(".")
