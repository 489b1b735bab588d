"""A live playlist cut to the newest part of its window; what stays plays as if nothing was missing.

Source: HLS-M9, M10, M12, M13, M18, M22; draft-pantos-hls-rfc8216bis-22 section 6.2.2.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from native.hls import Line

from .hls import attribute, changed, read_line
from .hls_segments import (
    BREAKS,
    BYTERANGE,
    CLOCK,
    DISCONTINUITY,
    KEY,
    OF_PLAYLIST,
    PART,
    SEQUENCE,
    TYPE,
    Media,
    Segment,
    read_media,
)

MIN_TARGETS = 3  # HLS-M18
DATERANGE = b"EXT-X-DATERANGE"
CONTROL = b"EXT-X-SERVER-CONTROL"
STAYING = OF_PLAYLIST | {DATERANGE}  # when the segment they stand before goes
SKIPPING: dict[bytes, bytes | None] = {b"CAN-SKIP-DATERANGES": None}  # not in deltas of ours


def windowed(data: bytes, window_s: float) -> bytes:
    """The last `window_s` seconds, never less than three target durations; nothing leaves a
    playlist that is ended or of a type, for those promise to keep it.
    """
    media = read_media(data)
    if media.ended or media.told(TYPE) is not None:
        return data
    wanted_s, held_s = max(window_s, MIN_TARGETS * media.target_s), 0.0
    first = len(media.segments)
    while first and held_s < wanted_s:
        first -= 1
        held_s += float(media.segments[first].duration_s)
    return written(cut(media, first))


def cut(media: Media, first: int) -> Media:
    """Without the segments before the index `first`; MSN and DSN rise by what went."""
    gone, kept = media.segments[:first], media.segments[first:]
    if not gone:
        return media
    ranges = [line for one in gone for line in one.lines if line.name in STAYING]
    if kept:
        kept = [opened(kept[0], media.ending), *kept[1:]]
    return Media(
        [*media.head, *ranges],
        kept,
        media.tail,
        media.sequence + len(gone),
        media.breaks + sum(line.name == DISCONTINUITY for one in gone for line in one.lines),
        media.ending,
    )


def opened(segment: Segment, ending: bytes) -> Segment:
    """The segment with its lines as it needs them to stand first."""
    segment.lines = opening(segment, ending)
    return segment


def opening(segment: Segment, ending: bytes) -> list[Line]:
    """Lines of a segment that stands first: everything in force is written (HLS-M12, M13)."""
    own = {line.name for line in segment.lines}
    state = list(segment.keys) if KEY not in own else []
    state += [line for name, line in segment.standing.items() if name not in own]
    if segment.clock is not None and CLOCK not in own:
        state.append(read_line(b"#" + CLOCK + b":" + date_time(segment.clock) + ending))
    offsets = iter(segment.parts)
    lines = [_explicit(line, segment, offsets) for line in segment.lines]
    at = next((at + 1 for at, line in enumerate(lines) if line.name == DISCONTINUITY), 0)
    return [*lines[:at], *state, *lines[at:]]


def _explicit(line: Line, segment: Segment, offsets: Iterable[int]) -> Line:
    """A byte range with its offset; the one that it followed may be gone."""
    if line.name == PART and (told := attribute(line, b"BYTERANGE")) is not None:
        offset = next(iter(offsets))
        if b"@" not in told:
            return changed(line, {b"BYTERANGE": b'"%b@%d"' % (told, offset)})
    elif line.name == BYTERANGE and b"@" not in line.value:
        text = line.raw.rstrip()
        return read_line(b"%b@%d%b" % (text, segment.offset or 0, line.raw[len(text) :]))
    return line


def date_time(instant: datetime) -> bytes:
    """ISO 8601 with milliseconds; a zone as it was told."""
    text = instant.isoformat(timespec="milliseconds")
    if instant.tzinfo is not None and instant.utcoffset() == UTC.utcoffset(None):
        text = text.removesuffix("+00:00") + "Z"
    return text.encode()


def written(media: Media) -> bytes:
    """The playlist again: both sequence numbers true, and deltas only as ours are (HLS-M22)."""
    lines = [line for line in media.head if line.name not in (SEQUENCE, BREAKS)]
    numbers = [(SEQUENCE, media.sequence)]
    if media.breaks or any(segment.has(DISCONTINUITY) for segment in media.segments):
        numbers.append((BREAKS, media.breaks))
    at = next((at for at, line in enumerate(media.head) if line.name == SEQUENCE), len(lines))
    at = max(1, min(at, len(lines)))
    told = [read_line(b"#%b:%d%b" % (*number, media.ending)) for number in numbers]
    body = (line for segment in media.segments for line in segment.lines)
    whole = [*lines[:at], *told, *lines[at:], *body, *media.tail]
    return b"".join(
        changed(line, SKIPPING).raw if line.name == CONTROL else line.raw for line in whole
    )
