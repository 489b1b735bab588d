"""Edits and pre-roll: where a track's samples lie on the title's clock (TR-16..20, 27..30).

Theory of operation
    Audio packets that only prime the decoder lie before the first picture. They are kept, and the
    whole title starts later by the longest priming (21 ms for AAC), pictures included: all decode
    times are >= 0, no edit list is needed and sync is exact to half an audio tick. The first audio
    segment carries a note of how many samples a decoder drops (native.bmff.write.gapless).

Why not TR-30's default (reasoned) or its option (run, ffmpeg 5.1.9 and 9.0.2, our HLS and DASH)
    drop       the first packet kept is decoded without its predecessor: 1,024 wrong samples
    elst       9.0.2 over DASH opens each segment anew and drops 1,024 samples of every one of them;
               5.1.9 ignores the list in fragments and plays the priming
    this form  decoded audio equals the source's, frame for frame, in all four. A last packet that
               the source cuts in its middle is whole again in 9.0.2: fragments have no place for it
"""

from bisect import bisect_left
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, gcd
from statistics import mode

from native.bmff import Track
from native.bmff.tables import Samples
from origin.vod.errors import VodError

# Longest priming kept: CoreAudio's 2,112 and HE-AAC's double, in samples (TR-20)
MAX_PREROLL = 4224


@dataclass(frozen=True, slots=True)
class Edited:
    """A track after its edit list, before the title's zero is known; ticks of the track."""

    track: Track
    samples: Samples
    raps: list[int]  # decode-order numbers
    shift: int  # presentation = dts + cto - shift
    first: int  # first sample that is presented
    stop: int
    start: int  # when presentation starts; priming does not count
    mid_gop: bool  # pictures before the first RAP were lost (TR-17)
    holes: tuple[int, ...] = ()  # samples before which there is nothing for long (TR-23)

    def time(self, sample: int) -> int:
        return self.samples.dts[sample] + self.samples.cto[sample] - self.shift

    @property
    def start_s(self) -> Fraction:
        return Fraction(self.start, self.track.timescale)


@dataclass(frozen=True, slots=True)
class Placed:
    """A track on the title's clock."""

    edited: Edited
    zero: int  # the title's zero in ticks of the track's presentation time
    first: int  # first sample kept, pre-roll included
    stop: int
    preroll: int  # ticks of priming before presentation starts

    @property
    def cto_shift(self) -> int:
        """What the composition offsets lose so that the first one is 0 (TR-29)."""
        return self.edited.samples.cto[self.first]

    def decode_time(self, sample: int) -> int:
        """tfdt of a segment that starts there."""
        base = self.edited.samples.dts[sample] - self.edited.shift - self.zero
        return base + self.cto_shift

    def time(self, sample: int) -> int:
        """Presentation time on the title's clock."""
        return self.edited.time(sample) - self.zero

    @property
    def end(self) -> int:
        return self.end_of(self.stop - 1)

    def end_of(self, sample: int) -> int:
        """When what is decoded up to this sample has been shown."""
        return self.decode_time(sample) + self.edited.samples.duration[sample]

    @property
    def holes_s(self) -> dict[Fraction, Fraction]:
        """When each hole begins, by when it ends (TR-23)."""
        scale = self.edited.track.timescale
        return {
            Fraction(self.decode_time(i), scale): Fraction(self.end_of(i - 1), scale)
            for i in self.edited.holes
            if i > self.first
        }


def edit_of(track: Track, where: str, movie_timescale: int) -> tuple[int, int, int]:
    """media_time, delay and length of the one real edit, in media ticks; length 0 = to the end."""
    delay = 0
    found: tuple[int, int] | None = None
    for edit in track.edits:
        if edit.media_time == -1 and found is None:
            delay += edit.duration
        elif edit.media_time < 0 or edit.rate != 0x10000 or found is not None:
            what = "a second edit" if found is not None else "a dwell or a rate"
            raise VodError(
                "unsupported_edit",
                where,
                f"track {track.id} has {what} in its edit list; re-encode it flat",
            )
        else:
            found = (edit.media_time, edit.duration)
    media_time, length = found or (0, 0)
    return (
        media_time,
        _rescale(delay, track, movie_timescale),
        _rescale(length, track, movie_timescale),
    )


def _rescale(value: int, track: Track, movie_timescale: int) -> int:
    return (2 * value * track.timescale + movie_timescale) // (2 * movie_timescale)


