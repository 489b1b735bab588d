"""Ours (A8): the policy `headwater`. Scores with back-off, planned within capacities, moved calmly.

Theory of operation, for one region of a snapshot
1. Belief. The mean of a cell on a CDN is shrunk to the region's mean on that CDN by a pseudo-count,
   the region's to the whole (RT-2). The more the last seconds deviate from it, in terms of what
   chance would explain, the more they are believed instead: a brown-out counts within seconds. Of
   a CDN that all have left nothing more is heard: what was last heard of it then fades with
   `recall_s`, lest a long and good past call them back at once (RT-18).
2. Value. Belief less price; the price of a CDN below its commit is nothing, what is committed is
   paid anyway (RT-5).
3. Shares. Sessions prefer CDNs by a soft maximum of value, and each CDN has a toll that rises until
   what is expected on it fits within a part of its capacity (RT-6): all cells of the region at
   once, so that the best CDN does not drown (herding).
4. Moves. Only what is above its share, only where the gain passes a threshold, and only a part of
   it at each poll, which grows with the square of the gain: calm over trifles, quick in a brown-out
   (RT-7). Circuits that are not closed and collapses are left at once (RT-8).
5. A small share of starts goes everywhere that is not known to be dead: exploring.

Source: specs routing.md section 2, RT-2..RT-8, RT-18.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .face import RECENT_S, Cdn, Cell, Circuit, Evidence, Reason, Site, Snapshot, Steps, Table
from .tables import NEUTRAL, cells_of, evidence, put_off, sites, table, usable

STEP_CELLS = 16  # planned at a time: about a millisecond
ROUNDS = 16  # of finding tolls
FIRST_STEP = 2.0  # points; grows while it leads on, shrinks where it led too far (Rprop)


@dataclass(frozen=True)
class Headwater:
    """Scores are points of QoE, 0..100."""

    name: str = "headwater"
    version: int = 3
    half_life_s: float = 240.0
    dwell_s: float = 60.0
    pseudo: float = 6.0  # reports that the wider group weighs in a narrower
    width: float = 1.0  # points of value that make a share e times as large
    gain: float = 0.4  # points below which nobody moves
    haste: float = 6.5  # points beyond `gain` at which all that is above its share moves at a poll
    fall: float = 18.0  # points below the best that are left at once
    sunk: float = 5.0  # points below its own mean in a region that are a brown-out there
    sunk_fall: float = 3.0  # likewise, of a CDN that browned out
    alarm: float = 8.0  # deviations at which the last seconds are all that is believed
    doubt: float = 12.0  # points by which one report may be off
    heard: float = 9.0  # recent reports that are believed
    recall_s: float = 300.0  # half-life of what was last heard of a CDN in silence
    full: float = 0.8  # of a capacity that is planned with
    price: float = 0.37  # points for each $ per TB
    exploring: float = 0.005

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]:
        steps = self.planned(region, snapshot)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                tables: Mapping[Cell, Table] = end.value
                return tables

    def planned(self, region: str, snapshot: Snapshot) -> Steps:
        cells = cells_of(region, snapshot)
        here = sites(region, snapshot)
        half_life_s = snapshot.half_life_s
        whole = self._believe(evidence(Cell(), snapshot), None, half_life_s)
        wide = self._believe(evidence(Cell(region), snapshot), whole, half_life_s)
        alive = [i for i in usable(snapshot) if not _shut(here[i])] or usable(snapshot)
        rows: list[tuple[Evidence, ...]] = []
        beliefs: list[list[float]] = []
        for cell in cells:
            seen = evidence(cell, snapshot)
            own = cell != Cell(region)
            rows.append(seen)
            beliefs.append(self._believe(seen, wide, half_life_s) if own else wide)
            if len(rows) % STEP_CELLS == 0:
                yield
        limits = self._limits(evidence(Cell(region), snapshot), whole, wide, here)
        prices = [self._price(cdn, site) for cdn, site in zip(snapshot.cdns, here, strict=True)]
        values = [[b - p for b, p in zip(belief, prices, strict=True)] for belief in beliefs]
        tolls = self._tolls(cells, rows, values, here, alive)
        off = put_off(snapshot)
        for index, site in enumerate(here):
            if _shut(site) and index not in alive:
                off[index] = off[index] or Reason.BREAKER
        tables = {}
        for cell, row, belief in zip(cells, rows, beliefs, strict=True):
            tables[cell] = self._table(snapshot, row, belief, prices, tolls, alive, off, limits)
            if len(tables) % STEP_CELLS == 0:
                yield
        return tables

    def _believe(
        self, row: Sequence[Evidence], wider: Sequence[float] | None, half_life_s: float
    ) -> list[float]:
        if wider is None:
            n = sum(each.n for each in row)
            mean = sum(each.qoe for each in row) / n if n > 1e-9 else NEUTRAL
            wider = [mean] * len(row)
        found = []
        for each, prior in zip(row, wider, strict=True):
            belief = (each.qoe + self.pseudo * prior) / (each.n + self.pseudo)
            silent_s, heard = last_heard(each, half_life_s)
            if heard >= self.heard:
                recent = each.recent_qoe / each.recent_n
                sigmas = abs(recent - belief) * math.sqrt(heard) / self.doubt
                trust = min(1.0, max(0.0, 2 * sigmas / self.alarm - 1.0))
                belief += trust * 2.0 ** (-silent_s / self.recall_s) * (recent - belief)
            found.append(belief)
        return found

    def _limits(
        self,
        row: Sequence[Evidence],
        whole: Sequence[float],
        wide: Sequence[float],
        here: Sequence[Site],
    ) -> list[float]:
        """Points below the best at which each CDN is left at once: fewer where it sank of late, but
        not where it sank under its load, lest the next one does.
        """
        means = [
            (each.qoe + self.pseudo * prior) / (each.n + self.pseudo)
            for each, prior in zip(row, whole, strict=True)
        ]
        return [
            self.sunk_fall if mean - now > self.sunk and _fits(site, self.full) else self.fall
            for mean, now, site in zip(means, wide, here, strict=True)
        ]

    def _price(self, cdn: Cdn, site: Site) -> float:
        return 0.0 if cdn.commit_mbps and site.fill < 1.0 else self.price * cdn.price_per_tb

    def _soft(
        self, values: Sequence[float], tolls: Sequence[float], alive: Sequence[int]
    ) -> list[float]:
        top = max(values[i] - tolls[i] for i in alive)
        share = [0.0] * len(values)
        for i in alive:
            share[i] = math.exp((values[i] - tolls[i] - top) / self.width)
        total = sum(share)
        return [each / total for each in share]

    def _tolls(
        self,
        cells: Sequence[Cell],
        rows: Sequence[Sequence[Evidence]],
        values: Sequence[Sequence[float]],
        here: Sequence[Site],
        alive: Sequence[int],
    ) -> list[float]:
        """Points by which each CDN of the region is made dearer, so that all fits."""
        tolls = [0.0] * len(here)
        demand = sum(site.load_mbps for site in here)
        room = [self.full * site.capacity_mbps for site in here]
        if demand <= 0.0 or not any(room):
            return tolls
        narrow = [n for n, cell in enumerate(cells) if cell[1:] != Cell()[1:]] or [0]
        sizes = [sum(each.sessions for each in rows[n]) for n in narrow]
        total = sum(sizes) or 1.0
        steps, rising = [FIRST_STEP] * len(here), [True] * len(here)
        for _ in range(ROUNDS):
            load = [0.0] * len(here)
            for n, size in zip(narrow, sizes, strict=True):
                for i, share in enumerate(self._soft(values[n], tolls, alive)):
                    load[i] += share * size / total * demand
            over = [r > 0.0 and x > r for x, r in zip(load, room, strict=True)]
            if not any(over) and not any(tolls):
                break
            for i, up in enumerate(over):
                steps[i] *= 1.5 if up == rising[i] else 0.4
                rising[i] = up
                tolls[i] = max(0.0, tolls[i] + (steps[i] if up else -steps[i]))
        return tolls

    def _table(
        self,
        snapshot: Snapshot,
        row: Sequence[Evidence],
        belief: Sequence[float],
        prices: Sequence[float],
        tolls: Sequence[float],
        alive: Sequence[int],
        off: Sequence[Reason | None],
        limits: Sequence[float],
    ) -> Table:
        values = [b - p for b, p in zip(belief, prices, strict=True)]
        share = self._soft(values, tolls, alive)
        worth = [v - t for v, t in zip(values, tolls, strict=True)]
        target = sum(s * w for s, w in zip(share, worth, strict=True))
        sessions = sum(each.sessions for each in row) or 1.0
        leave, urgent = [], list(off)
        for i, each in enumerate(row):
            over = max(0.0, 1.0 - share[i] * sessions / each.sessions) if each.sessions else 0.0
            gain = target - worth[i]
            sure = gain - self.gain - self.doubt / math.sqrt(each.n + self.pseudo)
            leave.append(over * min(1.0, (max(0.0, sure) / self.haste) ** 2))
            if gain > limits[i] and share[i] < 0.05:
                urgent[i] = urgent[i] or Reason.BREAKER
        spread = self.exploring / len(alive)
        share = [
            (1 - self.exploring) * s + (spread if i in alive else 0.0) for i, s in enumerate(share)
        ]
        parts = [
            {"qoe": b, "price": -p, "toll": -t}
            for b, p, t in zip(belief, prices, tolls, strict=True)
        ]
        return table(snapshot, share, worth, leave=leave, urgent=urgent, parts=parts)


def last_heard(each: Evidence, half_life_s: float) -> tuple[float, float]:
    """For how long nothing was reported, and of how many reports the recent mean was then.

    A steady stream keeps n : recent_n at half_life_s : RECENT_S; in silence the ratio grows, since
    recent_n fades faster.
    """
    if each.n <= 0.0 or each.recent_n <= 0.0 or half_life_s <= RECENT_S:
        return 0.0, each.recent_n
    grown = math.log2(each.n / each.recent_n * RECENT_S / half_life_s)
    silent_s = max(0.0, grown / (1 / RECENT_S - 1 / half_life_s))
    return silent_s, min(each.n, each.recent_n * 2.0 ** (silent_s / RECENT_S))


def _fits(site: Site, full: float) -> bool:
    return not site.capacity_mbps or site.load_mbps <= full * site.capacity_mbps


def _shut(site: Site) -> bool:
    return site.circuit in (Circuit.OPEN, Circuit.HALF_OPEN) or site.probed_down
