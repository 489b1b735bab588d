"""A clip's Period in a live MPD, at the place where a viewer joined it.

Rules of the file
1. The session names a time on the origin's timeline, the start of a segment. The Period that holds
   it is split there: what follows plays later by the clip's length, and so do all later Periods.
2. Period@start, Period@id and presentationTimeOffset follow from the session and the origin's MPD
   alone, so they never change in a session (DASH-M1, M4), on any node.
3. The clip leaves when its segment has left the origin's list; all else stays where it was.

Source: DASH-M1 to M7, M13; ISO/IEC 23009-1:2022 sections 5.3.2, 5.3.9.5, 5.3.9.6, 5.10.2.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from native.mpd import Element

from .mpd import Document
from .mpd_splice import clip_period, length_of, xs_duration
from .mpd_trim import Edit, number_of, replaced, seconds

HOLD_SEGMENTS = 3  # behind the live edge, where the MPD suggests no delay
RECENT = 64  # segments looked at for a place
Levels = tuple[Element, ...]  # a SegmentTemplate and those that it inherits from, inner to outer


class Run(NamedTuple):
    """An S element: segments of `size` from `time` on; `last` counts from 0, None: it is open."""

    element: Element
    time: int
    size: int
    last: int | None


def place_to_join_mpd(data: bytes) -> int | None:
    """Milliseconds since 1970 of the segment that a viewer who comes now begins in: the one that
    the suggested delay leads into. A later one would be the start of all that can be sought, and
    dash.js 5.2 never begins there. None for anything but a dynamic MPD with timelines and fixed
    Periods.
    """
    document = Document(data)
    zero_s = _zero_s(document)
    periods = document.root.named("Period")
    starts = [_start_s(document, period) for period in periods]
    if document.attribute(document.root, b"type") != "dynamic" or zero_s is None or not periods:
        return None
    begin_s, levels = starts[-1], next(_listed(periods[-1]), None)
    if None in starts or begin_s is None or levels is None:
        return None
    runs = list(_runs(document, levels[0]))[-RECENT:]
    if not runs or any(run.last is None or not run.size for run in runs):
        return None
    scale, shift = _scale(document, levels), _shift(document, levels)
    times: list[int] = []
    for run in runs:
        last = run.last or 0
        recent = range(max(0, last + 1 - RECENT), last + 1)
        times += [run.time + at * run.size for at in recent]
    times = times[-RECENT:]
    size = max(run.size for run in runs)
    told = document.attribute(document.root, b"suggestedPresentationDelay")
    delay_s = seconds(told or "")
    held = HOLD_SEGMENTS * size if delay_s is None else int(delay_s * scale)
    latest = times[-1] + size - held
    at = next((time for time in reversed(times) if time <= latest), times[0])
    return ceil((zero_s + begin_s + Fraction(at - shift, scale)) * 1000)


def with_join_mpd(data: bytes, clip: bytes, folder: bytes, joined_ms: int) -> bytes:
    """The MPD of viewers who joined there; `folder` is where the clip's references resolve."""
    document, before = Document(data), Document(clip)
    zero_s, length_s = _zero_s(document), length_of(before)
    periods = document.root.named("Period")
    starts = [told for period in periods if (told := _start_s(document, period)) is not None]
    if zero_s is None or not length_s or len(starts) != len(periods):
        return data
    joined_s = Fraction(joined_ms, 1000) - zero_s
    edits: list[Edit] = []
    for at, (period, begin_s) in enumerate(zip(periods, starts, strict=True)):
        if begin_s > joined_s:
            edits += _moved(document, period, begin_s + Fraction(length_s))
        elif at + 1 < len(periods) and starts[at + 1] <= joined_s:
            edits.append((period.start - len(document.indent(period)), period.end, b""))
        else:
            edits += _moved(document, period, joined_s + Fraction(length_s))
            if _lists(document, period, joined_s - begin_s):
                name = b"bumper-%d" % joined_ms
                spot = clip_period(before, name, _decimal(joined_s), folder)
                edits.append((period.start, period.start, spot))
            edits += _split(document, period, joined_s - begin_s)
    span = document.root.attribute_span(b"mediaPresentationDuration")
    total_s = seconds(document.attribute(document.root, b"mediaPresentationDuration") or "")
    if span is not None and total_s is not None:
        edits.append((*span, xs_duration(total_s + length_s)))
    return replaced(data, edits)


def _zero_s(document: Document) -> Fraction | None:
    """availabilityStartTime in seconds since 1970."""
    try:
        told = document.attribute(document.root, b"availabilityStartTime") or ""
        zero = datetime.fromisoformat(told.strip())
    except ValueError:
        return None
    if zero.tzinfo is None:
        zero = zero.replace(tzinfo=UTC)
    return Fraction(round(zero.timestamp() * 1000), 1000)


