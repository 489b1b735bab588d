"""Those who know the truth: the greedy oracle (A9), the flow oracle (A10), the floor (A11).

Before each tick they are told every cell's true prospects on each path and every capacity, and may
move any session at its poll. Source: specs routing.md section 2.
"""

from collections.abc import Mapping

from native.router.crowd import Crowd

from ..policies.face import Cell, Snapshot, Table
from ..policies.tables import even, table
from .flow import transport
from .weather import Weather

HEADROOM = 0.95  # of a capacity that is planned to be used
STICKY = 1.0  # points below which nobody moves


class Greedy:
    """A9: pairs of cell and CDN by their score, each filled as far as capacity goes."""

    version = 1
    half_life_s = 60.0
    dwell_s = 0.0

    def __init__(self, name: str = "oracle") -> None:
        self.name = name
        self._tables: dict[Cell, tuple[list[float], list[float], list[float]]] = {}

    def told(self, crowd: Crowd, weather: Weather, tick: int) -> None:
        count = crowd.cdns
        players, asked, scores = crowd.prospects(weather.paths[tick])
        there = crowd.there()
        for region in range(crowd.regions):
            cells = [c for c in range(crowd.cells) if weather.region[c] == region]
            room = [HEADROOM * c for c in weather.capacity[region * count : (region + 1) * count]]
            supply = [asked[cell] for cell in cells]
            flows = self._assign(
                supply, room, [list(scores[c]) for c in cells], [players[c] for c in cells], weather
            )
            for cell, flow in zip(cells, flows, strict=True):
                here = there[cell * count : (cell + 1) * count]
                self._tables[weather.cells[cell]] = _moves(flow, here, scores[cell])

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]:
        count = len(snapshot.cdns)
        found = {Cell(region): table(snapshot, even(range(count), count), [0.0] * count)}
        for cell, (share, leave, scores) in self._tables.items():
            if cell.region == region:
                found[cell] = table(snapshot, share, scores, leave=leave)
        return found

    def _assign(
        self,
        supply: list[float],
        room: list[float],
        scores: list[list[float]],
        players: list[int],
        weather: Weather,
    ) -> list[list[float]]:
        left, flow = list(supply), [[0.0] * len(room) for _ in supply]
        pairs = [(s, c, i) for c, row in enumerate(scores) for i, s in enumerate(row)]
        for _, cell, cdn in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
            amount = min(left[cell], room[cdn])
            flow[cell][cdn] += amount
            left[cell] -= amount
            room[cdn] -= amount
        for cell, rest in enumerate(left):
            if rest > 0:
                flow[cell][max(range(len(room)), key=lambda i: scores[cell][i])] += rest
        return flow


class Flow(Greedy):
    """A10: the best of score less `points` for each $ per TB, by exact transport."""

    def __init__(self, name: str = "flow-oracle", points: float = 0.0) -> None:
        super().__init__(name)
        self.points = points

    def _assign(
        self,
        supply: list[float],
        room: list[float],
        scores: list[list[float]],
        players: list[int],
        weather: Weather,
    ) -> list[list[float]]:
        usual = sum(supply) / max(1, sum(players))
        prices = [self.points * cdn.price_per_tb for cdn in weather.world.cdns]
        cost = [
            [
                price / max(usual, 1.0) - score * n / max(kbps, 1.0)
                for price, score in zip(prices, row, strict=True)
            ]
            for row, n, kbps in zip(scores, players, supply, strict=True)
        ]
        return transport(supply, room, cost)


class Floor:
    """A11: no path and no capacity ever limits."""

    name = "floor"
    version = 1
    half_life_s = 60.0
    dwell_s = 0.0
    free = True

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]:
        count = len(snapshot.cdns)
        found = table(snapshot, even(range(count), count), [0.0] * count)
        return dict.fromkeys(snapshot.regions[region], found)


def _moves(
    flow: list[float], there: list[float], scores: object
) -> tuple[list[float], list[float], list[float]]:
    """Shares, chances to leave and scores of one cell from the flow that is wanted."""
    ranked = list(scores) if isinstance(scores, list) else []
    total = sum(flow)
    share = [f / total for f in flow] if total > 0 else even(range(len(flow)), len(flow))
    present = sum(there) or 1.0
    best = max(ranked)
    leave = []
    for cdn, sessions in enumerate(there):
        over = sessions - share[cdn] * present
        gain = max((ranked[i] for i, s in enumerate(share) if s > 0.01), default=best) - ranked[cdn]
        leave.append(min(1.0, over / sessions) if sessions and over > 0 and gain > STICKY else 0.0)
    return share, leave, ranked
