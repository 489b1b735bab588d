"""Every segment of a Representation that has a template, and what the template calls it.

Source: ISO/IEC 23009-1:2022 sections 5.3.2.1, 5.3.9.4.4, 5.3.9.5.3, 5.3.9.6.
"""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from native.mpd import Element

from .errors import ManifestError
from .mpd import Document
from .mpd_timeline import Levels, inherited, runs, scale_of, shift_of, start_of
from .mpd_trim import seconds

IDENTIFIER = re.compile(r"\$(RepresentationID|Bandwidth|Number|Time|SubNumber|)(?:%0(\d{1,2})d)?\$")
DIGITS = re.compile(r"[0-9]{1,20}")
MAX_SEGMENTS = 65_536  # of one MPD


class Segment(NamedTuple):
    """`number` is its $Number$; `time` and `size` are in the template's timescale."""

    number: int
    time: int
    size: int

    def place(self, identifiers: frozenset[str]) -> int:
        """Which one it is, from itself alone: its number where the template has that, else how many
        of its own length its time is from zero.
        """
        if "Number" in identifiers:
            return self.number
        return (2 * self.time + self.size) // (2 * self.size)


def identifiers(template: str) -> frozenset[str]:
    return frozenset(name for name, _ in IDENTIFIER.findall(template)) - {""}


def filled(template: str, values: Mapping[str, str | int]) -> str:
    """A template with identifiers in place; those without a value stay."""

    def value(found: re.Match[str]) -> str:
        given = "$" if not found[1] else values.get(found[1])
        return found[0] if given is None else str(given).zfill(int(found[2] or 0))

    return IDENTIFIER.sub(value, template)


def number_named(path: str) -> int | None:
    """The last number in a name, but for what follows its last dot."""
    name = path.partition("?")[0].rpartition("/")[2]
    found = DIGITS.findall(name.rpartition(".")[0] or name)
    return int(found[-1]) if found else None


def length_s(document: Document, periods: Sequence[Element], at: int) -> Fraction | None:
    """Seconds of a Period; None while it goes on."""
    told = seconds(document.attribute(periods[at], b"duration") or "")
    if told is not None:
        return Fraction(told)
    begin_s = start_of(document, periods[at])
    if begin_s is None and at == 0:
        begin_s = Fraction(0)
    if at + 1 < len(periods):
        end_s = start_of(document, periods[at + 1])
    else:
        whole = seconds(document.attribute(document.root, b"mediaPresentationDuration") or "")
        end_s = None if whole is None else Fraction(whole)
    return None if begin_s is None or end_s is None else max(Fraction(0), end_s - begin_s)


def segments(document: Document, levels: Levels, held_s: Fraction | None) -> list[Segment] | None:
    """All of them in a Period of that length; None when time brings more."""
    number = inherited(document, levels, b"startNumber", 1)
    scale, shift = scale_of(document, levels), shift_of(document, levels)
    timed = next((one for one in levels if one.named("SegmentTimeline")), None)
    if timed is not None:
        return _timed(document, timed, number, None if held_s is None else shift + held_s * scale)
    size = inherited(document, levels, b"duration", 0)
    if size <= 0:
        raise ManifestError("mpd_unnamed", "a template that tells no times")
    last = inherited(document, levels, b"endNumber", -1)
    counts = [] if held_s is None else [ceil(held_s * scale / size)]
    counts += [max(0, last - number + 1)] if last >= 0 else []
    if not counts:
        return None
    count = _bounded(min(counts))
    return [Segment(number + at, shift + at * size, size) for at in range(count)]


def _timed(
    document: Document, template: Element, number: int, end: Fraction | None
) -> list[Segment] | None:
    made: list[Segment] = []
    some = list(runs(document, template))
    for at, run in enumerate(some):
        if run.size <= 0:
            raise ManifestError("mpd_number", "S@d is no duration")
        count = 0 if run.last is None else run.last + 1
        if run.last is None:
            until = some[at + 1].time if at + 1 < len(some) else end
            if until is None:
                return None
            count = max(0, ceil(Fraction(until - run.time) / run.size))
        first = number + len(made)
        _bounded(len(made) + count)
        made += [Segment(first + n, run.time + n * run.size, run.size) for n in range(count)]
    return made


def _bounded(count: int) -> int:
    if count > MAX_SEGMENTS:
        raise ManifestError("mpd_too_long", f"more than {MAX_SEGMENTS:,} segments to name")
    return count
