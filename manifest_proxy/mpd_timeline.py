"""Where things stand on the timeline of an MPD: its zero, its Periods, the segments that it lists.

Source: ISO/IEC 23009-1:2022 sections 5.3.1.2, 5.3.2, 5.3.9.5, 5.3.9.6.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from native.mpd import Element

from .mpd import Document
from .mpd_trim import number_of, seconds

Levels = tuple[Element, ...]  # a SegmentTemplate and those that it inherits from, inner to outer


class Run(NamedTuple):
    """An S element: segments of `size` from `time` on; `last` counts from 0, None: it is open."""

    element: Element
    time: int
    size: int
    last: int | None


def zero_of(document: Document) -> Fraction | None:
    """availabilityStartTime in seconds since 1970."""
    try:
        told = document.attribute(document.root, b"availabilityStartTime") or ""
        zero = datetime.fromisoformat(told.strip())
    except ValueError:
        return None
    if zero.tzinfo is None:
        zero = zero.replace(tzinfo=UTC)
    return Fraction(round(zero.timestamp() * 1000), 1000)


def start_of(document: Document, period: Element) -> Fraction | None:
    told = seconds(document.attribute(period, b"start") or "")
    return None if told is None else Fraction(told)


def decimal_of(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def templates(element: Element, outer: Levels = ()) -> Iterator[Levels]:
    levels = (*element.named("SegmentTemplate")[:1], *outer)
    if len(levels) > len(outer):
        yield levels
    for child in element.children:
        if child.name in ("AdaptationSet", "Representation"):
            yield from templates(child, levels)


def listed(period: Element) -> Iterator[Levels]:
    return (levels for levels in templates(period) if levels[0].named("SegmentTimeline"))


def runs(document: Document, template: Element) -> Iterator[Run]:
    time = 0
    for timeline in template.named("SegmentTimeline"):
        for one in timeline.named("S"):
            time = number_of(document, one, b"t", time)
            size, repeats = (number_of(document, one, name, 0) for name in (b"d", b"r"))
            yield Run(one, time, size, repeats if repeats >= 0 else None)
            time += size * (max(repeats, 0) + 1)


def inherited(document: Document, levels: Levels, name: bytes, absent: int) -> int:
    for template in reversed(levels):
        absent = number_of(document, template, name, absent)
    return absent


def scale_of(document: Document, levels: Levels) -> int:
    return inherited(document, levels, b"timescale", 1) or 1


def shift_of(document: Document, levels: Levels) -> int:
    return inherited(document, levels, b"presentationTimeOffset", 0)
