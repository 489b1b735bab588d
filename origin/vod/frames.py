"""Thumbnails one by one, as a track of JPEGs that HLS scans through (TR-101).

Each picture is a sample of its own (ISO/IEC 23008-12, annex H: `mjpg`), in a fragment of its own:
that is how Apple's players, hls.js and Shaka read a trick mode of codec mjpg.
"""

import struct
from fractions import Fraction
from typing import ClassVar

from native.bmff import SampleEntry, Track
from native.bmff.write import box, fragment, header
from origin.vod.served import STYP
from origin.vod.sheets import Sheets

NAME = "frames"  # URL folder
TIMESCALE = 1000


class Frames(Sheets):
    """What `Sheets` has of one picture each, in fragments."""

    suffix: ClassVar[str] = ".m4s"
    content_type: ClassVar[str] = "video/mp4"
    around: ClassVar[int] = len(STYP) + len(fragment(1, 0, 0, [(0, b"")]))

    @property
    def init(self) -> bytes:
        """The header of all of them."""
        width, height = self.tiles.width, self.tiles.height
        entry = SampleEntry("mjpg", _entry(width, height), width=width, height=height)
        return header(Track(1, "vide", TIMESCALE, 0, "und", (entry,), width=width, height=height))

    def read(self, number: int) -> bytes:
        start, end = (_ticks(each) for each in self.tiles.span_s(number))
        picture = Sheets.read(self, number)
        return STYP + fragment(1, number, start, [(end - start, picture)])


def _entry(width: int, height: int) -> bytes:
    """A visual sample entry (ISO/IEC 14496-12:2022, 12.1.3) without a configuration."""
    head = bytes(6) + struct.pack(">H", 1) + bytes(16)
    shape = struct.pack(">2H2I", width, height, 72 << 16, 72 << 16) + bytes(4)
    return box("mjpg", head, shape, struct.pack(">H", 1), bytes(32), struct.pack(">Hh", 24, -1))


def _ticks(seconds: Fraction) -> int:
    return int(seconds * TIMESCALE)
