"""A media playlist as segments with their own lines, and the state each one stands in.

Stages that cut or join playlists work on these: keys, header and clock that an earlier line set are
known at every segment. Source: draft-pantos-hls-rfc8216bis-22 section 4.4; HLS-M12..M15.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from native.hls import Kind, Line, Playlist

from .errors import ManifestError
from .hls import attribute

EXTINF, KEY, MAP, BITRATE = b"EXTINF", b"EXT-X-KEY", b"EXT-X-MAP", b"EXT-X-BITRATE"
CLOCK, DISCONTINUITY = b"EXT-X-PROGRAM-DATE-TIME", b"EXT-X-DISCONTINUITY"
BYTERANGE, PART, SKIP = b"EXT-X-BYTERANGE", b"EXT-X-PART", b"EXT-X-SKIP"
SEQUENCE, BREAKS = b"EXT-X-MEDIA-SEQUENCE", b"EXT-X-DISCONTINUITY-SEQUENCE"
TARGET, ENDLIST, TYPE = b"EXT-X-TARGETDURATION", b"EXT-X-ENDLIST", b"EXT-X-PLAYLIST-TYPE"

# Tags that belong to the segment behind them (4.4.4); what stands before them is the head's.
OF_SEGMENT = frozenset(
    {EXTINF, KEY, MAP, BITRATE, CLOCK, DISCONTINUITY, BYTERANGE, PART, b"EXT-X-GAP"}
)
# Tags that speak for the playlist wherever they stand (4.4.1.2, 4.4.2, 4.4.3).
OF_PLAYLIST = frozenset(
    {b"EXT-X-VERSION", b"EXT-X-INDEPENDENT-SEGMENTS", b"EXT-X-START", b"EXT-X-DEFINE"}
    | {TARGET, SEQUENCE, BREAKS, ENDLIST, TYPE, b"EXT-X-I-FRAMES-ONLY", b"EXT-X-PART-INF"}
    | {b"EXT-X-SERVER-CONTROL"}
)
STANDING = (MAP, BITRATE)  # in force until replaced, besides the keys
RANGE = re.compile(rb"([0-9]{1,18})(?:@([0-9]{1,18}))?")
NUMBER = re.compile(rb"[0-9]{1,18}")
SECONDS = re.compile(rb"[0-9]{1,9}(?:\.[0-9]{1,9})?")


@dataclass(slots=True)
class Segment:
    """`lines` with its URI; `keys`, `standing` and `clock` as they are in force at its start."""

    lines: list[Line]
    number: int
    duration_s: Fraction = Fraction(0)
    keys: tuple[Line, ...] = ()
    standing: dict[bytes, Line] = field(default_factory=dict)
    clock: datetime | None = None
    offset: int | None = None  # of its byte range
    parts: list[int] = field(default_factory=list)  # offsets of its parts' byte ranges

    def has(self, name: bytes) -> bool:
        return any(line.name == name for line in self.lines)


@dataclass(slots=True)
class Media:
    """`head`, the segments, and the `tail` behind the last URI."""

    head: list[Line]
    segments: list[Segment]
    tail: list[Line]
    sequence: int
    breaks: int
    ending: bytes

    def told(self, name: bytes) -> Line | None:
        """The first line of that tag outside of the segments."""
        return next((line for line in (*self.head, *self.tail) if line.name == name), None)

    @property
    def target_s(self) -> int:
        return number_of(self.told(TARGET))

    @property
    def ended(self) -> bool:
        return self.told(ENDLIST) is not None


def numbered(data: bytes) -> Iterator[tuple[int, Line]]:
    """Each line with the media sequence number of its segment; what stands behind the last URI is
    of the segment to come. Raises ManifestError for a delta.
    """
    playlist = Playlist(data)
    if SKIP in playlist.tags:
        raise ManifestError("playlist_delta", "a delta cannot be edited")
    lines = playlist.lines()
    number = number_of(next((line for line in lines if line.name == SEQUENCE), None))
    for line in lines:
        yield number, line
        number += line.kind is Kind.URI


def number_of(line: Line | None) -> int:
    """The decimal integer of a tag; 0 when it is absent."""
    if line is None:
        return 0
    if not NUMBER.fullmatch(line.value):
        raise ManifestError("playlist_number", f"{line.name.decode()} has no number")
    return int(line.value)


def read_media(data: bytes) -> Media:
    """ManifestError where a delta or ill-formed numbers leave the segments unknown."""
    playlist = Playlist(data)
    if SKIP in playlist.tags:
        raise ManifestError("playlist_delta", "a delta cannot be edited")
    lines = playlist.lines()
    uris = [at for at, line in enumerate(lines) if line.kind is Kind.URI]
    first = _first_of_segment(lines, uris[0]) if uris else len(lines)
    head, tail = lines[:first], lines[uris[-1] + 1 :] if uris else []
    opening = lines[first : uris[0] + 1] if uris else []
    late = [line for line in opening if line.name in OF_PLAYLIST]
    head += late
    told = {line.name: line for line in reversed(head)}
    sequence, breaks = number_of(told.get(SEQUENCE)), number_of(told.get(BREAKS))
    segments = []
    for count, at in enumerate(uris):
        begin = uris[count - 1] + 1 if count else first
        segments.append(Segment(lines[begin : at + 1], sequence + count))
    if late:
        segments[0].lines = [line for line in opening if line.name not in OF_PLAYLIST]
    _follow(segments)
    return Media(head, segments, tail, sequence, breaks, lines[0].ending or b"\n")


def _first_of_segment(lines: Sequence[Line], uri: int) -> int:
    return next((at for at in range(uri) if lines[at].name in OF_SEGMENT), uri)


def _follow(segments: Iterable[Segment]) -> None:
    """Carry keys, header, clock and byte ranges from segment to segment."""
    keys: tuple[Line, ...] = ()
    standing: dict[bytes, Line] = {}
    clock: datetime | None = None
    ends: dict[bytes, int] = {}
    for segment in segments:
        fresh: list[Line] = []
        for line in segment.lines:
            if line.name == KEY:
                fresh.append(line)
            elif line.name in STANDING:
                standing = {**standing, line.name: line}
            elif line.name == CLOCK:
                clock = _instant(line.value)
            elif line.name == EXTINF:
                segment.duration_s = _seconds(line.value.partition(b",")[0].strip())
        keys = tuple(fresh) or keys
        segment.keys, segment.standing, segment.clock = keys, standing, clock
        clock = clock and _later(clock, segment.duration_s)
        _ranges(segment, ends)


def _ranges(segment: Segment, ends: dict[bytes, int]) -> None:
    """Offsets that are written or follow from the range before (4.4.4.2, 4.4.4.9)."""
    for line in segment.lines:
        if line.name == PART and (told := attribute(line, b"BYTERANGE")):
            uri = attribute(line, b"URI") or b""
            segment.parts.append(_offset(told, uri, ends))
        elif line.name == BYTERANGE:
            segment.offset = _offset(line.value, segment.lines[-1].value, ends)


def _offset(told: bytes, uri: bytes, ends: dict[bytes, int]) -> int:
    found = RANGE.fullmatch(told)
    if found is None:
        raise ManifestError("playlist_range", "a byte range has no length")
    offset = int(found[2]) if found[2] else ends.get(uri, 0)
    ends[uri] = offset + int(found[1])
    return offset


def _instant(text: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(text.decode("latin-1"))
    except ValueError:
        return None


def _later(clock: datetime, duration_s: Fraction) -> datetime | None:
    """None behind the last year that a clock can tell."""
    try:
        return clock + timedelta(microseconds=round(duration_s * 10**6))
    except OverflowError:
        return None


def _seconds(text: bytes) -> Fraction:
    if not SECONDS.fullmatch(text):
        raise ManifestError("playlist_duration", "an EXTINF without a duration")
    return Fraction(text.decode())
