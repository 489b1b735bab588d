"""Rates that manifests tell: frames by time, bits by time (TR-67, TR-69, TR-71)."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from origin.tracks import Rendition, Segment

FITTING = Fraction(995, 1000)  # of the frames, within a tick of a rate, make it the rate (TR-71)
# Bytes that protection adds to a sample: IV, and the count and one pair of a subsample map with its
# row in saiz (ISO/IEC 23001-7, 7.2; 14496-12, 8.7.8)
SEALED_SAMPLE = {
    ("video", "cenc"): 8 + 2 + 6 + 1,
    ("video", "cbcs"): 2 + 6 + 1,
    ("audio", "cenc"): 8,
    ("audio", "cbcs"): 0,
}
SEALED_SEGMENT = 17 + 20 + 16  # saiz, saio and senc themselves


def shown_rate(times: Iterable[int], timescale: int) -> Fraction | None:
    """Frames a second of frames shown at these ticks: an integer or n/1001 if nearly all fit it,
    else the most that any second has. None for fewer than two.
    """
    shown = array("q", sorted(times))
    lengths = [b - a for a, b in pairwise(shown) if b > a]
    if not lengths:
        return None
    usual = Counter(lengths).most_common(1)[0][0]
    near = [length for length in lengths if abs(length - usual) <= 2]
    rate = Fraction(len(near) * timescale, sum(near))
    whole, ntsc = Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001)
    snapped = min((whole, ntsc), key=lambda candidate: abs(rate - candidate))
    if snapped:
        frame = timescale / snapped
        fitting = sum(abs(length - frame) <= 1 for length in near)
        if fitting >= FITTING * len(lengths):
            return snapped
    if len(near) >= FITTING * len(lengths):
        return rate.limit_denominator(1001)
    return Fraction(max(bisect_left(shown, t + timescale) - n for n, t in enumerate(shown)))


def buffered_bps(segments: Sequence[Segment], timescale: int, buffer_s: Fraction) -> int:
    """The least rate at which a channel fills a buffer of `buffer_s` so that playback never waits:
    bits(i..j) <= rate * (buffer + time(i..j)) for all runs of segments (ISO/IEC 23009-1, 5.3.5.2).
    """
    rows = [(8 * s.size_bytes * timescale, s.duration) for s in segments if not s.gap]
    buffer = buffer_s * timescale

    def enough(rate: int) -> bool:
        """Whether no run of segments has more bits than this, by the greatest sum of a run."""
        run = 0
        for bits, ticks in rows:
            run = max(run, 0) + bits - rate * ticks
            if run > rate * buffer:
                return False
        return True

    low, high = 0, 1
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def sized(r: Rendition, segments: Sequence[Segment], samples: int) -> Sequence[Segment]:
    """Segments with what protection adds to them (TR-67); `samples` are those of all segments."""
    if r.protected is None or not segments:
        return segments
    ticks = sum(s.duration for s in segments)
    each = SEALED_SAMPLE.get((r.kind, r.protected.scheme), 0) * samples
    return [
        replace(s, size_bytes=s.size_bytes + SEALED_SEGMENT + each * s.duration // ticks)
        for s in segments
    ]