def apply_edits(
    track: Track, samples: Samples, raps: list[int], movie_timescale: int, where: str
) -> Edited:
    """The samples that the edit list presents; odd times of `samples` are put right in place."""
    media_time, delay, length = edit_of(track, where, movie_timescale)
    stop = len(samples)
    _even_ends(track, samples)
    dts, cto, duration = samples.dts, samples.cto, samples.duration
    tolerance = duration[stop - 1] + -(-track.timescale // movie_timescale)
    if length and dts[stop - 1] + duration[stop - 1] - media_time - length > tolerance:  # TR-16
        while stop > 1 and dts[stop - 1] + cto[stop - 1] >= media_time + length:
            stop -= 1
    first = 0
    lost = False
    if track.handler == "vide":
        opens = media_time if track.edits else min(media_time, dts[0] + cto[0])  # TR-25
        usable = [i for i in raps if i < stop and dts[i] + cto[i] >= opens]
        if not usable:
            raise VodError("no_rap", where, f"track {track.id} has no IDR picture after its edit")
        first = usable[0]
        lost = first > 0 and any(dts[i] + cto[i] >= opens for i in range(first))
        start = dts[first] + cto[first] - media_time + delay
        try:
            _in_order(samples, [i for i in raps if first <= i < stop], first, stop)
        except OverflowError as error:
            what = f"track {track.id}: no box can tell its times ({error})"
            raise VodError("bad_table", where, what) from error
    else:
        first = min(bisect_left(dts, media_time, 0, stop), stop - 1)
        start = delay if track.edits else dts[0]
    return Edited(track, samples, raps, media_time - delay, first, stop, start, lost)


def without_holes(edited: Edited, longest_s: Fraction) -> Edited:
    """Samples that last longer than this are as long as others, and leave a hole behind them: for
    pictures only where a decoder can start again (TR-23).
    """
    duration, longest = edited.samples.duration, longest_s * edited.track.timescale
    if max(duration[edited.first : edited.stop]) <= longest:
        return edited
    usual = mode(duration)
    starts = set(edited.raps) if edited.track.handler == "vide" else None
    found = [
        i
        for i in range(edited.first + 1, edited.stop)
        if duration[i - 1] > longest >= usual and (starts is None or i in starts)
    ]
    for i in found:
        duration[i - 1] = usual
    return replace(edited, holes=tuple(found))


def _even_ends(track: Track, samples: Samples) -> None:
    """A last sample of no length gets the usual one (TR-22); a first sound whose length was
    stretched over what an edit list should say lies at the end of its span (TR-19).
    """
    duration = samples.duration
    if len(samples) < 2:
        return
    if duration[-1] <= 1:
        duration[-1] = mode(duration)
    stretched = track.handler == "soun" and not track.edits and duration[0] > duration[1]
    if stretched and 1 < duration[1] == mode(duration):
        samples.dts[0] += duration[0] - duration[1]
        duration[0] = duration[1]


def _in_order(samples: Samples, raps: list[int], first: int, stop: int) -> None:
    """Where a random access point is not decoded when it is shown, as for variable frame rates, the
    presentation times in rising order become the decode times; no picture moves (TR-29).
    """
    dts, cto = samples.dts, samples.cto
    base = cto[first]
    if all(cto[i] == base for i in raps):
        return
    shown = [dts[i] + cto[i] for i in range(first, stop)]
    times = sorted(shown)
    if len(set(times)) < len(times):
        return
    for i, (time, pts) in enumerate(zip(times, shown, strict=True), first):
        dts[i] = time - base
        cto[i] = pts - dts[i]
    for i in range(first, stop - 1):
        samples.duration[i] = dts[i + 1] - dts[i]


def place(tracks: list[Edited]) -> list[Placed]:
    """Put tracks on one clock, whose 0 is the first sample of the longest pre-roll."""
    zero_s = title_zero_s(tracks)
    primed = [_priming(track, _round(zero_s * track.track.timescale)) for track in tracks]
    longest_s = max(
        (Fraction(p, t.track.timescale) for t, (_, p) in zip(tracks, primed, strict=True)),
        default=Fraction(0),
    )
    grid = gcd(*(t.track.timescale for t in tracks if t.track.handler == "vide"))
    if grid:  # rungs must stay aligned to the tick (TR-38)
        longest_s = Fraction(ceil(longest_s * grid), grid)
    return [
        Placed(t, _round((zero_s - longest_s) * t.track.timescale), first, t.stop, priming)
        for t, (first, priming) in zip(tracks, primed, strict=True)
    ]


def _priming(edited: Edited, zero: int) -> tuple[int, int]:
    """The first sample to keep, and the ticks from it to the start of the presentation."""
    first = edited.first
    if edited.track.handler == "vide":
        return first, 0
    while first < edited.stop - 1 and edited.time(first) < zero:
        first += 1
    while first > 0 and edited.time(first - 1) >= zero - MAX_PREROLL:
        first -= 1
    return first, max(0, zero - edited.time(first))


def _round(ticks: Fraction) -> int:
    return (2 * ticks.numerator + ticks.denominator) // (2 * ticks.denominator)


def title_zero_s(tracks: list[Edited]) -> Fraction:
    """The earliest presented time (TR-27), or the first RAP where an edit cut a GOP (TR-17)."""
    cut = [t.start_s for t in tracks if t.mid_gop]
    return max(cut) if cut else min(t.start_s for t in tracks)
