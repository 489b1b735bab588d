"""A/B watermarks in HLS: each segment from one of two folders, as the session's pattern says.

Media are prepared twice, with a mark for 0 and one for 1, beside the playlist: `7.m4s` becomes
`a/7.m4s` or `b/7.m4s`. The bit of a segment follows from its number alone, so every answer of a
session, on any node, names the same file (HLS-M8). Source: manifest-proxy MP-21; HLS-M2, M22, M25.
"""

import re

from native.hls import Kind, Line, Playlist

from .hls import attribute, changed
from .hls_pathways import VARIANT
from .hls_segments import PART, numbered
from .hls_trim import CONTROL, SKIPPING

HINT = b"EXT-X-PRELOAD-HINT"
BITS = 256  # of a pattern
SIGN = b"~headwater-mark-"


def choosing(data: bytes) -> bytes:
    """The playlist with a folder before the name of each segment and part: SIGN and, in hexadecimal
    digits, the bit of a pattern that is to choose it.
    """
    return b"".join(
        _marked(line, b"%b%02x/" % (SIGN, number % BITS)) for number, line in numbered(data)
    )


def is_media(data: bytes) -> bool:
    """Whether it is a playlist of segments."""
    return VARIANT not in Playlist(data, whole=False).tags


def bit(pattern: bytes, number: int) -> int:
    """Of the segment of that number; the first is the highest of the first byte."""
    at = number % (8 * len(pattern))
    return pattern[at // 8] >> (7 - at % 8) & 1


def _marked(line: Line, folder: bytes) -> bytes:
    if line.kind is Kind.URI:
        at = line.raw.index(line.value)
        return line.raw[:at] + within(line.value, folder) + line.raw[at + len(line.value) :]
    if line.name == CONTROL:
        return changed(line, SKIPPING).raw
    if line.name == PART or (line.name == HINT and attribute(line, b"TYPE") == b"PART"):
        uri = attribute(line, b"URI")
        if uri is not None:
            return changed(line, {b"URI": b'"%b"' % within(uri, folder)}).raw
    return line.raw


def within(reference: bytes, folder: bytes) -> bytes:
    """The reference with the folder before its last name."""
    path = re.split(rb"[?#]", reference, maxsplit=1)[0]
    at = path.rfind(b"/") + 1
    return reference[:at] + folder + reference[at:]
