"""Sums of all nodes added up: for each cell, its region and the whole.

Theory of operation
1. A `Layout` gives every cell a place once; a part's rows keep their spots for as long as none of
   them goes. Adding up is then one pass over numbers, in the order in which rows came to be: the
   same rows in the same order make the same totals, bit for bit.
2. What a snapshot holds is read from the totals when it is asked for; they never change.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from native.router import totals as kernel

from ..policies.face import Cell, Evidence
from ..policies.lines import Lines, Sharing
from .sums import COLUMNS, SECONDS_AT_REST, Sums, weights

WIDTH = len(COLUMNS)
MEGABITS = [column.name for column in COLUMNS].index("megabits")
SECONDS = [column.name for column in COLUMNS].index("seconds")


class Layout:
    """Places of cells; those of `regions` and of the whole are always there."""

    def __init__(self, cdns: int, regions: Iterable[str]) -> None:
        self.cdns = cdns
        self.sharing = Sharing()
        self.places = self.sharing.cells
        self.regions: dict[str, int] = {}
        self.wider = array("i")
        self._spots: dict[str, array[int]] = {}
        for region in ("", *regions):
            self.place(Cell(region))

    def place(self, cell: Cell) -> int:
        """The place of a cell, a new one when it has none."""
        found = self.places.get(cell)
        if found is None:
            region = self.regions.get(cell.region)
            if region is None:
                region = self.regions[cell.region] = self._add(Cell(cell.region), len(self.places))
            found = region if cell == Cell(cell.region) else self._add(cell, region)
        return found

    def _add(self, cell: Cell, region: int) -> int:
        self.sharing.add(cell)
        self.wider.append(region)
        return len(self.wider) - 1

    def spots(self, node: str, sums: Sums) -> "array[int]":
        """The spots of a node's rows, in their order."""
        spots = self._spots.setdefault(node, array("i"))
        if len(spots) < len(sums.rows):
            for cell, cdn in islice(sums.rows, len(spots), None):
                spots.append(self.place(cell) * self.cdns + cdn)
        return spots


class Totals:
    """The sums of some nodes as they are at one time."""

    def __init__(self, layout: Layout, nodes: Mapping[str, Sums], now_s: float) -> None:
        spots = {name: layout.spots(name, sums) for name, sums in nodes.items()}
        self.cdns = layout.cdns
        self.cells = Cells(self, layout.places)
        self.regions = dict(layout.regions)
        self._values = array("d", bytes(8 * WIDTH * self.cdns * len(layout.places)))
        for name, sums in nodes.items():
            fade = weights(now_s + sums.ahead_s, sums.landmark_s)
            kernel.add(self._values, sums.rows, spots[name], layout.wider, self.cdns, fade)
        self.lines = Lines(layout.sharing, self._values, self.cdns, SECONDS_AT_REST)

    def evidence(self, place: int) -> tuple[Evidence, ...]:
        """Of each CDN at a place."""
        begin, end = (at * self.cdns * WIDTH for at in (place, place + 1))
        found = []
        for at in range(begin, end, WIDTH):
            n, qoe, failures, recent_n, recent_qoe, seconds, _ = self._values[at : at + WIDTH]
            there = seconds / SECONDS_AT_REST
            found.append(Evidence(n, qoe, failures, recent_n, recent_qoe, there))
        return tuple(found)

    def load_mbps(self, place: int, cdn: int) -> float:
        return self._values[(place * self.cdns + cdn) * WIDTH + MEGABITS] / SECONDS_AT_REST

    def sessions(self) -> dict[tuple[str, int], float]:
        """Sessions by region and CDN, where there are any."""
        found = {}
        for region, place in self.regions.items():
            for cdn in range(self.cdns):
                seconds = self._values[(place * self.cdns + cdn) * WIDTH + SECONDS]
                if seconds:
                    found[region, cdn] = seconds / SECONDS_AT_REST
        return found


class Cells(Mapping[Cell, tuple[Evidence, ...]]):
    """The evidence of the cells that were there at one time; read once, then kept."""

    def __init__(self, totals: Totals, places: Mapping[Cell, int]) -> None:
        self._totals, self._places, self._count = totals, places, len(places)
        self._read: dict[Cell, tuple[Evidence, ...]] = {}

    def __getitem__(self, cell: Cell) -> tuple[Evidence, ...]:
        found = self._read.get(cell)
        if found is None:
            place = self._places[cell]
            if place >= self._count:
                raise KeyError(cell)
            found = self._read[cell] = self._totals.evidence(place)
        return found

    def __contains__(self, cell: object) -> bool:
        return self._places.get(cell, self._count) < self._count  # type: ignore[call-overload, no-any-return]

    def __iter__(self) -> Iterator[Cell]:
        return islice(self._places, self._count)

    def __len__(self) -> int:
        return self._count
