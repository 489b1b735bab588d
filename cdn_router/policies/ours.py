"""Ours (A8): the policy `headwater`. Scores with back-off, planned within capacities, moved calmly.

Theory of operation, for one region of a snapshot
1. Belief. The mean of a cell on a CDN is shrunk to the region's mean on that CDN by a pseudo-count,
   the region's to the whole (RT-2). The more the last seconds deviate from it, in terms of what
   chance would explain, the more they are believed instead: a brown-out counts within seconds.
   Chance explains a lot, since one viewer's bad link is told of many times (`alarm`). Of a CDN
   that all have left nothing more is heard: what was last heard of it then fades with `recall_s`,
   lest a long and good past call them back at once (RT-18).
   Faults strike along lines: all of a CDN, a region, an ISP or a class of devices, in a region or
   anywhere. What has of late befallen all who are on a line is believed of each cell of theirs,
   as far as it has said little itself (lines.py).
2. Value. Belief less price; the price of a CDN below its commit is nothing, what is committed is
   paid anyway (RT-5). No difference in price weighs more than `thrift`.
3. Shares. Sessions prefer CDNs by a soft maximum of value, and each CDN has a toll that rises until
   what is expected on it fits within a part of its capacity (RT-6): all cells of the region at
   once, so that the best CDN does not drown (herding).
4. Moves. Only what is above its share, only where the gain passes a threshold, and only a part of
   it at each poll, which grows with the square of the gain: calm over trifles, quick in a brown-out
   (RT-7). Circuits that are not closed and collapses are left at once (RT-8).
5. Draws. Whoever starts or leaves goes where sessions lack against the shares, so that starts do
   what moves would have to. The less a share is filled the more of them it draws; one that is twice
   filled draws nobody, in cells of a few viewers, where chance fills, one that is many times.
6. A small share of starts goes everywhere that is not known to be dead: exploring.

Source: specs routing.md section 2, RT-2..RT-8, RT-18.
"""

import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .face import RECENT_S, Cdn, Cell, Circuit, Evidence, Reason, Site, Snapshot, Steps, Table
from .lines import Drift
from .tables import NEUTRAL, cells_of, evidence, put_off, sites, table, usable

STEP_CELLS = 16  # planned at a time: about a millisecond
STEP_SHARES = 128  # tried at a time while tolls are found: likewise
ROUNDS = 16  # of finding tolls
SAMPLE_S = 10.0  # a session's sample of so long has weight 1 (SW-2)
FIRST_STEP = 2.0  # points; grows while it leads on, shrinks where it led too far (Rprop)


class Turn(NamedTuple):
    """By how many points a line drifted of late, and how far chance has not done it, 0..1."""

    trust: float = 0.0
    points: float = 0.0


STILL = Turn()


