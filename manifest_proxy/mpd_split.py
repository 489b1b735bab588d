"""A Period between two times: what it lists there, its offsets and its numbers (DASH-M5).

Times are seconds since the Period begins. The segment that is on at the first time stands first;
the last one has its middle before the second.
Source: ISO/IEC 23009-1:2022 sections 5.3.2, 5.3.9.5, 5.3.9.6, 5.10.2.
"""

from fractions import Fraction
from math import ceil

from native.mpd import Element

from .mpd import Document
from .mpd_splice import xs_duration
from .mpd_timeline import (
    Levels,
    Run,
    decimal_of,
    inherited,
    listed,
    runs,
    scale_of,
    shift_of,
    templates,
)
from .mpd_trim import Edit, seconds

LATE = 4  # segments of one timeline that another may be behind


class _Bounds:
    """Both times on the timeline of one template."""

    def __init__(
        self, document: Document, levels: Levels, after_s: Fraction, until_s: Fraction | None
    ) -> None:
        scale, shift = scale_of(document, levels), shift_of(document, levels)
        self.first = shift + after_s * scale
        self.end = None if until_s is None else shift + until_s * scale

    def within(self, run: Run) -> tuple[int, int | None]:
        """The first repeat that belongs there, and the one behind the last; None: it is open."""
        low = int((self.first - run.time) // run.size) if run.size and self.first > run.time else 0
        high = None if run.last is None else run.last + 1
        if self.end is not None and run.size:
            count = max(0, ceil(Fraction(self.end - run.time) / run.size - Fraction(1, 2)))
            high = count if high is None else min(high, count)
        return low, high


def lists(document: Document, period: Element, after_s: Fraction, until_s: Fraction | None) -> bool:
    """Whether there are segments to play there: in every timeline, since an empty one is invalid
    (DASH-M12), or so many in the first one that another must have stopped.
    """
    counts = []
    for levels in listed(period):
        bounds = _Bounds(document, levels, after_s, until_s)
        spans = [bounds.within(run) for run in runs(document, levels[0])]
        counts.append(sum(LATE if high is None else max(0, high - low) for low, high in spans))
    return bool(counts) and (all(counts) or counts[0] >= LATE)


def part(
    document: Document, period: Element, after_s: Fraction, until_s: Fraction | None = None
) -> list[Edit]:
    """What changes in the Period; its start and id are the caller's."""
    edits: list[Edit] = []
    length_s = seconds(document.attribute(period, b"duration") or "")
    if length_s is not None and (span := period.attribute_span(b"duration")):
        end_s = Fraction(length_s) if until_s is None else until_s
        edits.append((*span, xs_duration(decimal_of(end_s - after_s))))
    if after_s:
        edits += [_shifted(document, (one,), after_s) for one in period.named("EventStream")]
    for levels in templates(period):
        timed = any(template.named("SegmentTimeline") for template in levels)
        size = inherited(document, levels, b"duration", 0)
        if timed:
            edits += [_shifted(document, levels, after_s)] if after_s else []
            edits += _cut(document, levels, after_s, until_s)
        elif size and after_s:
            scale = scale_of(document, levels)
            count = int(after_s * scale // size)
            edits.append(_shifted(document, levels, Fraction(count * size, scale)))
            edits += _started(document, levels, count)
    return edits


def attribute(document: Document, element: Element, name: bytes, value: bytes) -> Edit:
    """An attribute with a value, in place or added."""
    if span := element.attribute_span(name):
        return (*span, value)
    at = element.start + len(document.data[element.start : element.inner_start].split()[0])
    if document.data[at - 1 : at] == b">":
        at -= 2 if document.data[at - 2 : at - 1] == b"/" else 1
    return at, at, b' %b="%b"' % (name, value)


def _shifted(document: Document, levels: Levels, after_s: Fraction) -> Edit:
    value = shift_of(document, levels) + int(after_s * scale_of(document, levels))
    return _number(document, levels[0], b"presentationTimeOffset", value)


def _number(document: Document, element: Element, name: bytes, value: int) -> Edit:
    return attribute(document, element, name, b"%d" % value)


def _started(document: Document, levels: Levels, count: int) -> list[Edit]:
    number = inherited(document, levels, b"startNumber", 1) + count
    return [_number(document, levels[0], b"startNumber", number)] if count else []


def _cut(
    document: Document, levels: Levels, after_s: Fraction, until_s: Fraction | None
) -> list[Edit]:
    """Segments outside leave; the first that stays tells its time."""
    bounds = _Bounds(document, levels, after_s, until_s)
    edits: list[Edit] = []
    gone, begun = 0, False
    for run in runs(document, levels[0]):
        low, high = bounds.within(run)
        if high is not None and low >= high:
            gone += 0 if begun or run.last is None else run.last + 1
            edits.append((run.element.start, run.element.end, b""))
            continue
        if not begun:
            gone += low
            if gone:
                edits.append(_number(document, run.element, b"t", run.time + low * run.size))
        begun = True
        if high is not None and (run.last is None or high - low <= run.last):
            edits.append(_number(document, run.element, b"r", high - low - 1))
    return edits + _started(document, levels, gone)