def _start_s(document: Document, period: Element) -> Fraction | None:
    told = seconds(document.attribute(period, b"start") or "")
    return None if told is None else Fraction(told)


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _moved(document: Document, period: Element, start_s: Fraction) -> list[Edit]:
    span = period.attribute_span(b"start")
    return [(*span, xs_duration(_decimal(start_s)))] if span else []


def _templates(element: Element, outer: Levels = ()) -> Iterator[Levels]:
    levels = (*element.named("SegmentTemplate")[:1], *outer)
    if len(levels) > len(outer):
        yield levels
    for child in element.children:
        if child.name in ("AdaptationSet", "Representation"):
            yield from _templates(child, levels)


def _listed(period: Element) -> Iterator[Levels]:
    return (levels for levels in _templates(period) if levels[0].named("SegmentTimeline"))


def _runs(document: Document, template: Element) -> Iterator[Run]:
    time = 0
    for timeline in template.named("SegmentTimeline"):
        for one in timeline.named("S"):
            time = number_of(document, one, b"t", time)
            size, repeats = (number_of(document, one, name, 0) for name in (b"d", b"r"))
            yield Run(one, time, size, repeats if repeats >= 0 else None)
            time += size * (max(repeats, 0) + 1)


def _inherited(document: Document, levels: Levels, name: bytes, absent: int) -> int:
    for template in reversed(levels):
        absent = number_of(document, template, name, absent)
    return absent


def _scale(document: Document, levels: Levels) -> int:
    return _inherited(document, levels, b"timescale", 1) or 1


def _shift(document: Document, levels: Levels) -> int:
    return _inherited(document, levels, b"presentationTimeOffset", 0)


def _lists(document: Document, period: Element, after_s: Fraction) -> bool:
    """Whether the first timeline still has the segment that starts there."""
    for levels in _listed(period):
        wanted = _shift(document, levels) + after_s * _scale(document, levels)
        first = next(_runs(document, levels[0]), None)
        return first is not None and 2 * (first.time - wanted) < first.size
    return False


def _split(document: Document, period: Element, after_s: Fraction) -> list[Edit]:
    """The Period's second part: its end, its offsets and its lists (DASH-M5)."""
    edits: list[Edit] = []
    length_s = seconds(document.attribute(period, b"duration") or "")
    if length_s is not None and (span := period.attribute_span(b"duration")):
        edits.append((*span, xs_duration(length_s - _decimal(after_s))))
    edits += [_shifted(document, (one,), after_s) for one in period.named("EventStream")]
    for levels in _templates(period):
        timed = any(template.named("SegmentTimeline") for template in levels)
        size = _inherited(document, levels, b"duration", 0)
        if timed:
            edits += [_shifted(document, levels, after_s), *_cut(document, levels, after_s)]
        elif size:
            scale = _scale(document, levels)
            count = int(after_s * scale // size)
            edits.append(_shifted(document, levels, Fraction(count * size, scale)))
            edits += _started(document, levels, count)
    return edits


def _shifted(document: Document, levels: Levels, after_s: Fraction) -> Edit:
    value = _shift(document, levels) + int(after_s * _scale(document, levels))
    return _written(document, levels[0], b"presentationTimeOffset", value)


def _written(document: Document, element: Element, name: bytes, value: int) -> Edit:
    """An attribute with a value, in place or added."""
    if span := element.attribute_span(name):
        return (*span, b"%d" % value)
    at = element.start + len(document.data[element.start : element.inner_start].split()[0])
    if document.data[at - 1 : at] == b">":
        at -= 2 if document.data[at - 2 : at - 1] == b"/" else 1
    return at, at, b' %b="%d"' % (name, value)


def _started(document: Document, levels: Levels, count: int) -> list[Edit]:
    number = _inherited(document, levels, b"startNumber", 1) + count
    return [_written(document, levels[0], b"startNumber", number)] if count else []


def _cut(document: Document, levels: Levels, after_s: Fraction) -> list[Edit]:
    """Segments that end before that time leave; the one that is on then stands first."""
    wanted = _shift(document, levels) + after_s * _scale(document, levels)
    edits: list[Edit] = []
    gone = 0
    for element, time, size, last in _runs(document, levels[0]):
        skipped = int((wanted - time) // size) if size and wanted > time else 0
        if last is not None and skipped > last:
            gone += last + 1
            edits.append((element.start, element.end, b""))
            continue
        gone += skipped
        if gone:
            edits.append(_written(document, element, b"t", time + skipped * size))
        if skipped and last is not None:
            edits.append(_written(document, element, b"r", last - skipped))
        break
    return edits + _started(document, levels, gone)
