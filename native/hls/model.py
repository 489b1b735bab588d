"""What the reader hands out: typed lines and the members of attribute lists."""

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a line is (section 4.1); the order is that of playlist.pxd."""

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
