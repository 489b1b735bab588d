"""A slate in the numbers of a live playlist that its source has no media for.

The clip's segments stand in for segments of the same length and repeat while the source is silent;
`outages` says which numbers they take. Sessions have no parts (HLS-M25): who may meet a slate gets
whole segments from the first answer on.
Source: manifest-proxy MP-18; HLS-M8..M16, M25; draft-pantos-hls-rfc8216bis-22 section 6.2.2.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, takewhile

from native.hls import Line, Playlist

from .hls import changed, read_line
from .hls_segments import (
    DISCONTINUITY,
    EXTINF,
    OF_SEGMENT,
    PART,
    TYPE,
    Media,
    Segment,
    read_media,
)
from .hls_splice import CLEAR, common_head, fits, led
from .hls_trim import CONTROL, DATERANGE, SKIPPING, cut, opened, written
from .outages import Outage, Shown, Told

GAP, STILLS = b"EXT-X-GAP", b"EXT-X-I-FRAMES-ONLY"
HURRIED = frozenset({PART, b"EXT-X-PART-INF", b"EXT-X-PRELOAD-HINT", b"EXT-X-RENDITION-REPORT"})
UNHURRIED: dict[bytes, bytes | None] = {
    **SKIPPING,
    b"CAN-SKIP-UNTIL": None,
    b"CAN-BLOCK-RELOAD": None,
    b"PART-HOLD-BACK": None,
}
SLACK = 2  # segments that stay listed longer, so that numbers never fall when media are back (M10)
MAX_TOLD = 64


@lru_cache(MAX_TOLD)
def told(data: bytes) -> Told | None:
    """What a playlist tells of its source; None for one that gets no slate."""
    media = read_media(data)
    kinds = (media.told(name) for name in (STILLS, TYPE))
    if media.ended or not media.segments or not media.target_s or any(kinds):
        return None
    has_media = tuple(not one.has(GAP) for one in media.segments)
    rises = accumulate(one.has(DISCONTINUITY) for one in media.segments)
    breaks = tuple(media.breaks + rise for rise in rises)
    length_s = sum((one.duration_s for one in media.segments), Fraction(0))
    period_ms = round(1000 * length_s / len(media.segments))
    return Told(media.sequence, has_media, breaks, media.target_s, period_ms)


@lru_cache(MAX_TOLD)
def loop_of(clip: bytes, period_ms: int) -> int:
    """How many segments of a clip can stand in for one of a playlist each: all that are as long as
    its, within a tenth, before the first that is not or that does not go on where the last ended.
    """
    media = read_media(clip)

    def suits(segment: Segment) -> bool:
        late_ms = abs(1000 * segment.duration_s - period_ms)
        return 10 * late_ms <= period_ms and not segment.has(DISCONTINUITY)

    return sum(1 for _ in takewhile(suits, media.segments))


def unhurried(data: bytes) -> bytes:
    """The playlist in whole segments, without promises that a slate could not keep (HLS-M25)."""
    if Playlist(data).tags.isdisjoint(HURRIED | {CONTROL}):
        return data
    media = read_media(data)
    lines = [line for one in media.segments for line in one.lines]
    tail = [line for line in media.tail if line.name not in OF_SEGMENT]
    kept = [line for line in (*media.head, *lines, *tail) if line.name not in HURRIED]
    told = (changed(line, UNHURRIED) if line.name == CONTROL else line for line in kept)
    return b"".join(line.raw for line in told if line.name != CONTROL or line.value)


def with_slate(data: bytes, clip: bytes, lead: Callable[[bytes], bytes], shown: Shown) -> bytes:
    """The playlist with the clip in the numbers that outages took; `lead` makes a clip's reference
    one of the content's. As it is where it meets none, or the clip does not fit (HLS-M11).
    """
    content = read_media(data)
    if not content.segments:
        return data
    last = content.segments[-1].number
    end = max(last + 1, shown.end or 0, *(one.end or 0 for one in shown.outages))
    first = content.sequence + max(0, end - last - 1 - SLACK)
    met = any(one.end is None or one.end >= first for one in shown.outages)
    before = read_media(clip)
    if not (met or shown.rise_at(first)) or not fits(content, before):
        return data
    splicer = _Splicer(content, _led(before, content, lead), shown)
    numbers = range(first, end)
    kept = cut(content, min(first, last) - content.sequence)
    if met:
        kept.head = [*common_head(kept, before), *splicer.dates(numbers)]
    kept.sequence, kept.breaks = first, splicer.breaks_before(first)
    kept.segments = [splicer.at(number) for number in numbers]
    kept.segments[0] = opened(kept.segments[0], content.ending)
    return written(kept)


def _led(clip: Media, content: Media, lead: Callable[[bytes], bytes]) -> list[Segment]:
    """The clip's segments among the content's, with keys and header as they are led."""
    segments = led(clip, content, lead)
    return read_media(written(replace(clip, segments=segments))).segments


class _Splicer:
    def __init__(self, content: Media, clip: list[Segment], shown: Shown) -> None:
        self.content = content
        self.clip = clip
        self.shown = shown

    def at(self, number: int) -> Segment:
        """What stands under a number: the source's segment, or one of the clip."""
        outage = self.shown.outage_of(number)
        if outage is not None:
            return self._slate(number, outage)
        behind = number > self.content.segments[-1].number
        return self._lost(number) if behind else self._own(number)

    def dates(self, numbers: range) -> list[Line]:
        """Date ranges that stand at segments which the clip takes the place of (HLS-12)."""
        return [
            line
            for one in self.content.segments
            if one.number in numbers and self.shown.outage_of(one.number)
            for line in one.lines
            if line.name == DATERANGE
        ]

    def breaks_before(self, number: int) -> int:
        """EXT-X-DISCONTINUITY-SEQUENCE of a playlist that begins there (4.4.3.3)."""
        outage = self.shown.outage_of(number)
        if outage is not None:
            return outage.breaks_at(number) - outage.opens(number)
        own = self._listed(number)
        breaks = self.content.breaks + sum(
            one.has(DISCONTINUITY) for one in self.content.segments if one.number <= number
        )
        back = self._is_back(number)
        return breaks + self.shown.rise_at(number) - (back or own.has(DISCONTINUITY))

    def _listed(self, number: int) -> Segment:
        segments = self.content.segments
        return segments[min(number - self.content.sequence, len(segments) - 1)]

    def _is_back(self, number: int) -> bool:
        return any(one.end == number for one in self.shown.outages)

    def _own(self, number: int) -> Segment:
        segment = self._listed(number)
        if not self._is_back(number):
            return segment
        clear = any(one.keys for one in self.clip) and not segment.keys
        return self._broken(opened(segment, self.content.ending), clear)

    def _slate(self, number: int, outage: Outage) -> Segment:
        one = self.clip[(number - outage.first) % outage.loop % len(self.clip)]
        clock = self._clock(number)
        segment = Segment([*one.lines], number, one.duration_s, one.keys, one.standing, clock)
        segment.offset = one.offset
        if not outage.opens(number):
            return segment
        clear = any(own.keys for own in self.content.segments) and not segment.keys
        return self._broken(opened(segment, self.content.ending), clear)

    def _lost(self, number: int) -> Segment:
        """A gap for what this rendition did not list when others already did (HLS-9)."""
        one = self.clip[0]
        length = next(line for line in one.lines if line.name == EXTINF)
        gap = read_line(b"#" + GAP + self.content.ending)
        lines = [gap, length, one.lines[-1]]
        return Segment(lines, number, one.duration_s, clock=self._clock(number))

    def _clock(self, number: int) -> datetime | None:
        """Of the time that passes while nothing comes (HLS-M17)."""
        last = self.content.segments[-1]
        if number <= last.number:
            return self._listed(number).clock
        late = (number - last.number) * timedelta(seconds=float(last.duration_s))
        return last.clock and last.clock + late

    def _broken(self, segment: Segment, clear: bool) -> Segment:
        """A discontinuity first, and no key of what was before (HLS-M15)."""
        lines = [line for line in segment.lines if line.name != DISCONTINUITY]
        segment.lines = [*self._break(clear), *lines]
        return segment

    def _break(self, clear: bool) -> Iterator[Line]:
        yield read_line(b"#" + DISCONTINUITY + self.content.ending)
        if clear:
            yield read_line(CLEAR + self.content.ending)
