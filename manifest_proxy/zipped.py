"""Gzip of personal bodies without compressing each: what they share is deflated once.

The token stands in the stream once as it is, in a stored block (RFC 1951 section 3.2.4); where it
stands again the stream refers back to it, by distances that hold for any token of its length. So a
copy is a join and a product of checksums. Source: manifest-proxy MP-52; RFC 1952 section 2.3.
"""

import random
import struct
import zlib

from native.holes import Template
from native.personal import Stream

HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # deflate, no name, no time, unknown system
MAX_TOKEN = 1024
WINDOW = 1 << 15
LEVEL = 6
OTHER = bytes(octet ^ 0x2A for octet in range(256))


def zipped(template: Template, size: int) -> Stream | None:
    """For tokens of that size; None where a copy depends on more than its token."""
    if not 0 < size <= MAX_TOKEN:
        return None
    mark = _unlike(size)
    body = template.render(mark)
    if not template.holes or body.count(mark) != template.holes:
        return None
    before, _, behind = body.partition(mark)
    first = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
    opening = first.compress(before) + first.flush(zlib.Z_SYNC_FLUSH)
    rest = zlib.compressobj(LEVEL, zlib.DEFLATED, -15, zdict=(before + mark)[-WINDOW:])
    opening += struct.pack("<BHH", 0, size, size ^ 0xFFFF)
    closing = rest.compress(behind) + rest.flush(zlib.Z_FINISH)
    other = mark.translate(OTHER)  # no octet of it is the mark's
    if zlib.decompress(opening + other + closing, -15) != template.render(other):
        return None
    return Stream(HEAD + opening, closing, body, mark)


def _unlike(size: int) -> bytes:
    """Octets that no playlist has in that order, so that nothing but the token is taken for it."""
    return bytes(random.Random(size).choices(range(0x80, 0x100), k=size))
