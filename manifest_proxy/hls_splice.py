"""A clip in front of a playlist: boundaries, keys and numbers as players need them.

The clip is a playlist of its own, one for each rendition. Source: HLS-M6, M11, M14, M15, M16, M17,
M19; draft-pantos-hls-rfc8216bis-22 sections 4.4.3.2, 4.4.4.3 to 4.4.4.5.
"""

from collections.abc import Callable
from fractions import Fraction

from native.hls import Line

from .hls import attribute, changed, read_line
from .hls_segments import CLOCK, DISCONTINUITY, EXTINF, KEY, MAP, Media, Segment
from .hls_segments import read_media as read
from .hls_trim import opened, written

INDEPENDENT, VERSION = b"EXT-X-INDEPENDENT-SEGMENTS", b"EXT-X-VERSION"
CLEAR = b"#EXT-X-KEY:METHOD=NONE"
LED: dict[bytes, tuple[bytes, ...]] = {KEY: (b"URI",), MAP: (b"URI",)}


def with_bumper(data: bytes, clip: bytes | None, lead: Callable[[bytes], bytes]) -> bytes:
    """The content with the clip before it; `lead` makes a clip's reference one of the content's.

    A clip that does not fit is left out (HLS-M11), and nothing stands in front of a playlist that
    is not ended: that takes the place where a viewer joined it (hls_join).
    """
    content = read(data)
    before = read(clip) if clip is not None else None
    if before is None or not content.ended or not fits(content, before):
        return data
    return written(_joined(content, before, lead))


def fits(content: Media, clip: Media) -> bool:
    """Whether no segment of the clip is longer than the content's target duration (HLS-M11)."""
    if not content.segments or not clip.segments:
        return False
    longest_s = max(segment.duration_s for segment in clip.segments)
    return int(longest_s + Fraction(1, 2)) <= content.target_s


def filler(clip: bytes) -> bytes:
    """Segments of the same lengths with nothing in them, for a rendition that the clip lacks."""
    media = read(clip)
    lines: list[Line] = []
    for segment in media.segments:
        length = next(line for line in segment.lines if line.name == EXTINF)
        lines += [read_line(b"#EXT-X-GAP" + media.ending), length, segment.lines[-1]]
    return b"".join(line.raw for line in (*media.head, *lines, *media.tail))


def _joined(content: Media, clip: Media, lead: Callable[[bytes], bytes]) -> Media:
    ending = content.ending
    protected = any(segment.keys for segment in clip.segments)
    first = led(clip, content, lead)
    rest = [_numbered(segment, ending) for segment in content.segments]
    rest[0] = opened(rest[0], ending)
    head = [read_line(b"#" + DISCONTINUITY + ending)]
    if protected and not content.segments[0].keys:
        head.append(read_line(CLEAR + ending))  # HLS-M15
    rest[0].lines = head + [line for line in rest[0].lines if line.name != DISCONTINUITY]
    told = common_head(content, clip)
    return Media(told, [*first, *rest], content.tail, content.sequence, content.breaks, ending)


def common_head(content: Media, clip: Media) -> list[Line]:
    """INDEPENDENT-SEGMENTS if both are (HLS-M19), the higher version (HLS-M6)."""
    lines = content.head
    if clip.told(INDEPENDENT) is None:
        lines = [line for line in lines if line.name != INDEPENDENT]
    version, theirs = content.told(VERSION), clip.told(VERSION)
    if theirs is None or int(theirs.value) <= (int(version.value) if version else 1):
        return lines
    told = read_line(b"#%b:%b%b" % (VERSION, theirs.value, content.ending))
    rest = [line for line in lines[1:] if line.name != VERSION]
    return [lines[0], told, *rest]


def led(clip: Media, content: Media, lead: Callable[[bytes], bytes]) -> list[Segment]:
    """The clip's segments as they stand among the content's."""
    return [_led(one, at, content, lead) for at, one in enumerate(clip.segments)]


def _led(segment: Segment, at: int, content: Media, lead: Callable[[bytes], bytes]) -> Segment:
    """A clip's segment with its references led and no clock: time is the content's (HLS-M17)."""
    segment = _numbered(segment, content.ending)
    lines = [line for line in segment.lines if line.name != CLOCK]
    made = []
    for line in lines[:-1]:
        changes: dict[bytes, bytes | None] = {
            name: b'"' + lead(uri) + b'"'
            for name in LED.get(line.name, ())
            if (uri := attribute(line, name)) is not None
        }
        made.append(changed(line, changes) if changes else line)
    segment.lines = [*made, read_line(lead(lines[-1].value) + content.ending)]
    if not at:
        segment.lines = [line for line in segment.lines if line.name != DISCONTINUITY]
    return segment


def _numbered(segment: Segment, ending: bytes) -> Segment:
    """AES-128 without IV means the number at the origin, which is no longer ours (HLS-M14)."""
    implied = [key for key in segment.keys if _is_implied(key)]
    if implied:
        iv: dict[bytes, bytes | None] = {b"IV": b"0x%032x" % segment.number}
        keys = [changed(key, iv) if key in implied else key for key in segment.keys]
        lines = [line for line in segment.lines if line.name != KEY]
        at = 1 if lines[0].name == DISCONTINUITY else 0
        segment.lines = [*lines[:at], *keys, *lines[at:]]
    return segment


def _is_implied(key: Line) -> bool:
    return attribute(key, b"METHOD") == b"AES-128" and attribute(key, b"IV") is None
