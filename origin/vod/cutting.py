"""Where segments begin: at random access points that all rungs share (TR-31..TR-38)."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from origin.vod.errors import VodError
from origin.vod.timeline import Placed


def rap_times_s(placed: Placed) -> list[Fraction]:
    """Presentation times of a video track's cut points, from the first kept one on."""
    return [
        Fraction(placed.time(i), placed.edited.track.timescale)
        for i in placed.edited.raps
        if placed.first <= i < placed.stop
    ]


def boundaries_s(
    common: Sequence[Fraction],
    video_end_s: Fraction,
    end_s: Fraction,
    target_s: Fraction,
    where: str,
    holes_s: Mapping[Fraction, Fraction],
) -> list[Fraction]:
    """Starts of the segments: the first common RAP at or after each multiple of the target (TR-33).

    Where audio outlasts the pictures, in their holes (when each begins, by its end), and without
    any, boundaries fall a target apart.
    """
    cuts = [Fraction(0)]
    for previous, rap in pairwise([*common, video_end_s] if common else []):
        if rap in holes_s:
            _bounded_gop(previous, holes_s[rap], target_s, where)
            cuts.append(holes_s[rap])
            while rap - cuts[-1] > 2 * target_s:
                cuts.append(cuts[-1] + target_s)
            cuts.append(rap)
            continue
        _bounded_gop(previous, rap, target_s, where)
        if rap >= cuts[-1] // target_s * target_s + target_s and rap < video_end_s:
            cuts.append(rap)
    longest_s = 2 * target_s if common else target_s
    while end_s - cuts[-1] > longest_s:
        cuts.append(cuts[-1] + target_s)
    return cuts


def _bounded_gop(start: Fraction, end: Fraction, target_s: Fraction, where: str) -> None:
    if end - start > 2 * target_s:
        raise VodError(
            "no_rap",
            where,
            f"no common key frame between {float(start):.3f} s and {float(end):.3f} s, segments "
            f"are {float(target_s):g} s; re-encode with key frames at least that often (-g)",
        )


def first_samples(placed: Placed, cuts: Sequence[Fraction]) -> list[int]:
    """First sample of each segment, and the end: video at its RAPs, audio at the first packet with
    a time in the segment (TR-34). Equal neighbours mean that a segment has no sample.
    """
    track = placed.edited.track
    samples = placed.edited.samples
    if track.handler == "vide":
        at = {placed.time(i): i for i in placed.edited.raps if i >= placed.first}
        starts = []
        for when in (ticks(cut, track.timescale) for cut in cuts[1:]):
            behind = (i for i in placed.edited.holes if placed.time(i) > when)
            starts.append(at[when] if when in at else min(behind, default=placed.stop))
        return [placed.first, *starts, placed.stop]
    offset = placed.edited.shift + placed.zero
    starts = [
        bisect_left(samples.dts, ticks(cut, track.timescale) + offset, placed.first, placed.stop)
        for cut in cuts[1:]
    ]
    return [placed.first, *starts, placed.stop]


def ticks(seconds: Fraction, timescale: int) -> int:
    """The first tick at or after a time."""
    exact = seconds * timescale
    return -(-exact.numerator // exact.denominator)
