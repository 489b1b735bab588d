"""Small pictures of a film, many to a JPEG: what seek bars show (specs/tracks.md, TR-98..TR-104).

Picture k shows the film at k intervals, and stands until the next one. Sheets are numbered from 1
and filled by rows; the last one has only the rows that it needs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple


class Tile(NamedTuple):
    """One picture: when it stands (seconds of the title), in which sheet, and where in it."""

    start_s: Fraction
    end_s: Fraction
    sheet: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Tiles:
    """All sheets of a title. `name` is their URL folder; width and height are those of a tile."""

    name: str
    width: int
    height: int
    columns: int
    rows: int
    interval_s: int
    duration_s: Fraction
    sizes: tuple[int, ...]  # bytes of each sheet

    @property
    def sheet_s(self) -> int:
        """What a whole sheet covers."""
        return self.columns * self.rows * self.interval_s

    def span_s(self, sheet: int) -> tuple[Fraction, Fraction]:
        """Start and end of a sheet; the last one ends with the title."""
        start = Fraction((sheet - 1) * self.sheet_s)
        return start, min(start + self.sheet_s, self.duration_s)

    @property
    def bandwidth(self) -> int:
        """The dearest sheet's bits by its time, rounded up (TR-99)."""
        rates = []
        for sheet, size in enumerate(self.sizes, 1):
            start_s, end_s = self.span_s(sheet)
            rates.append(-((-8 * size) // max(end_s - start_s, Fraction(1))))
        return max(rates, default=1)

    def tiles(self) -> Iterator[Tile]:
        per_sheet = self.columns * self.rows
        for k in range(-(-self.duration_s // self.interval_s)):
            sheet, place = divmod(k, per_sheet)
            row, column = divmod(place, self.columns)
            start_s = Fraction(k * self.interval_s)
            end_s = min(start_s + self.interval_s, self.duration_s)
            yield Tile(start_s, end_s, sheet + 1, column * self.width, row * self.height)
