"""Bandits by group: UCB1, Pytheas' discounted UCB, discounted Thompson sampling (A5..A7).

Their discounted sums are the snapshot's own: a half-life of h seconds is a discount of
2 ** (-batch / h) a batch, so that 0.8 a batch of 10 s is a half-life of 31.06 s.
Source: specs routing.md section 2, RG-9; A6 in the form of nsdi2017-ddn/ddn.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from .face import Cell, Snapshot, Table
from .tables import best, cells_of, evidence, means, one, table, usable

BATCH_S = 10.0
GAMMA = 0.8
HALF_LIFE_S = BATCH_S * math.log(2) / -math.log(GAMMA)
SEEN = 1e-6  # less than this was never tried


def ucb(sums: Sequence[float], counts: Sequence[float], bonus: float) -> list[float]:
    """score_i = s_i / n_i + B sqrt(2 ln N) / sqrt(n_i), 0 without samples, no bonus for N <= 1."""
    total = sum(counts)
    reach = bonus * math.sqrt(2 * math.log(total)) if total > 1 else 0.0
    return [
        s / n + reach / math.sqrt(n) if n > 0 else 0.0 for s, n in zip(sums, counts, strict=True)
    ]


def play_forward(
    sums: Sequence[float], counts: Sequence[float], *, bonus: float, gamma: float, steps: int
) -> list[int]:
    """The decisions of one batch: each is taken as made, so that one batch spreads over arms.

    N is not discounted while playing forward, as in ddn; counts are.
    """
    means_now = [s / n if n > 0 else 0.0 for s, n in zip(sums, counts, strict=True)]
    played, total = list(counts), sum(counts)
    chosen = []
    for _ in range(steps):
        reach = bonus * math.sqrt(2 * math.log(total)) if total > 1 else 0.0
        scores = [
            m + reach / math.sqrt(n) if n > 0 else 0.0
            for m, n in zip(means_now, played, strict=True)
        ]
        arm = best(scores, range(len(scores)))
        chosen.append(arm)
        played[arm] += 1
        total += 1
        played = [n * gamma for n in played]
    return chosen


@dataclass(frozen=True)
class Ucb1:
    """A5: nothing is forgotten."""

    name: str = "ucb1"
    version: int = 1
    half_life_s: float = 1e9
    dwell_s: float = 0.0
    bonus: float = 5.0

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]:
        return {cell: self._table(cell, snapshot) for cell in cells_of(region, snapshot)}

    def _table(self, cell: Cell, snapshot: Snapshot) -> Table:
        row = evidence(cell, snapshot)
        scores = ucb([e.qoe for e in row], [e.n for e in row], self.bonus)
        those = usable(snapshot)
        new = [index for index in those if row[index].n < SEEN]
        lead = new[0] if new else best(scores, those)
        return table(snapshot, one(lead, len(row)), scores, leave=1.0)


@dataclass(frozen=True)
class Ducb:
    """A6: Pytheas. `bonus` is B in our points; each arm is tried once before it is scored."""

    name: str = "d-ucb"
    version: int = 1
    half_life_s: float = HALF_LIFE_S
    dwell_s: float = 0.0
    bonus: float = 5.0
    steps: int = 10

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]:
        return {cell: self._table(cell, snapshot) for cell in cells_of(region, snapshot)}

    def _table(self, cell: Cell, snapshot: Snapshot) -> Table:
        row = evidence(cell, snapshot)
        those = usable(snapshot)
        sums = [row[index].qoe for index in those]
        counts = [row[index].n for index in those]
        new = [index for index, n in enumerate(counts) if n < SEEN]
        chosen = new or play_forward(sums, counts, bonus=self.bonus, gamma=GAMMA, steps=self.steps)
        share, scores = [0.0] * len(row), [0.0] * len(row)
        for arm in chosen:
            share[those[arm]] += 1 / len(chosen)
        for arm, score in enumerate(ucb(sums, counts, self.bonus)):
            scores[those[arm]] = score
        return table(snapshot, share, scores, leave=1.0)


@dataclass(frozen=True)
class Thompson:
    """A7: an arm's share is how often it wins among samples of mean + noise c / sqrt(1 + n)."""

    name: str = "d-thompson"
    version: int = 1
    half_life_s: float = HALF_LIFE_S
    dwell_s: float = 0.0
    spread: float = 15.0
    samples: int = 16

    def plan(self, region: str, snapshot: Snapshot) -> Mapping[Cell, Table]:
        return {cell: self._table(cell, snapshot) for cell in cells_of(region, snapshot)}

    def _table(self, cell: Cell, snapshot: Snapshot) -> Table:
        row = evidence(cell, snapshot)
        those, scores = usable(snapshot), means(row)
        widths = [self.spread / math.sqrt(1 + each.n) for each in row]
        at = (snapshot.version * 7919 + sum("|".join(cell).encode()) * 104_729) % len(NOISE)
        share = [0.0] * len(row)
        for _ in range(self.samples):
            drawn = list(scores)
            for index in those:
                at = (at + 1) % len(NOISE)
                drawn[index] += NOISE[at] * widths[index]
            share[best(drawn, those)] += 1 / self.samples
        return table(snapshot, share, scores, leave=1.0)


def _noise(count: int) -> list[float]:
    """Standard normal quantiles, shuffled by a fixed stride: no generator."""
    normal = NormalDist()
    quantiles = [normal.inv_cdf((n + 0.5) / count) for n in range(count)]
    return [quantiles[n * 2_654_435_761 % count] for n in range(count)]


NOISE = _noise(4093)
