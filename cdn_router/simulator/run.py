"""One policy in one weather, and what became of it (specs routing.md section 4)."""

import math
from array import array
from itertools import product
from statistics import median
from typing import Protocol, runtime_checkable

import msgspec

from native.router.crowd import Crowd

from ..cells.commits import percentile95
from ..policies.chooser import Chooser
from ..policies.face import Policy
from .signals import Signals, late_ticks
from .weather import Weather, hits
from .world import TICK_S, Fault

FREE_KBPS = 1e9
BROWN = 0.1


@runtime_checkable
class Oracle(Protocol):
    """A policy that is told the truth before each tick."""

    def told(self, crowd: Crowd, weather: Weather, tick: int) -> None: ...


class Outcome(msgspec.Struct, frozen=True):
    """The metrics of one run: RM-1..RM-7; `drain90_s` is None where nothing failed."""

    policy: str
    world: str
    seed: int
    qoe: float
    switches_per_hour: float
    usd_per_tb: float
    overload_percent: float
    blamed_percent: float  # time spent waiting while path or CDN was the limit
    slew_percent: float  # mean move of shares between ticks, of all sessions (RM-4)
    drain90_s: float | None
    brown90_s: float | None  # likewise, of a CDN whose paths fell to a tenth or less
    billed_mbps: dict[str, float]  # 95th percentile by CDN (RM-7)
    commit_fill: dict[str, float]
    qoe_by_minute: list[float]
    share_by_minute: list[list[float]]


def run(policy: Policy, weather: Weather, seed: int) -> Outcome:
    """Steer the weather's viewers through all its ticks; `seed` is the policy's own (SW-8)."""
    world = weather.world
    count = len(world.cdns)
    signals = Signals(weather, policy.half_life_s)
    crowd = Crowd(
        weather.region,
        len(world.regions),
        count,
        weather.links,
        tick_s=TICK_S,
        ttl_s=world.ttl_s,
        heartbeat_s=world.heartbeat_s,
        half_life_s=policy.half_life_s,
        dwell_s=policy.dwell_s,
        failover=world.player_failover,
        seed=seed,
        make=lambda kind, size: array(kind, [0]) * size,
        nodes=world.nodes if late_ticks(world) else 1,
    )
    watch = Watch(weather)
    free = getattr(policy, "free", False)
    unbounded = array("d", [FREE_KBPS]) * len(weather.capacity)
    open_paths = array("d", [FREE_KBPS]) * (len(weather.cells) * count)
    for tick, arrivals in enumerate(weather.arrivals):
        known = signals.snapshot(crowd, tick)
        if isinstance(policy, Oracle):
            policy.told(crowd, weather, tick)
        chooser = Chooser(policy, known)
        crowd.steer([chooser.table(cell)[1].shares for cell in weather.cells])
        now_s = tick * TICK_S
        for a in arrivals:
            crowd.arrive(a.ident, a.cell, a.first, a.end, a.sample, a.until_s, now_s, a.liar)
        crowd.tick(
            now_s,
            open_paths if free else weather.paths[tick],
            unbounded if free else weather.capacity,
        )
        watch.after(crowd, tick)
    billed = [percentile95(signals.samples(index)) / 1e3 for index in range(count)]
    used = [signals.terabytes(index) for index in range(count)]
    paid = sum(tb * cdn.price_per_tb for tb, cdn in zip(used, world.cdns, strict=True))
    names = [cdn.id for cdn in world.cdns]
    commits = [cdn.commit_mbps for cdn in signals.cdns]
    return Outcome(
        policy=policy.name,
        world=world.name,
        seed=seed,
        qoe=crowd.qoe / max(1, crowd.samples),
        switches_per_hour=crowd.moves / max(1e-9, crowd.played_s / 3600),
        usd_per_tb=paid / max(1e-12, sum(used)),
        overload_percent=100 * crowd.overloads / max(1, crowd.spots),
        blamed_percent=100 * crowd.blamed_s / max(1e-9, crowd.played_s),
        slew_percent=watch.slew(),
        drain90_s=watch.drain90_s(dead=True),
        brown90_s=watch.drain90_s(dead=False),
        billed_mbps=dict(zip(names, billed, strict=True)),
        commit_fill={n: b / c for n, b, c in zip(names, billed, commits, strict=True) if c},
        qoe_by_minute=watch.qoe_by_minute,
        share_by_minute=watch.share_by_minute,
    )


class Watch:
    """Series and drains over a run."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        world = weather.world
        self._names = [cdn.id for cdn in world.cdns]
        self._faults = [
            e for e in world.events if isinstance(e, Fault) and e.factor <= BROWN and e.cdn
        ]
        self._spots = [
            [n for n, pair in enumerate(product(weather.cells, world.cdns)) if hits(fault, *pair)]
            for fault in self._faults
        ]
        self._held: dict[int, float] = {}
        self._drained: dict[int, float] = {}
        self._before = (0.0, 0)
        self._shares: list[float] = []
        self._slews: list[float] = []
        self.qoe_by_minute: list[float] = []
        self.share_by_minute: list[list[float]] = []

    def after(self, crowd: Crowd, tick: int) -> None:
        spots, count = crowd.there(), crowd.cdns
        there = [sum(spots[index::count]) for index in range(count)]
        total = sum(there) or 1.0
        shares = [each / total for each in there]
        if self._shares:
            pairs = zip(shares, self._shares, strict=True)
            self._slews.append(sum(abs(a - b) for a, b in pairs) / 2)
        self._shares = shares
        for number, those in enumerate(self._spots):
            self._drain(number, sum(spots[n] for n in those), tick)
        if (tick + 1) % 6 == 0:
            qoe, samples = self._before
            grown = max(1, crowd.samples - samples)
            self.qoe_by_minute.append(round((crowd.qoe - qoe) / grown, 3))
            self.share_by_minute.append([round(each, 4) for each in shares])
            self._before = (crowd.qoe, crowd.samples)

    def _drain(self, number: int, there: float, tick: int) -> None:
        """RM-5: how long until a failed CDN holds less than a tenth of what it had."""
        fault = self._faults[number]
        now_s = (tick + 1) * TICK_S
        begun_s = math.ceil(fault.at_s / TICK_S) * TICK_S  # faults begin with a tick
        if now_s <= begun_s:
            self._held[number] = there
        elif number not in self._drained and there < 0.1 * self._held.get(number, 0.0):
            self._drained[number] = now_s - begun_s
        elif number not in self._drained and now_s - TICK_S >= fault.at_s + fault.for_s:
            self._drained[number] = fault.for_s  # not before it was over

    def drain90_s(self, *, dead: bool) -> float | None:
        """The median over what died or browned out; a CDN that held hardly anybody says nothing."""
        found = [
            lasted_s
            for number, lasted_s in self._drained.items()
            if self._held.get(number, 0.0) >= 5 and (self._faults[number].factor == 0.0) is dead
        ]
        return median(found) if found else None

    def slew(self) -> float:
        return 100 * sum(self._slews) / max(1, len(self._slews))