@dataclass(frozen=True)
class Headwater:
    """Scores are points of QoE, 0..100."""

    name: str = "headwater"
    version: int = 6
    half_life_s: float = 240.0
    dwell_s: float = 60.0
    pseudo: float = 6.0  # reports that the wider group weighs in a narrower
    width: float = 0.8  # points of value that make a share e times as large
    gain: float = 0.5  # points below which nobody moves
    haste: float = 6.0  # points beyond `gain` at which all that is above its share moves at a poll
    fall: float = 18.0  # points below the best that are left at once
    sunk: float = 3.5  # points below its own mean in a region that are a brown-out there
    sunk_fall: float = 3.0  # likewise, of a CDN that browned out
    alarm: float = 10.0  # deviations at which the last seconds are all that is believed
    doubt: float = 12.0  # points by which one report may be off
    heard: float = 9.0  # recent reports that are believed, of a cell or of a line
    kin: float = 9.0  # recent reports that a line's turn weighs in one of its cells
    recall_s: float = 300.0  # half-life of what was last heard of a CDN in silence
    full: float = 0.8  # of a capacity that is planned with
    crowding: float = 1.0  # by how much a share is overfilled that draws nobody; 0: all draw alike
    crowd: float = 30.0  # viewers of a cell at whom chance may overfill by as much again
    price: float = 0.39  # points for each $ per TB
    thrift: float = 5.0  # points that the dearest may lose to the cheapest by its price
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
        row = evidence(Cell(region), snapshot)
        whole = self._believe(evidence(Cell(), snapshot), None, half_life_s)
        wide = self._believe(row, whole, half_life_s)
        alive = [i for i in usable(snapshot) if not _shut(here[i])] or usable(snapshot)
        rows: list[Sequence[Evidence]] = []
        for cell in cells:
            rows.append(evidence(cell, snapshot))
            if len(rows) % STEP_CELLS == 0:
                yield
        turns: dict[int, list[Turn]] = {}
        for cdn, site in enumerate(here):
            for line, turn in self._turns(snapshot.lines.drifts(cdn), site, half_life_s):
                by_cdn = turns.setdefault(line, [STILL] * len(here))
                by_cdn[cdn] = max(by_cdn[cdn], turn, key=_sureness)
            yield
        beliefs: list[list[float]] = []
        for cell, seen in zip(cells, rows, strict=True):
            own = cell != Cell(region)
            kin = [turns[line] for line in snapshot.lines.of(cell) if line in turns]
            beliefs.append(self._believe(seen, wide, half_life_s, kin) if own else wide)
            if len(beliefs) % STEP_CELLS == 0:
                yield
        limits = self._limits(row, whole, wide, here)
        prices = self._prices(snapshot.cdns, here)
        values = []
        for belief in beliefs:
            values.append([b - p for b, p in zip(belief, prices, strict=True)])
            if len(values) % STEP_SHARES == 0:
                yield
        tolls = yield from self._tolls(cells, rows, values, here, alive)
        off = put_off(snapshot)
        for index, site in enumerate(here):
            if _shut(site) and index not in alive:
                off[index] = off[index] or Reason.BREAKER
        tables = {}
        for cell, seen, belief in zip(cells, rows, beliefs, strict=True):
            tables[cell] = self._table(snapshot, seen, belief, prices, tolls, alive, off, limits)
            if len(tables) % STEP_CELLS == 0:
                yield
        return tables

    def _believe(
        self,
        row: Sequence[Evidence],
        wider: Sequence[float] | None,
        half_life_s: float,
        kin: Sequence[Sequence[Turn]] = (),
    ) -> list[float]:
        if wider is None:
            n, total = sum(each.n for each in row), sum(each.qoe for each in row)
            wider = [(total + self.pseudo * NEUTRAL) / (n + self.pseudo)] * len(row)
        found = []
        for i, (each, prior) in enumerate(zip(row, wider, strict=True)):
            belief = (each.qoe + self.pseudo * prior) / (each.n + self.pseudo)
            silent_s, heard = last_heard(each, half_life_s)
            own = each.recent_qoe / each.recent_n - belief if each.recent_n > 0.0 else 0.0
            turn = 0.0
            if kin:
                trust, points = max((turns[i] for turns in kin), key=_sureness)
                turn = trust * (heard * own + self.kin * points) / (heard + self.kin)
            if heard >= self.heard:
                turn += self._trust(own - turn, heard, silent_s) * (own - turn)
            found.append(belief + turn)
        return found

    def _turns(
        self, drifts: Iterable[Drift], here: Site, half_life_s: float
    ) -> Iterator[tuple[int, Turn]]:
        """What befell lines on a CDN, but for what its load here may have done."""
        for each in drifts if _fits(here, self.full) else ():
            silent_s, heard = last_heard(each, half_life_s)
            sunk = min(1.0, max(0.0, -each.points / self.sunk - 1.0))
            trust = sunk * self._trust(each.points, heard, silent_s)
            if heard >= self.heard and trust > 0.0:
                yield each.line, Turn(trust, each.points)

    def _trust(self, points: float, heard: float, silent_s: float) -> float:
        """How far so many reports, off by so many points, are more than chance, 0..1."""
        sigmas = abs(points) * math.sqrt(heard) / self.doubt
        trust = min(1.0, max(0.0, 2 * sigmas / self.alarm - 1.0))
        return trust * math.exp2(-silent_s / self.recall_s)

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

    def _prices(self, cdns: Sequence[Cdn], here: Sequence[Site]) -> list[float]:
        """In points; pressed together where one costs a hundred times as much as another, lest the
        worst quality is taken because it is cheap.
        """
        dear = [
            0.0 if cdn.commit_mbps and site.fill < 1.0 else self.price * cdn.price_per_tb
            for cdn, site in zip(cdns, here, strict=True)
        ]
        spread = max(dear) - min(dear)
        scale = self.thrift / spread if spread > self.thrift else 1.0
        return [each * scale for each in dear]

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
    ) -> Generator[None, None, list[float]]:
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
        tried = 0
        for _ in range(ROUNDS):
            load = [0.0] * len(here)
            for n, size in zip(narrow, sizes, strict=True):
                for i, share in enumerate(self._soft(values[n], tolls, alive)):
                    load[i] += share * size / total * demand
                tried += 1
                if tried % STEP_SHARES == 0:
                    yield
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
        draws = self._explored(self._lacking(share, row, sessions), alive)
        parts = [
            {"qoe": b, "price": -p, "toll": -t}
            for b, p, t in zip(belief, prices, tolls, strict=True)
        ]
        share = self._explored(share, alive)
        return table(snapshot, share, worth, leave=leave, urgent=urgent, parts=parts, draws=draws)

    def _explored(self, share: Sequence[float], alive: Sequence[int]) -> list[float]:
        spread = self.exploring / len(alive)
        return [
            (1 - self.exploring) * s + (spread if i in alive else 0.0) for i, s in enumerate(share)
        ]

    def _lacking(
        self, share: Sequence[float], row: Sequence[Evidence], sessions: float
    ) -> Sequence[float]:
        """What of those who start or leave each CDN draws, by what it has against its share."""
        if self.crowding <= 0.0:
            return share
        most = 1.0 + self.crowding + self.crowd / max(1.0, sessions)
        lacks = [
            max(0.0, most * s - each.sessions / sessions)
            for s, each in zip(share, row, strict=True)
        ]
        total = sum(lacks)
        return [lack / total for lack in lacks]


def last_heard(each: Evidence | Drift, half_life_s: float) -> tuple[float, float]:
    """For how long nothing was reported, and of how many reports the recent mean was then.

    A steady stream keeps n : recent_n at half_life_s : RECENT_S; in silence the ratio grows, since
    recent_n fades faster. It also grows where peers tell late: as far as those who were heard are
    still there, it is no silence.
    """
    if each.n <= 0.0 or each.recent_n <= 0.0 or half_life_s <= RECENT_S:
        return 0.0, each.recent_n
    grown = math.log2(each.n / each.recent_n * RECENT_S / half_life_s)
    silent_s = max(0.0, grown / (1 / RECENT_S - 1 / half_life_s))
    usual = each.sessions * half_life_s / math.log(2) / SAMPLE_S
    silent_s *= max(0.0, 1.0 - usual / each.n)
    return silent_s, min(each.n, each.recent_n * 2.0 ** (silent_s / RECENT_S))


def _sureness(turn: Turn) -> float:
    return turn.trust * abs(turn.points)


def _fits(site: Site, full: float) -> bool:
    return not site.capacity_mbps or site.load_mbps <= full * site.capacity_mbps


def _shut(site: Site) -> bool:
    return site.circuit in (Circuit.OPEN, Circuit.HALF_OPEN) or site.probed_down
