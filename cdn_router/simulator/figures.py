"""Outcomes gathered: means with 95 % intervals, regret, the part of the gap that is closed.

Intervals are Student's t over seeds; comparisons of two policies are of pairs in the same weather
(SW-8, SW-9). Source: specs routing.md RM-1, RM-2.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from .lineup import FALLBACK, FLOOR, ORACLE
from .run import Outcome

T95 = (0, 12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)  # by freedom
T95_MANY = 2.228  # that of 10 degrees for all above: a little wide


class Estimate(NamedTuple):
    """A mean and half of its 95 % interval; the half is 0 for a single value."""

    mean: float
    half: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.half:.2f}" if self.half else f"{self.mean:.2f}"


def estimate(values: Sequence[float]) -> Estimate:
    freedom = len(values) - 1
    if freedom < 1:
        return Estimate(values[0] if values else math.nan, 0.0)
    t = T95[freedom] if freedom < len(T95) else T95_MANY
    return Estimate(fmean(values), t * stdev(values) / math.sqrt(len(values)))


class Row(NamedTuple):
    """One policy in one family, over seeds."""

    world: str
    policy: str
    qoe: Estimate
    regret: Estimate | None  # to the greedy oracle
    attributable: Estimate | None  # to the floor
    switches_per_hour: Estimate
    usd_per_tb: Estimate
    overload_percent: Estimate
    slew_percent: Estimate
    drain90_s: Estimate | None
    brown90_s: Estimate | None
    closed_gap: float | None


def rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """A row for each world and policy, in the order in which they came."""
    found: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault((outcome.world, outcome.policy), []).append(outcome)
    return [_row(world, policy, those, found) for (world, policy), those in found.items()]


def _row(
    world: str,
    policy: str,
    those: list[Outcome],
    found: dict[tuple[str, str], list[Outcome]],
) -> Row:
    return Row(
        world,
        policy,
        estimate([o.qoe for o in those]),
        behind(those, found.get((world, ORACLE), [])),
        behind(those, found.get((world, FLOOR), [])),
        estimate([o.switches_per_hour for o in those]),
        estimate([o.usd_per_tb for o in those]),
        estimate([o.overload_percent for o in those]),
        estimate([o.slew_percent for o in those]),
        _known([o.drain90_s for o in those]),
        _known([o.brown90_s for o in those]),
        _closed(those, found.get((world, FALLBACK), []), found.get((world, ORACLE), [])),
    )


def _known(seconds: Iterable[float | None]) -> Estimate | None:
    known = [each for each in seconds if each is not None]
    return estimate(known) if known else None


def _closed(
    those: Sequence[Outcome], fallback: Sequence[Outcome], oracle: Sequence[Outcome]
) -> float | None:
    if not fallback or not oracle:
        return None
    return closed_gap(*(fmean(o.qoe for o in each) for each in (those, fallback, oracle)))


def behind(those: Sequence[Outcome], reference: Sequence[Outcome]) -> Estimate | None:
    """By how many points the first are below the reference, seed by seed."""
    known = {outcome.seed: outcome.qoe for outcome in reference}
    pairs = [known[outcome.seed] - outcome.qoe for outcome in those if outcome.seed in known]
    return estimate(pairs) if pairs else None


def closed_gap(policy: float, fallback: float, oracle: float) -> float | None:
    """RM-2; None where there is no gap to close (less than 0.05 points)."""
    gap = oracle - fallback
    return (policy - fallback) / gap if gap > 0.05 else None
