"""What a router would know in the simulator: snapshots, circuits, probes, the commit so far (SW-6).

Circuits are the server's own code; a session tells of its segments at each tick. What this node is
told counts at once, what its peers were told after the world's `snapshot_delay_s`, and faded by so
much, as the server's sums are (RT-15); every session is steered by what this node knows, as one
stands for all. Probes: every 30 s, three failures in a row
are "down" until one succeeds.
"""

import math
from array import array
from collections import deque
from collections.abc import Sequence
from itertools import chain, product
from operator import add, mul

from native.router.crowd import Crowd

from ..cells.circuits import Circuits, Second, Seconds, Where
from ..cells.commits import BILLED_S, percentile95
from ..cells.state import KEPT_S
from ..policies.face import RECENT_S, Cdn, Cell, Evidence, Site, Snapshot, Stand
from ..policies.lines import Lines, Sharing
from .weather import Weather
from .world import TICK_S, World

PROBE_S = 30.0
PROBES = 3
OWN, PEERS = 0, 1
THERE = Evidence._fields.index("sessions")

Sums = list[tuple[float, float, float, float, float, float]]
Told = tuple[float, Sums, list[tuple[int, int, int, int]], list[float]]


def late_ticks(world: World) -> int:
    """By how many ticks what peers were told is late."""
    return round(world.snapshot_delay_s / TICK_S)


class Signals:
    def __init__(self, weather: Weather, half_life_s: float) -> None:
        world = weather.world
        self._weather = weather
        self._half_life_s = half_life_s
        self._fades_s = (half_life_s, half_life_s, RECENT_S, RECENT_S, RECENT_S, math.inf)
        count, regions = len(world.cdns), len(world.regions)
        self._circuits = Circuits()
        self._failed_probes = [0] * (regions * count)
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
        self._sharing = Sharing()
        for cell in self._rows:
            self._sharing.add(cell)
        self._stands = (Stand.ENABLED,) * count
        self._wheres = [(name, index) for name in world.regions for index in range(count)]
        self._first = [weather.region.index(region) for region in range(regions)]  # of its cells
        self._seconds: list[Seconds] = [{}, {}]
        self._late: deque[Told] = deque(maxlen=1 + late_ticks(world))

    def snapshot(self, crowd: Crowd, tick: int) -> Snapshot:
        """What is known after `tick` ticks, from the reports of the last one."""
        now_s, count = tick * TICK_S, len(self.cdns)
        self._hear(crowd, now_s)
        if tick:
            self._judge(crowd, self._weather.paths[tick - 1], now_s)
            self._bill(crowd.carried())
        heard_s, late, _, loads = self._late[0]
        kept = [2.0 ** ((heard_s - now_s) / fade_s) for fade_s in self._fades_s]
        rows = [
            Evidence(*map(add, own, map(mul, peers, kept)))
            for own, peers in zip(crowd.rows(OWN), late, strict=True)
        ]
        cells = {
            cell: tuple(rows[at * count : (at + 1) * count]) for at, cell in enumerate(self._rows)
        }
        told, fills = self._weather.told, [self._fill(index) for index in range(count)]
        sites = {
            name: tuple(
                Site(
                    self._circuits.circuit(name, i),
                    loads[r * count + i] / 1e3,
                    told[r * count + i] / 1e3,
                    self._failed_probes[r * count + i] >= PROBES,
                    fills[i],
                )
                for i in range(count)
            )
            for r, name in enumerate(self._weather.world.regions)
        }
        at_ms, half_life_s = round(now_s * 1000), self._half_life_s
        lines = Lines(self._sharing, array("d", chain.from_iterable(rows)), count)
        return Snapshot(tick + 1, at_ms, self.cdns, self._stands, cells, sites, half_life_s, lines)

    def _hear(self, crowd: Crowd, now_s: float) -> None:
        """Take in what was told in the last tick: peers' word comes late."""
        self._late.append((now_s, crowd.rows(PEERS), crowd.outcomes(PEERS), crowd.loads()))
        heard_s, _, outcomes, _ = self._late[0]
        self._seconds[OWN][round(now_s)] = self._second(crowd.outcomes(OWN))
        self._seconds[PEERS][round(heard_s)] = self._second(outcomes)
        for seconds in self._seconds:
            for at_s in [at_s for at_s in seconds if at_s < now_s - KEPT_S]:
                del seconds[at_s]

    def _second(self, outcomes: Sequence[tuple[int, int, int, int]]) -> dict[Where, Second]:
        """Viewers are on networks of their own: their voices are also those of networks."""
        return {
            where: Second(good, failed, stalled, voices, voices)
            for where, (good, failed, stalled, voices) in zip(self._wheres, outcomes, strict=True)
            if good or failed or stalled
        }

    def _judge(self, crowd: Crowd, paths: "array[float]", now_s: float) -> None:
        """Circuits as the server's, and what probes from each region find."""
        count, cells = len(self.cdns), len(self._weather.cells)
        if now_s % PROBE_S == 0:
            for spot, (region, cdn) in enumerate(product(range(crowd.regions), range(count))):
                alive = paths[self._first[region] * count + cdn] > 0.0
                self._failed_probes[spot] = 0 if alive else self._failed_probes[spot] + 1
        own = crowd.rows(OWN)[cells * count :]
        late = self._late[0][1][cells * count :]
        there = {
            where: a[THERE] + b[THERE] for where, a, b in zip(self._wheres, own, late, strict=False)
        }
        self._circuits.look(self._seconds, there, now_s)
        for region, name in enumerate(self._weather.world.regions):
            down = [i for i in range(count) if self._failed_probes[region * count + i] >= PROBES]
            if (cdn := self._circuits.trial(name, now_s, down)) >= 0:
                crowd.send(region, cdn)

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
