"""Delta updates of playlists that rules edit, made from what we serve in full (HLS-M22).

What is skipped follows from the playlist alone, so every node makes the same bytes. Date ranges are
never skipped: stages that edit playlists take CAN-SKIP-DATERANGES away (hls_trim.SKIPPING).
Source: HLS-20..HLS-23, HLS-M7, M13, M22; draft-pantos-hls-rfc8216bis-22 sections 4.4.5.2, 6.2.5.1.
"""

from dataclasses import replace
from fractions import Fraction

from native.hls import Line

from .hls import attribute, read_line
from .hls_segments import SECONDS, SKIP, Media, number_of, read_media
from .hls_splice import VERSION
from .hls_trim import CONTROL, DATERANGE, opened

SKIP_VERSION = 9  # HLS-20


def delta(data: bytes) -> bytes:
    """The playlist without the segments that are older than CAN-SKIP-UNTIL; as it is where that is
    not told, nothing is as old, or nothing more will come (HLS-22).
    """
    media = read_media(data)
    count = 0 if media.ended else _skipped(media)
    if not count:
        return data
    gone, first = media.segments[:count], media.segments[count]
    dates = [line for one in gone for line in one.lines if line.name == DATERANGE]
    first = opened(replace(first, lines=[*first.lines]), media.ending)
    told = read_line(b"#%b:SKIPPED-SEGMENTS=%d%b" % (SKIP, count, media.ending))
    body = (line for one in (first, *media.segments[count + 1 :]) for line in one.lines)
    return b"".join(line.raw for line in (*_head(media), told, *dates, *body, *media.tail))


def _skipped(media: Media) -> int:
    """How many segments lie wholly before the skip boundary (4.4.3.8)."""
    control = media.told(CONTROL)
    until = attribute(control, b"CAN-SKIP-UNTIL") if control else None
    if until is None or not SECONDS.fullmatch(until):
        return 0
    boundary_s, held_s = Fraction(until.decode()), Fraction(0)
    for at in range(len(media.segments), 0, -1):
        if held_s >= boundary_s:
            return at if at < len(media.segments) else 0
        held_s += media.segments[at - 1].duration_s
    return 0


def _head(media: Media) -> list[Line]:
    """The lines before the segments, with a version that knows deltas (HLS-M6)."""
    told = media.told(VERSION)
    if told is not None and number_of(told) >= SKIP_VERSION:
        return media.head
    version = read_line(b"#%b:%d%b" % (VERSION, SKIP_VERSION, media.ending))
    return [media.head[0], version, *(one for one in media.head[1:] if one.name != VERSION)]
