"""A clip's Period in a live MPD, at the place where a viewer joined it.

Rules of the file
1. The session names a time on the origin's timeline, the start of a segment. The Period that holds
   it is split there: what follows plays later by the clip's length, and so do all later Periods.
2. Period@start, Period@id and presentationTimeOffset follow from the session and the origin's MPD
   alone, so they never change in a session (DASH-M1, M4), on any node.
3. The clip leaves when its segment has left the origin's list; all else stays where it was.
4. Media that play later are there as early as before: availabilityStartTime is earlier and
   suggestedPresentationDelay longer by the clip's length. Players that trust the clock and those
   that trust the list (Shaka) then begin at the same place.

Source: DASH-M1 to M7, M13; ISO/IEC 23009-1:2022 sections 5.3.2, 5.3.9.5, 5.3.9.6, 5.10.2.
"""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil

from native.mpd import Element

from .hls_trim import date_time
from .mpd import Document
from .mpd_splice import clip_period, length_of, xs_duration
from .mpd_split import part
from .mpd_timeline import decimal_of, listed, runs, scale_of, shift_of, start_of, zero_of
from .mpd_trim import Edit, replaced, seconds

HOLD_SEGMENTS = 3  # behind the live edge, where the MPD suggests no delay
RECENT = 64  # segments looked at for a place


def place_to_join_mpd(data: bytes) -> int | None:
    """Milliseconds since 1970 of the segment that a viewer who comes now begins in: the one that
    the suggested delay leads into. A later one would be the start of all that can be sought, and
    dash.js 5.2 never begins there. None for anything but a dynamic MPD with timelines and fixed
    Periods.
    """
    document = Document(data)
    zero_s = zero_of(document)
    periods = document.root.named("Period")
    starts = [start_of(document, period) for period in periods]
    if document.attribute(document.root, b"type") != "dynamic" or zero_s is None or not periods:
        return None
    begin_s, levels = starts[-1], next(listed(periods[-1]), None)
    if None in starts or begin_s is None or levels is None:
        return None
    recent = list(runs(document, levels[0]))[-RECENT:]
    if not recent or any(run.last is None or not run.size for run in recent):
        return None
    scale, shift = scale_of(document, levels), shift_of(document, levels)
    times: list[int] = []
    for run in recent:
        last = run.last or 0
        newest = range(max(0, last + 1 - RECENT), last + 1)
        times += [run.time + at * run.size for at in newest]
    times = times[-RECENT:]
    size = max(run.size for run in recent)
    told = document.attribute(document.root, b"suggestedPresentationDelay")
    delay_s = seconds(told or "")
    held = HOLD_SEGMENTS * size if delay_s is None else int(delay_s * scale)
    latest = times[-1] + size - held
    at = next((time for time in reversed(times) if time <= latest), times[0])
    return ceil((zero_s + begin_s + Fraction(at - shift, scale)) * 1000)


def with_join_mpd(data: bytes, clip: bytes, folder: bytes, joined_ms: int) -> bytes:
    """The MPD of viewers who joined there; `folder` is where the clip's references resolve."""
    document, before = Document(data), Document(clip)
    zero_s, length_s = zero_of(document), length_of(before)
    periods = document.root.named("Period")
    starts = [told for period in periods if (told := start_of(document, period)) is not None]
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
                spot = clip_period(before, name, decimal_of(joined_s), folder)
                edits.append((period.start, period.start, spot))
            edits += part(document, period, joined_s - begin_s)
    edits += _earlier(document, zero_s, length_s)
    span = document.root.attribute_span(b"mediaPresentationDuration")
    total_s = seconds(document.attribute(document.root, b"mediaPresentationDuration") or "")
    if span is not None and total_s is not None:
        edits.append((*span, xs_duration(total_s + length_s)))
    return replaced(data, edits)


def _earlier(document: Document, zero_s: Fraction, length_s: Decimal) -> list[Edit]:
    """Available that much earlier, and held back that much longer, where a delay is told."""
    zero = document.root.attribute_span(b"availabilityStartTime")
    delay = document.root.attribute_span(b"suggestedPresentationDelay")
    delay_s = seconds(document.attribute(document.root, b"suggestedPresentationDelay") or "")
    if zero is None or delay is None or delay_s is None:
        return []
    try:
        began = datetime.fromtimestamp(float(zero_s - Fraction(length_s)), UTC)
    except (ValueError, OverflowError):  # before the first year
        return []
    return [(*zero, date_time(began)), (*delay, xs_duration(delay_s + length_s))]


def _moved(document: Document, period: Element, start_s: Fraction) -> list[Edit]:
    span = period.attribute_span(b"start")
    return [(*span, xs_duration(decimal_of(start_s)))] if span else []


def _lists(document: Document, period: Element, after_s: Fraction) -> bool:
    """Whether the first timeline still has the segment that starts there."""
    for levels in listed(period):
        wanted = shift_of(document, levels) + after_s * scale_of(document, levels)
        first = next(runs(document, levels[0]), None)
        return first is not None and 2 * (first.time - wanted) < first.size
    return False
