"""Lossless reader of HLS playlists: every line is typed and keeps its bytes, line end included.

Lines that nobody edits are written as they came; an edited tag changes only the named attributes.
Source: draft-pantos-hls-rfc8216bis-22 section 4; HLS-M1, HLS-M4.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from .compiled import Piece
from .errors import ManifestError
from .tables import TAGS

MAGIC = b"#EXTM3U"
# Possessive throughout: a hostile line costs one pass.
ATTRIBUTE = re.compile(rb'[ \t]*+([A-Za-z0-9_.-]++)[ \t]*+=[ \t]*+("[^"]*+"|[^,"]*+)[ \t]*+(?:,|$)')


class Kind(Enum):
    TAG = "known tag"
    UNKNOWN = "unknown tag"
    COMMENT = "comment"
    URI = "uri"
    BLANK = "blank"


class Line(NamedTuple):
    """One line: `name` and `value` of a tag, the trimmed URI in `value`, everything in `raw`."""

    kind: Kind
    raw: bytes
    name: bytes = b""
    value: bytes = b""

    @property
    def ending(self) -> bytes:
        return self.raw[len(self.raw.rstrip(b"\r\n")) :]


class Attribute(NamedTuple):
    """A member of an attribute list; start and end delimit its value in the tag's value."""

    name: bytes
    start: int
    end: int


def read(data: bytes) -> list[Line]:
    """The lines of a playlist; ManifestError when it is none."""
    first = data[:64].splitlines()[:1]
    if not first or first[0].rstrip() != MAGIC:
        raise ManifestError("not_a_playlist", "the first line is not #EXTM3U")
    if b"\0" in data:
        raise ManifestError("control_character", "a NUL in a playlist")
    return [_line(raw) for raw in data.splitlines(keepends=True)]


def _line(raw: bytes) -> Line:
    text = raw.strip()
    if not text:
        return Line(Kind.BLANK, raw)
    if not text.startswith(b"#"):
        return Line(Kind.URI, raw, value=text)
    if not text.startswith(b"#EXT"):
        return Line(Kind.COMMENT, raw)
    name, _, value = text[1:].partition(b":")
    return Line(Kind.TAG if name in TAGS else Kind.UNKNOWN, raw, name, value)


def attributes(value: bytes) -> list[Attribute]:
    """The attribute list of a tag as far as it is well-formed (section 4.2)."""
    found = []
    at = 0
    while at < len(value) and (match := ATTRIBUTE.match(value, at)):
        found.append(Attribute(match[1], match.start(2), match.end(2)))
        at = match.end()
    return found


def attribute(line: Line, name: bytes) -> bytes | None:
    """The text of an attribute without its quotes, or None."""
    for found in attributes(line.value):
        if found.name == name:
            return unquoted(line.value[found.start : found.end])
    return None


def unquoted(raw: bytes) -> bytes:
    return raw[1:-1] if raw.startswith(b'"') else raw.strip()


def edited(line: Line, changes: Mapping[bytes, Sequence[Piece]]) -> list[Piece]:
    """The line with attribute values replaced in place and new attributes at the list's end."""
    text = line.raw.rstrip()
    value = line.raw.find(b":") + 1
    pieces: list[Piece] = []
    missing = dict(changes)
    done = 0
    for name, start, end in attributes(text[value:]):
        if name in changes:
            pieces += [text[done : value + start], *changes[name]]
            missing.pop(name, None)
            done = value + end
    pieces.append(text[done:])
    comma = b"," if text[value:] else b""
    for name, new in missing.items():
        pieces += [comma + name + b"=", *new]
        comma = b","
    return [*pieces, line.raw[len(text) :]]
