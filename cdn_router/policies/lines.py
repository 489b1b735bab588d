"""Lines along which faults strike: how all cells that have something in common do of late.

Theory of operation
1. A cell is on the line of all, on that of its region, and for each other name that it has, an ISP,
   an access, a class of devices or of content, on two: of those that share it in its region, and of
   those that share it anywhere.
2. What a cell reports of late is held against its own past; only that difference is added up. So no
   line drifts because the viewers of one of its cells went elsewhere.
3. What strikes an ISP also shows on the line of all. It is charged to the line that explains most
   of it, and taken off the others: who only shares a region with the struck has nothing to flee.
4. A cell that names its region alone is on no line: it stands for others.

Source: specs routing.md RT-2, RT-7.
"""

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from native.router import totals as kernel

if TYPE_CHECKING:
    from .face import Cell

FIELDS = 5  # of a cell: region, ISP, access, device, content
EACH = 2 * FIELDS  # lines of a cell, at most
ROUNDS = 8  # of looking for what explains most
ENOUGH = 0.85  # of the most: a wider line is taken that explains so much
MAX_CDNS = 64
NOWHERE = array("i", [-1]) * EACH


class Drift(NamedTuple):
    """A line that sank on a CDN: reports and sessions as in Evidence, and by how many points the
    recent ones are off what their cells were used to, beyond what lines before it explain.
    """

    line: int
    n: float
    recent_n: float
    sessions: float
    points: float


class Sharing:
    """Which lines each cell is on. Cells have places, in the order in which they came."""

    def __init__(self) -> None:
        self.cells: dict[Cell, int] = {}
        self.along = array("i")  # `EACH` lines of each place, -1 for none
        self.lines: dict[tuple[int, str, str], int] = {}  # by field, name, and region or ""

    def add(self, cell: "Cell") -> None:
        """Give the next place to a cell that has none."""
        self.cells[cell] = len(self.cells)
        region, *names = cell
        keys = [(0, "", ""), (0, region, "")] if any(names) else []
        for field, name in enumerate(names, 1):
            if name:
                keys += (field, name, ""), (field, name, region)
        found = dict.fromkeys([self.lines.setdefault(key, len(self.lines)) for key in keys])
        self.along.extend([*found, *NOWHERE[len(found) :]])


class Lines:
    """The lines of a snapshot; they never change."""

    def __init__(
        self, sharing: Sharing, totals: "array[float]", cdns: int, presence: float = 1.0
    ) -> None:
        """`totals` has a row for each place and CDN, as the kernel wants them; so much `presence`
        is one session.
        """
        self._cells, self._along, self._lines = sharing.cells, sharing.along[:], len(sharing.lines)
        self._totals, self._cdns, self._presence = totals, cdns, presence
        self._drifts: dict[int, list[Drift]] = {}

    def of(self, cell: "Cell") -> "array[int]":
        """The lines that a cell is on, by number."""
        at = self._cells.get(cell, len(self._along)) * EACH
        found = self._along[at : at + EACH]
        return found[: found.index(-1)] if -1 in found else found

    def drifts(self, cdn: int) -> Sequence[Drift]:
        """What sank on a CDN of late, the line that explains most first. Found when first asked."""
        found = self._drifts.get(cdn)
        if found is None:
            told = (self._totals, self._along, EACH, self._lines, self._cdns, cdn, ROUNDS, ENOUGH)
            found = self._drifts[cdn] = [
                Drift(line, n, recent_n, presence / self._presence, points)
                for line, n, recent_n, presence, points in kernel.drift(*told)
            ]
        return found


NO_LINES = Lines(Sharing(), array("d"), MAX_CDNS)
