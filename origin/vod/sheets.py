"""Thumbnails of a registered title: sheets in one file beside its indexes (TR-99..TR-102)."""

import os
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import ClassVar, Self

import msgspec

from origin.tiles import Tiles
from origin.vod.errors import VodError

NAME = "thumbnails"  # URL folder; tracks' names have a dash or begin with v
INDEX = f"{NAME}.vtt"
CONTENT_TYPE = "image/jpeg"


class Saved(msgspec.Struct, frozen=True):
    """Sheets as the title's record keeps them; `source` is the digest of the file they show.
    `frames`: the same pictures, one to a sheet (TR-101).
    """

    file: str
    source: str
    width: int
    height: int
    columns: int
    rows: int
    interval_s: int
    sizes: list[int]
    frames: "Saved | None" = None


@dataclass(frozen=True, slots=True)
class Sheets:
    """The sheets of an open title."""

    tiles: Tiles
    path: Path
    suffix: ClassVar[str] = ".jpg"
    content_type: ClassVar[str] = CONTENT_TYPE
    around: ClassVar[int] = 0  # bytes that go out with each

    @classmethod
    def of(cls, saved: Saved, home: Path, duration_s: Fraction, name: str = NAME) -> Self:
        tiles = Tiles(
            name,
            saved.width,
            saved.height,
            saved.columns,
            saved.rows,
            saved.interval_s,
            duration_s,
            tuple(size + cls.around for size in saved.sizes),
        )
        return cls(tiles, home / saved.file)

    @property
    def tag(self) -> str:
        """The file's name tells its content."""
        return self.path.stem

    def read(self, number: int) -> bytes:
        """Sheet `number` (from 1); VodError when the file is gone."""
        sizes = [size - self.around for size in self.tiles.sizes]
        start = [0, *accumulate(sizes)][number - 1]
        try:
            with self.path.open("rb") as file:
                data = os.pread(file.fileno(), sizes[number - 1], start)
        except OSError as error:
            raise VodError("unreadable", self.path.name, str(error)) from error
        if len(data) < sizes[number - 1]:
            raise VodError("unreadable", self.path.name, "it is cut short; package the title again")
        return data


def index(tiles: Tiles, start_s: Fraction, end_s: Fraction) -> str:
    """The WebVTT index of what is shown from `start_s` to `end_s`, cues back to back (TR-102)."""
    blocks = ["WEBVTT"]
    for tile in tiles.tiles():
        begins, ends = max(tile.start_s, start_s), min(tile.end_s, end_s)
        if begins < ends:
            place = f"{tile.x},{tile.y},{tiles.width},{tiles.height}"
            times = f"{_clock(begins - start_s)} --> {_clock(ends - start_s)}"
            blocks.append(f"{times}\n{tiles.name}/{tile.sheet}.jpg#xywh={place}")
    return "\n\n".join(blocks) + "\n"


def _clock(seconds: Fraction) -> str:
    whole, ms = divmod(int(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{ms:03d}"
