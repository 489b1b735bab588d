"""Policies that learn nothing or little: cheapest, weighted, round robin, EWMA (A1..A4).

Source: specs routing.md section 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .face import Cell, Reason, Snapshot, Table
from .tables import best, cells_of, even, evidence, means, one, put_off, sites, table, usable


@dataclass(frozen=True)
class Static:
    """A1: the first by priority, then price, for all."""

    name: str = "static"
    version: int = 1
    half_life_s: float = 60.0
    dwell_s: float = 0.0

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]:
        scores = [-cdn.priority * 1e6 - cdn.price_per_tb for cdn in snapshot.cdns]
        first = best(scores, usable(snapshot))
        found = table(snapshot, one(first, len(scores)), scores)
        return dict.fromkeys(cells_of(region, snapshot), found)


@dataclass(frozen=True)
class Weighted:
    """Shares by weight, sticky: they hold over starts (RT-3)."""

    name: str = "weighted"
    version: int = 1
    half_life_s: float = 60.0
    dwell_s: float = 0.0

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]:
        those = usable(snapshot)
        weights = [cdn.weight if i in those else 0.0 for i, cdn in enumerate(snapshot.cdns)]
        total = sum(weights) or 1.0
        share = [weight / total for weight in weights]
        return dict.fromkeys(cells_of(region, snapshot), table(snapshot, share, share))


@dataclass(frozen=True)
class RoundRobin:
    """A2: one after the other at the start, among those that serve the region; never moves."""

    name: str = "round-robin"
    version: int = 1
    half_life_s: float = 60.0
    dwell_s: float = 0.0
    probes: bool = False

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]:
        urgent, those = put_off(snapshot), usable(snapshot)
        cdns = snapshot.cdns
        near = [i for i in those if not cdns[i].capacity_mbps or region in cdns[i].capacity_mbps]
        those = near or those
        if self.probes:
            down = [site.probed_down for site in sites(region, snapshot)]
            up = [index for index in those if not down[index]]
            if up:
                those = up
                urgent = [
                    u or (Reason.BREAKER if d else None) for u, d in zip(urgent, down, strict=True)
                ]
        share = even(those, len(cdns))
        found = table(snapshot, share, share, urgent=urgent)
        return dict.fromkeys(cells_of(region, snapshot), found)


@dataclass(frozen=True)
class Ewma:
    """A4: the greatest exponentially weighted mean, of the cell or of the whole, with a twentieth
    spread over all.
    """

    name: str = "ewma"
    version: int = 1
    half_life_s: float = 60.0
    dwell_s: float = 0.0
    grouped: bool = True
    exploring: float = 0.05

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]:
        return {cell: self._table(cell, snapshot) for cell in cells_of(region, snapshot)}

    def _table(self, cell: Cell, snapshot: Snapshot) -> Table:
        scores = means(evidence(cell if self.grouped else Cell(), snapshot))
        those, count = usable(snapshot), len(snapshot.cdns)
        lead = one(best(scores, those), count)
        spread = even(those, count)
        part = self.exploring
        share = [(1 - part) * a + part * b for a, b in zip(lead, spread, strict=True)]
        return table(snapshot, share, scores, leave=1.0)
