"""Gzip of personal bodies without compressing each: what they share is deflated once.

The token stands in the stream once as it is, in a stored block (RFC 1951 section 3.2.4); where it
stands again the stream refers back to it, by distances that hold for any token of its length. So a
copy is a join and a checksum. Source: manifest-proxy MP-52; RFC 1952 section 2.3.
"""

import random
import struct
import zlib
from typing import NamedTuple

from isal import isal_zlib

from native.holes import Template

HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # deflate, no name, no time, unknown system
MAX_TOKEN = 1024
WINDOW = 1 << 15
LEVEL = 6
OTHER = bytes(octet ^ 0x2A for octet in range(256))


class Zipped(NamedTuple):
    """The stream before and behind the token."""

    before: bytes
    behind: bytes

    def of(self, body: bytes, token: bytes) -> bytes:
        """The coded form of the copy that has this token."""
        sums = struct.pack("<II", isal_zlib.crc32(body), len(body) & 0xFFFFFFFF)
        return b"".join([HEAD, self.before, token, self.behind, sums])


def zipped(template: Template, size: int) -> Zipped | None:
    """For tokens of that size; None where a copy depends on more than its token."""
    if not 0 < size <= MAX_TOKEN:
        return None
    mark = _unlike(size)
    body = template.render(mark)
    before, found, behind = body.partition(mark)
    if not found:
        return None
    first = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
    opening = first.compress(before) + first.flush(zlib.Z_SYNC_FLUSH)
    rest = zlib.compressobj(LEVEL, zlib.DEFLATED, -15, zdict=(before + mark)[-WINDOW:])
    made = Zipped(
        opening + struct.pack("<BHH", 0, size, size ^ 0xFFFF),
        rest.compress(behind) + rest.flush(zlib.Z_FINISH),
    )
    other = mark.translate(OTHER)  # no octet of it is the mark's
    told = zlib.decompress(made.before + other + made.behind, -15)
    return made if told == template.render(other) else None


def _unlike(size: int) -> bytes:
    """Octets that no playlist has in that order, so that nothing but the token is taken for it."""
    return bytes(random.Random(size).choices(range(0x80, 0x100), k=size))
