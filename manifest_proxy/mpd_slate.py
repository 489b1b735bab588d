"""A slate in Periods of its own behind the media that a silent source left in a live MPD.

Rules of the file
1. A slate Period begins where the media ended, and one follows another by the clip's length, on the
   timeline of the origin: its own Periods keep start, id and offsets (DASH-M1).
2. Slate Periods stay while they are in the time-shift buffer, whatever the origin lists of their
   time once it is back (D7, D8).
3. Media come back in a Period where the outage ends, which cuts the last slate Period (D2): the
   part behind it of a Period of the origin, listed as soon as that has segments (DASH-M5).
4. Ids name places on the timeline and count on, so that they never repeat in a session (DASH-M4).

Source: manifest-proxy MP-18; DASH-M1 to M7, M14; ISO/IEC 23009-1:2022 sections 5.3.1.2, 5.3.2.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from native.mpd import Element

from .mpd import Document
from .mpd_splice import clip_period, length_of, xs_duration
from .mpd_split import attribute, lists, part
from .mpd_timeline import decimal_of, listed, runs, scale_of, shift_of, start_of, zero_of
from .mpd_trim import Edit, replaced, seconds
from .outages import Shown, Told

MAX_PERIODS = 64  # slate Periods of an outage listed at once, however short the clip is
MAX_TOLD = 64


class Span(NamedTuple):
    """Seconds of the timeline; without an end while nobody knows it."""

    first: Fraction
    end: Fraction | None

    @property
    def is_all(self) -> bool:
        """Of a Period, from its start to its own end."""
        return not self.first and self.end is None


class Placed(NamedTuple):
    """A Period to list."""

    start_s: Fraction
    text: bytes


@lru_cache(MAX_TOLD)
def told_mpd(data: bytes) -> Told | None:
    """What an MPD tells of its source, in milliseconds since 1970; None for one without timelines,
    fixed Periods or a future.
    """
    document = Document(data)
    zero_s, periods = zero_of(document), document.root.named("Period")
    if document.attribute(document.root, b"type") != "dynamic" or zero_s is None or not periods:
        return None
    begin_s, levels = start_of(document, periods[-1]), next(listed(periods[-1]), None)
    some = levels and list(runs(document, levels[0]))
    if begin_s is None or not levels or not some or any(run.last is None for run in some):
        return None
    if None in (start_of(document, period) for period in periods):
        return None
    last, ticks_ms = some[-1], Fraction(1000, scale_of(document, levels))
    size_ms = last.size * ticks_ms
    end = last.time + ((last.last or 0) + 1) * last.size - shift_of(document, levels)
    end_ms = 1000 * (zero_s + begin_s) + end * ticks_ms
    target_ms = max(run.size for run in some) * ticks_ms
    if not size_ms:
        return None
    valid_s = seconds(document.attribute(document.root, b"minimumUpdatePeriod") or "") or 0
    hold = int(target_ms + 1000 * Fraction(valid_s))
    edge = int(end_ms) - 1
    target_s = float(target_ms / 1000)
    return Told(edge, (True,), (0,), target_s, 1, end_ms - size_ms, size_ms, hold)


def with_slate_mpd(data: bytes, clip: bytes, folder: bytes, shown: Shown) -> bytes:
    """The MPD with the clip where media are missing; `folder` is where its references resolve."""
    document, before, facts = Document(data), Document(clip), told_mpd(data)
    zero_s, length_s = zero_of(document), length_of(before)
    if zero_s is None or facts is None or not length_s or not shown.outages:
        return data
    edge_s = Fraction(max(shown.end or 0, facts.end), 1000) - zero_s
    depth_s = seconds(document.attribute(document.root, b"timeShiftBufferDepth") or "")
    placed: list[Placed] = []
    taken: list[Span] = []
    changed_ms = 0
    for outage in shown.outages:
        first_s, end_ms = Fraction(outage.first, 1000) - zero_s, outage.end
        end_s = None if end_ms is None else Fraction(end_ms, 1000) - zero_s
        taken.append(Span(first_s, end_s))
        turns = _turns(taken[-1], edge_s, Fraction(length_s))
        for number, start_s, held_s in turns:
            if depth_s is None or start_s + held_s + Fraction(depth_s) >= edge_s:
                name = b"slate-%d-%d" % (outage.first, number)
                times = decimal_of(start_s), decimal_of(held_s)
                slate = clip_period(before, name, times[0], folder, times[1])
                placed.append(Placed(start_s, slate))
        begun_ms = outage.since_ms + int(1000 * (turns[-1][1] - first_s))
        changed_ms = outage.back_ms or begun_ms
    edits = [*_listed(document, placed, taken, zero_s), *_published(document, changed_ms)]
    return replaced(data, edits)


def _turns(
    span: Span, edge_s: Fraction, length_s: Fraction
) -> list[tuple[int, Fraction, Fraction]]:
    """Number, start and length of the slate's turns; the end of an outage cuts the last one."""
    end_s = max(edge_s, span.first) if span.end is None else span.end
    last = int((end_s - span.first) // length_s)
    found = []
    for number in range(max(0, last - MAX_PERIODS + 1), last + 1):
        start_s = span.first + number * length_s
        held_s = length_s if span.end is None else min(length_s, span.end - start_s)
        if held_s > 0:
            found.append((number, start_s, held_s))
    return found


def _listed(
    document: Document, slates: list[Placed], taken: list[Span], zero_s: Fraction
) -> Iterator[Edit]:
    """Each Period of the origin gives way to what of it is shown, and to the slates behind it."""
    periods = document.root.named("Period")
    starts = [start_of(document, period) or Fraction(0) for period in periods]
    for period, (begin_s, end_s) in zip(periods, pairwise([*starts, None]), strict=True):
        assert begin_s is not None
        kept = [
            Placed(begin_s + span.first, _part(document, period, begin_s, span, zero_s))
            for span in _left(Span(begin_s, end_s), taken)
            if span.is_all or lists(document, period, *span)
        ]
        within = [
            one
            for one in slates
            if (period is periods[0] or one.start_s >= begin_s)
            and (end_s is None or one.start_s < end_s)
        ]
        text = b"".join(one.text for one in sorted([*kept, *within], key=lambda one: one.start_s))
        blank = 0 if text else len(document.indent(period))
        yield period.start - blank, period.end, text


def _left(whole: Span, taken: list[Span]) -> Iterator[Span]:
    """What outages leave of a Period, in seconds since it begins; no end: to its own."""
    at_s: Fraction | None = whole.first
    for span in taken:
        if at_s is None or (whole.end is not None and span.first >= whole.end):
            break
        if span.end is not None and span.end <= at_s:
            continue
        if span.first > at_s:
            yield Span(at_s - whole.first, span.first - whole.first)
        at_s = span.end
    if at_s is not None and (whole.end is None or at_s < whole.end):
        yield Span(at_s - whole.first, None)


def _part(
    document: Document, period: Element, begin_s: Fraction, span: Span, zero_s: Fraction
) -> bytes:
    edits: list[Edit] = [] if span.is_all else part(document, period, *span)
    if span.first:
        start_s = begin_s + span.first
        name = b"live-%d" % (1000 * (zero_s + start_s))
        edits.append(attribute(document, period, b"id", name))
        edits.append(attribute(document, period, b"start", xs_duration(decimal_of(start_s))))
    at = period.start
    own = ((start - at, end - at, text) for start, end, text in edits)
    return replaced(document.data[at : period.end], own)


def _published(document: Document, changed_ms: int) -> Iterator[Edit]:
    """publishTime: when the newest of the slate's turns was added, or media came back, if the
    origin has not published since (DASH-M14).
    """
    span = document.root.attribute_span(b"publishTime")
    if span is None:
        return
    changed = datetime.fromtimestamp(changed_ms / 1000, UTC)
    text = changed.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        told = document.attribute(document.root, b"publishTime") or ""
        before = datetime.fromisoformat(told.strip())
    except ValueError:
        return
    if before.tzinfo is None:
        before = before.replace(tzinfo=UTC)
    if before < changed:
        yield (*span, text.encode())
