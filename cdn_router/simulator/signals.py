"""What a router would know in the simulator: snapshots, circuits, probes, the commit so far (SW-6).

Circuits (RT-8, RT-22): a CDN opens in a region when in one tick at least five sessions of at least
three cells failed there (of all that use it, but two, where there are fewer), and at least a third
of those on it; it stays open for 30 s, then one probe closes it or opens it again. Open in most
regions that have sessions enough to tell, it is open wherever it fails. Probes: every 30 s, three
failures in a row are "down" until one succeeds.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from native.router.crowd import Crowd

from ..cells.commits import BILLED_S, percentile95
from ..policies.face import Cdn, Cell, Circuit, Evidence, Site, Snapshot, Stand
from .weather import Weather
from .world import TICK_S

OPEN_S = 30.0
PROBE_S = 30.0
PROBES = 3
SESSIONS, NETWORKS, PART = 5, 3, 1 / 3


@dataclass(slots=True)
class Line:
    """What is known of one CDN in one region over time."""

    circuit: Circuit = Circuit.CLOSED
    since_s: float = 0.0
    failed_probes: int = 0


class Signals:
    def __init__(self, weather: Weather, half_life_s: float) -> None:
        world = weather.world
        self._weather = weather
        self._half_life_s = half_life_s
        count, regions = len(world.cdns), len(world.regions)
        self._lines = [Line() for _ in range(regions * count)]
        self._billed: list[list[float]] = [[] for _ in range(count)]
        self._kbit = [0.0] * count
        told = weather.told
        self.cdns = tuple(
            Cdn(
                cdn.id,
                cdn.price_per_tb,
                cdn.priority,
                cdn.weight,
                {name: told[r * count + i] / 1e3 for r, name in enumerate(world.regions)},
                cdn.commit * weather.peak_kbps / 1e3,
            )
            for i, cdn in enumerate(world.cdns)
        )
        self._rows = (*weather.cells, *(Cell(name) for name in world.regions), Cell())
        self._stands = (Stand.ENABLED,) * count
        self._of = [
            [i for i, cell in enumerate(weather.cells) if cell.region == name]
            for name in world.regions
        ]

    def snapshot(self, crowd: Crowd, tick: int) -> Snapshot:
        """What is known after `tick` ticks, from the reports of the last one."""
        now_s, count = tick * TICK_S, len(self.cdns)
        rows = crowd.rows()
        if tick:
            self._judge(rows, self._weather.paths[tick - 1], now_s)
            self._bill(crowd.carried())
        cells = {
            cell: tuple(Evidence(*row[:6]) for row in rows[at * count : (at + 1) * count])
            for at, cell in enumerate(self._rows)
        }
        loads, told = crowd.loads(), self._weather.told
        fills = [self._fill(index) for index in range(count)]
        sites = {
            name: tuple(
                Site(
                    (line := self._lines[r * count + i]).circuit,
                    loads[r * count + i] / 1e3,
                    told[r * count + i] / 1e3,
                    line.failed_probes >= PROBES,
                    fills[i],
                )
                for i in range(count)
            )
            for r, name in enumerate(self._weather.world.regions)
        }
        at_ms = round(now_s * 1000)
        return Snapshot(tick + 1, at_ms, self.cdns, self._stands, cells, sites, self._half_life_s)

    def _judge(
        self, rows: Sequence[tuple[float, ...]], paths: "array[float]", now_s: float
    ) -> None:
        count = len(self.cdns)
        for region, cells in enumerate(self._of):
            for cdn in range(count):
                line = self._lines[region * count + cdn]
                on = [rows[cell * count + cdn] for cell in cells]
                failing, there = sum(row[6] for row in on), sum(row[5] for row in on)
                networks = sum(row[6] > 0 for row in on)
                alive = paths[cells[0] * count + cdn] > 0.0
                if now_s % PROBE_S == 0:
                    line.failed_probes = 0 if alive else line.failed_probes + 1
                present = sum(row[5] > 0 for row in on)
                needed = max(min(2, len(cells)), min(NETWORKS, present))
                enough = failing >= SESSIONS and networks >= needed
                if line.circuit is Circuit.OPEN:
                    if now_s - line.since_s >= OPEN_S:
                        line.circuit = Circuit.CLOSED if alive else Circuit.OPEN
                        line.since_s = now_s
                elif enough and failing >= PART * there:
                    line.circuit, line.since_s = Circuit.OPEN, now_s
        for cdn in range(count):
            self._quorum(rows, cdn, now_s)

    def _quorum(self, rows: Sequence[tuple[float, ...]], cdn: int, now_s: float) -> None:
        """What is open in most regions that can tell is open wherever it fails."""
        count, cells = len(self.cdns), len(self._weather.cells)
        lines = [self._lines[region * count + cdn] for region in range(len(self._of))]
        wide = [rows[(cells + region) * count + cdn] for region in range(len(self._of))]
        tells = [
            line.circuit is Circuit.OPEN
            for line, row in zip(lines, wide, strict=True)
            if row[5] >= SESSIONS or line.circuit is Circuit.OPEN
        ]
        if sum(tells) < 2 or 2 * sum(tells) <= len(tells):
            return
        for line, row in zip(lines, wide, strict=True):
            if row[6] > 0 and line.circuit is not Circuit.OPEN:
                line.circuit, line.since_s = Circuit.OPEN, now_s

    def _bill(self, carried: list[float]) -> None:
        for index, kbps in enumerate(carried):
            self._kbit[index] += kbps * TICK_S
            self._billed[index].append(kbps)

    def _fill(self, index: int) -> float:
        commit_kbps = self.cdns[index].commit_mbps * 1e3
        return percentile95(self.samples(index)) / commit_kbps if commit_kbps else 0.0

    def samples(self, index: int) -> list[float]:
        """kbit/s of a CDN in each five minutes so far."""
        per, carried = round(BILLED_S / TICK_S), self._billed[index]
        return [sum(carried[at : at + per]) / per for at in range(0, len(carried), per)]

    def terabytes(self, index: int) -> float:
        return self._kbit[index] * 1e3 / 8 / 1e12
