"""The bytes of a guide: unpacked under caps, and the encoding they are really in (CTL-53, CTL-58).

Nothing here holds more than one chunk; a file is read twice only when its declared encoding is in
doubt.
"""

import codecs
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from control_api.epg.errors import EpgError

CHUNK_BYTES = 65_536
GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 section 2.3.1
RATIO_SLACK_BYTES = 1 << 20  # small files may be as dense as they like

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DECLARED = re.compile(rb"""^\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
SINGLE_BYTE = re.compile(r"(?:iso-?8859|iso_8859|latin|windows-125|cp125|koi8|us-ascii|ascii)")


class Limits(NamedTuple):
    """Caps of one import (CTL-58, policy)."""

    unpacked_bytes: int = 1 << 30
    ratio: int = 200
    element_bytes: int = 1 << 20
    retained_bytes: int = 128 << 20


LIMITS = Limits()


class Encoding(NamedTuple):
    """`name` None leaves the choice to the declaration."""

    name: str | None
    overridden: bool


def chunks(stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """The stream from its start, unpacked if it is gzip."""
    stream.seek(0)
    packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    stream.seek(0)
    out_bytes = 0
    for chunk in _gunzipped(stream, limits.ratio) if packed else _plain(stream):
        out_bytes += len(chunk)
        if out_bytes > limits.unpacked_bytes:
            raise EpgError("too_large", f"more than {limits.unpacked_bytes} bytes")
        yield chunk


def encoding(stream: BinaryIO, limits: Limits) -> Encoding:
    """A byte order mark wins; UTF-8 declared as a single-byte encoding is UTF-8 (CTL-53)."""
    head = next(chunks(stream, limits), b"")
    found = DECLARED.match(head.removeprefix(codecs.BOM_UTF8))
    declared = found[1].decode().lower() if found else "utf-8"
    for mark, name in BOMS:
        if head.startswith(mark):
            return Encoding(name, not declared.replace("utf8", "utf-8").startswith(name))
    if SINGLE_BYTE.match(declared) and _is_spoken_utf8(stream, limits):
        return Encoding("utf-8", True)
    return Encoding(None, False)


def _plain(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _gunzipped(stream: BinaryIO, ratio: int) -> Iterator[bytes]:
    """All members of a gzip file (RFC 1952 section 2.2), never far ahead of what was read."""
    in_bytes = out_bytes = 0
    member = zlib.decompressobj(wbits=31)
    try:
        while packed := stream.read(CHUNK_BYTES):
            in_bytes += len(packed)
            while packed:
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                piece = member.decompress(packed, CHUNK_BYTES)
                out_bytes += len(piece)
                if out_bytes > ratio * in_bytes + RATIO_SLACK_BYTES:
                    raise EpgError("too_dense", f"more than {ratio} times its packed size")
                yield piece
                packed = member.unused_data or member.unconsumed_tail
        while not member.eof and (piece := member.decompress(b"", CHUNK_BYTES)):
            yield piece
    except zlib.error:
        raise EpgError("bad_gzip", f"byte {in_bytes}") from None
    if not member.eof:
        raise EpgError("bad_gzip", f"ends early after byte {in_bytes}")


def _is_spoken_utf8(stream: BinaryIO, limits: Limits) -> bool:
    """Are there non-ASCII bytes, and are all of them UTF-8?"""
    decoder = codecs.getincrementaldecoder("utf-8")()
    spoken = False
    try:
        for chunk in chunks(stream, limits):
            spoken = spoken or not chunk.isascii()
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return spoken
