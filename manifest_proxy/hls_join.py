"""A clip before a live playlist, at the place where a viewer joined it.

Rules of the file
1. The session names the content segment that the viewer came in at, by its date and time. Clip
   segments take the numbers before it, so that content keeps the origin's numbers: reloads,
   reports and implied IVs mean what they meant (HLS-M8, M14, M23).
2. Content stands that many discontinuities later, whether the clip is in the window or not, so that
   no answer depends on an earlier one (HLS-M9): nodes, restarts and new tokens change nothing.
3. The clip leaves together with the segment it stands before; media before that are never shown.

Source: HLS-M5 to M19; draft-pantos-hls-rfc8216bis-22 sections 4.4.2.2, 4.4.3.2, 6.2.2.
"""

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC
from itertools import accumulate

from native.hls import Kind, Playlist

from .errors import ManifestError
from .hls import changed
from .hls_pathways import VARIANT
from .hls_segments import BREAKS, DISCONTINUITY, SEQUENCE, Media, Segment, read_media
from .hls_splice import CLEAR, common_head, fits, led
from .hls_trim import CONTROL, DATERANGE, MIN_TARGETS, SKIPPING, opening

START = b"EXT-X-START"
AT_CLIP = b"#EXT-X-START:TIME-OFFSET=0,PRECISE=YES"
LONG_AGO_MS = 1  # since 1970; 0 is nobody's
START_TARGETS = 2 * MIN_TARGETS  # who loads the playlist later than that begins at the live edge


def first_playlist(master: bytes) -> bytes:
    """The reference of a master's first variant."""
    playlist = Playlist(master)
    if VARIANT not in playlist.tags:
        raise ManifestError("not_a_master", "no variant in a playlist that renditions stand below")
    return next((line.value for line in playlist.lines() if line.kind is Kind.URI), b"")


def place_to_join(data: bytes) -> int | None:
    """Milliseconds since 1970 of the segment that a viewer who comes now begins with, three target
    durations before the end (6.3.3); None where all is there already, or no clock is told.
    """
    media = read_media(data)
    if media.ended or not media.segments or not media.target_s:
        return None
    at, held_s = len(media.segments), 0.0
    while at and held_s < MIN_TARGETS * media.target_s:
        at -= 1
        held_s += float(media.segments[at].duration_s)
    return _clock_ms(media.segments[at])


def _clock_ms(segment: Segment) -> int | None:
    clock = segment.clock
    if clock is None:
        return None
    return round((clock if clock.tzinfo else clock.replace(tzinfo=UTC)).timestamp() * 1000)


class Joints:
    """One version of a playlist and one of a clip; `at` any place a copy is a few joins of bytes.

    `lead` makes a clip's reference one of the content's.
    """

    def __init__(self, data: bytes, clip: bytes, lead: Callable[[bytes], bytes]) -> None:
        content, before = read_media(data), read_media(clip)
        self._data = data
        self._content = content
        self._fits = fits(content, before)
        if not self._fits:
            return
        breaks = [segment.has(DISCONTINUITY) for segment in content.segments]
        self._breaks = [content.breaks + count for count in accumulate(breaks)]
        clocks = [_clock_ms(segment) for segment in content.segments]
        self._clocks_ms = [at for at in clocks if at is not None]
        self._halves_ms = [float(500 * segment.duration_s) for segment in content.segments]
        self._start_s = START_TARGETS * content.target_s
        sizes = (sum(len(line.raw) for line in one.lines) for one in content.segments)
        head_size = sum(len(line.raw) for line in content.head)
        self._ends = [*accumulate(sizes, initial=head_size)]
        self._left_s = _left_s(content)
        self._dates = [
            (at, line.raw)
            for at, segment in enumerate(content.segments)
            for line in segment.lines
            if line.name == DATERANGE
        ]
        clip_lines = [line for one in led(before, content, lead) for line in one.lines]
        self._clip = b"".join(line.raw for line in clip_lines)
        self._count = len(before.segments)
        self._rise = 1 + sum(line.name == DISCONTINUITY for line in clip_lines)
        self._protected = any(segment.keys for segment in before.segments)
        self._head(before)

    def _head(self, clip: Media) -> None:
        """Lines before the numbers, and behind them with and without a place to start."""
        lines = common_head(self._content, clip)
        lines = [changed(one, SKIPPING) if one.name == CONTROL else one for one in lines]
        lines = [one for one in lines if one.name not in (SEQUENCE, BREAKS)]
        self._top = lines[0].raw
        self._rest = b"".join(line.raw for line in lines[1:])
        self._started = b"".join(line.raw for line in lines[1:] if line.name != START)

    def time_of(self, joined_ms: int) -> int:
        """One for all who joined at the same segment, and one for those whose clip is gone."""
        place = self._place(joined_ms) if self._fits else None
        return LONG_AGO_MS if place is None else self._clocks_ms[place]

    def at(self, joined_ms: int) -> bytes:
        """The playlist of viewers who joined there."""
        content, ending = self._content, self._content.ending
        if not self._fits:
            return self._data
        place = self._place(joined_ms)
        if place is None:
            top = [line.raw for line in content.segments[0].lines]
            numbers = self._numbers(content.sequence, content.breaks + self._rise)
            rest = self._data[self._ends[1] :]
            return b"".join([self._top, numbers, self._rest, *top, rest])
        segment = content.segments[place]
        numbers = self._numbers(segment.number - self._count, self._breaks[place])
        start = self._left_s[place] < self._start_s
        parts = [self._top, numbers, self._started if start else self._rest]
        if start:
            parts.append(AT_CLIP + ending)
        parts += [raw for at, raw in self._dates if at < place]
        parts += [self._clip, b"#" + DISCONTINUITY + ending]
        if self._protected and not segment.keys:
            parts.append(CLEAR + ending)  # HLS-M15
        first = opening(segment, ending)
        parts += [line.raw for line in first if line.name != DISCONTINUITY]
        parts.append(self._data[self._ends[place + 1] :])
        return b"".join(parts)

    def _place(self, joined_ms: int) -> int | None:
        """The index of the segment whose start is nearest: renditions differ by a few samples."""
        clocks = self._clocks_ms
        if len(clocks) != len(self._content.segments):
            return None
        behind = bisect_right(clocks, joined_ms)
        for at in (behind - 1, behind):
            if 0 <= at < len(clocks) and abs(clocks[at] - joined_ms) < self._halves_ms[at]:
                return at if self._content.segments[at].number >= self._count else None
        return None

    def _numbers(self, sequence: int, breaks: int) -> bytes:
        ending = self._content.ending
        return b"#%b:%d%b#%b:%d%b" % (SEQUENCE, sequence, ending, BREAKS, breaks, ending)


def _left_s(content: Media) -> list[float]:
    """Seconds from the start of each segment to the end."""
    durations = [float(segment.duration_s) for segment in reversed(content.segments)]
    return [*accumulate(durations)][::-1]
