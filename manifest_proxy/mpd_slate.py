"""A slate in Periods of its own behind the media that a silent source left in a live MPD.

Rules of the file
1. A slate Period begins where the media ended, and one follows another by the clip's length, on the
   timeline of the origin: its own Periods keep start, id and offsets (DASH-M1).
2. Their ids name that place and count on, so that they never repeat in a session (DASH-M4).
3. Media come back in a Period that the origin begins (D13); it cuts the last slate Period (D2).
   Where the origin goes on in the Period it had, nothing was lost, and the slate is gone.

Source: manifest-proxy MP-18; DASH-M1 to M7, M14; ISO/IEC 23009-1:2022 sections 5.3.1.2, 5.3.2.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache

from .mpd import Document
from .mpd_splice import clip_period, length_of
from .mpd_timeline import decimal_of, listed, runs, scale_of, shift_of, start_of, zero_of
from .mpd_trim import Edit, replaced, seconds
from .outages import Outage, Shown, Told

MAX_PERIODS = 64  # slate Periods listed at once, however short the clip is
MAX_TOLD = 64


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
    last, scale = some[-1], scale_of(document, levels)
    end = last.time + ((last.last or 0) + 1) * last.size
    end_s = zero_s + begin_s + Fraction(end - shift_of(document, levels), scale)
    target_s = max(run.size for run in some) / scale
    return Told(int(end_s * 1000) - 1, (True,), (0,), target_s, 1)


def with_slate_mpd(data: bytes, clip: bytes, folder: bytes, shown: Shown) -> bytes:
    """The MPD with the clip where media are missing; `folder` is where its references resolve."""
    document, before = Document(data), Document(clip)
    zero_s, length_s = zero_of(document), length_of(before)
    periods = document.root.named("Period")
    if zero_s is None or not length_s or not periods:
        return data
    depth_s = seconds(document.attribute(document.root, b"timeShiftBufferDepth") or "")
    edits: list[Edit] = []
    slates: defaultdict[int, bytes] = defaultdict(bytes)
    for outage in shown.outages:
        begin_s = Fraction(outage.first, 1000) - zero_s
        following = [p for p in periods if (start_of(document, p) or Fraction(0)) >= begin_s]
        if outage.end is not None and not following:
            continue
        at = following[0].start if following else periods[-1].end
        told_s = start_of(document, following[0]) if following else None
        end_s = told_s if told_s is not None else Fraction(shown.end or 0, 1000) - zero_s
        spans = _spans(begin_s, end_s, Fraction(length_s), closed=told_s is not None)
        newest_s = spans[-1][1] if spans else begin_s
        for number, start_s, held_s in spans[-MAX_PERIODS:]:
            if depth_s is None or start_s + held_s + Fraction(depth_s) >= end_s:
                name = b"slate-%d-%d" % (outage.first, number)
                times = decimal_of(start_s), decimal_of(held_s)
                slates[at] += clip_period(before, name, times[0], folder, times[1])
        if told_s is None:
            edits += _published(document, outage, newest_s - begin_s)
    return replaced(data, [*edits, *((at, at, text) for at, text in slates.items())])


def _spans(
    begin_s: Fraction, end_s: Fraction, length_s: Fraction, *, closed: bool
) -> list[tuple[int, Fraction, Fraction]]:
    """Number, start and length of the slate's turns up to `end_s`, which cuts the last one if the
    outage is closed.
    """
    last = int((end_s - begin_s) // length_s)
    found = []
    for number in range(max(0, last - MAX_PERIODS), last + 1):
        start_s = begin_s + number * length_s
        held_s = min(length_s, end_s - start_s) if closed else length_s
        if held_s > 0:
            found.append((number, start_s, held_s))
    return found


def _published(document: Document, outage: Outage, after_s: Fraction) -> Iterator[Edit]:
    """publishTime: when the newest of the slate's turns was added (DASH-M14)."""
    span = document.root.attribute_span(b"publishTime")
    if span is None:
        return
    changed = datetime.fromtimestamp(outage.since_ms / 1000 + float(after_s), UTC)
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
