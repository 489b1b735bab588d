"""Worlds nobody tuned for, drawn by seed: all policies go through them, and ours loses to none.

HEADWATER_WORLDS=200 goes through so many of each kind and prints them; HEADWATER_WORLD=17 through
one of each.
"""

import math
import os
import time
from collections.abc import Callable
from random import Random
from statistics import fmean

import msgspec
import pytest

from cdn_router.simulator import weather
from cdn_router.simulator.lineup import named
from cdn_router.simulator.run import Outcome, run
from cdn_router.simulator.world import CdnModel, Fault, Liars, Surge, World, parse

LONG = int(os.environ.get("HEADWATER_WORLDS", "0"))
ONE = os.environ.get("HEADWATER_WORLD", "")
FEW = (3, 8, 12, 15)  # one CDN and 16, one viewer, prices of thousands, hardly any capacity
ENOUGH = 20  # worlds in which chance evens out
SERVICES = (8,)  # short sessions, a crowd in five minutes, word of peers half a minute late
SEEDS = [int(ONE)] if ONE else list(range(1, LONG + 1))
OURS, RIVALS = "headwater", ("round-robin-probes", "d-ucb", "d-thompson")
CROWD = 40  # viewers below which chance decides who is ahead
SERVED = 0.5  # of what is asked; where less can be served all fail, and who fails least is chance
LOST = 0.2  # points that a rival may be ahead in the mean over worlds
LOST_ONCE = 4.0  # and in one, of a quarter of an hour and few viewers
MAX_S = 240.0  # of processor time for a policy in a world


def drawn(seed: int) -> World:
    """A world of odd size, prices, capacities and faults."""
    draw = Random(f"world {seed}")
    count = draw.choice((1, 2, 2, 3, 4, 6, 12, 16))
    regions = [f"R{n}" for n in range(draw.choice((1, 1, 2, 6, 20, 60)))]
    isps = [f"I{n}" for n in range(draw.choice((1, 2, 5) if len(regions) < 60 else (1,)))]
    devices = ["tv", "phone", "stick"][: draw.choice((1, 1, 2, 3))]
    hours = draw.choice((0.25, 0.4, 0.6))
    cdns = _cdns(draw, count)
    world = World(
        name=f"drawn-{seed}",
        cdns=cdns,
        hours=hours,
        regions=regions,
        isps=isps,
        devices=devices,
        viewers=draw.choice((1, 40, 250, 500)),
        session_minutes=draw.choice((2.0, 25.0, 600.0)),
        session_sigma=draw.choice((0.0, 0.8, 2.0)),
        swing=draw.choice((0.0, 0.3, 1.0)),
        links=draw.choice(
            ({"4g": 1.0}, {"fcc_hd": 0.5, "3g": 0.5}, {"fcc_hd": 1.0, "fcc_sd": 1.0})
        ),
        path_kbps=draw.choice((5_000.0, 40_000.0, 1e6)),
        drift=draw.choice(((0.98, 0.03), (0.0, 0.3), (1.0, 0.1))),
        degraded_hours=draw.choice((None, 0.5, 3.0)),
        events=_events(draw, hours * 3600, cdns, regions, isps, devices),
        liars=Liars(0.3, isps[0]) if draw.random() < 0.2 else None,
        snapshot_delay_s=draw.choice((0.0, 0.0, 25.0, 60.0)),
        nodes=draw.choice((1, 4, 30)),
        ttl_s=draw.choice((5.0, 20.0, 20.0, 60.0)),
        heartbeat_s=draw.choice((5.0, 30.0, 120.0)),
        player_failover=draw.random() < 0.3,
    )
    return parse(msgspec.json.encode(world))


def service(seed: int) -> World:
    """A service as somebody might run it: prices up to 1:4, much and little capacity, an hour or
    half of one with what may befall it.
    """
    draw = Random(f"service {seed}")
    count = draw.choice((2, 3, 4, 4, 5, 6))
    regions = [f"R{n}" for n in range(draw.choice((2, 4, 6, 12)))]
    isps = [f"I{n}" for n in range(draw.choice((2, 4, 8)))]
    devices = ["tv", "phone"][: draw.choice((1, 1, 2))]
    hours = draw.choice((0.5, 0.75, 1.0))
    cdns = _offers(draw, count)
    world = World(
        name=f"service-{seed}",
        cdns=cdns,
        hours=hours,
        regions=regions,
        isps=isps,
        devices=devices,
        viewers=draw.choice((600, 1000, 1500)),
        session_minutes=draw.choice((5.0, 25.0, 25.0, 90.0)),
        session_sigma=draw.choice((0.3, 0.8, 1.2)),
        swing=draw.choice((0.0, 0.3, 0.8)),
        links=draw.choice(({"fcc_hd": 0.6, "3g": 0.1, "4g": 0.2}, {"fcc_hd": 1.0}, {"4g": 1.0})),
        drift=draw.choice(((0.98, 0.03), (0.98, 0.03), (0.95, 0.08))),
        degraded_hours=draw.choice((None, 3.0, 3.0, 8.0)),
        events=_mishaps(draw, hours * 3600, cdns, regions, isps, devices),
        liars=Liars(0.3, isps[0]) if draw.random() < 0.15 else None,
        snapshot_delay_s=draw.choice((0.0, 0.0, 0.0, 10.0, 30.0)),
        ttl_s=draw.choice((10.0, 20.0, 20.0, 30.0)),
    )
    return parse(msgspec.json.encode(world))


def _offers(draw: Random, count: int) -> list[CdnModel]:
    """Each dearer than the one before; in half of the services also better."""
    ratio, cheapest = draw.choice((1.0, 1.5, 3.0, 4.0)), draw.choice((2.0, 4.0, 6.0))
    spare, better = draw.choice((0.85, 1.2, 1.68, 1.68, 2.5)) / count, draw.choice((0.0, 0.2))
    cdns = []
    for n in range(count):
        rank = n / (count - 1)
        low = draw.uniform(0.1, 0.6) + better * rank
        capacity = spare * draw.uniform(0.6, 1.4)
        cdns.append(
            CdnModel(
                id=f"CDN-{n}",
                price_per_tb=cheapest * ratio**rank,
                capacity=capacity,
                told_capacity=capacity * draw.choice((1.0, 1.0, 1.0, 1.0, 1.8)),
                quality=(low, low + draw.uniform(0.0, 0.7)),
                commit=draw.choice((0.0, 0.0, 0.0, 0.1, 0.2)),
            )
        )
    return cdns


def _mishaps(
    draw: Random,
    s: float,
    cdns: list[CdnModel],
    regions: list[str],
    isps: list[str],
    devices: list[str],
) -> list[Fault | Surge]:
    """Crowds that come in five minutes or in one, and CDNs, regions, ISPs, devices that suffer."""
    events: list[Fault | Surge] = []
    for _ in range(draw.choice((0, 1, 2, 3))):
        at_s, for_s = s * draw.uniform(0.1, 0.8), s * draw.uniform(0.05, 0.25)
        cdn, region = draw.choice(cdns).id, draw.choice(regions)
        dead, slow = draw.choice((0.0, 0.1, 0.3)), draw.choice((0.1, 0.3))
        everyone = draw.choice((cdn, cdn, None))
        events.append(
            draw.choice(
                (
                    Surge(at_s, 300.0, 0.5, draw.choice((None, region))),
                    Surge(at_s, 60.0, draw.choice((0.5, 1.0))),
                    Fault(at_s, for_s, slow, cdn=everyone, isp=draw.choice(isps)),
                    Fault(at_s, for_s, slow, cdn=cdn, device=draw.choice(devices)),
                    Fault(at_s, for_s, dead, cdn=cdn, region=region),
                    Fault(at_s, for_s, dead, cdn=cdn),
                )
            )
        )
    return events


def _cdns(draw: Random, count: int) -> list[CdnModel]:
    dear = draw.choice((0.0, 10.0, 10.0, 1e4))
    tight = draw.choice((0.05, 1.1, 2.0, 20.0)) / count
    return [
        CdnModel(
            id=f"CDN-{n}",
            price_per_tb=dear * draw.random() ** 2,
            capacity=tight * draw.uniform(0.5, 1.5),
            told_capacity=draw.choice((None, None, None, tight * draw.uniform(0.5, 3.0))),
            quality=draw.choice(((0.35, 1.0), (0.6, 0.6), (0.05, 0.2), (0.25, 1.2))),
            commit=draw.choice((0.0, 0.0, 0.2)),
        )
        for n in range(count)
    ]


def _events(
    draw: Random,
    s: float,
    cdns: list[CdnModel],
    regions: list[str],
    isps: list[str],
    devices: list[str],
) -> list[Fault | Surge]:
    events: list[Fault | Surge] = []
    for _ in range(draw.choice((0, 1, 2, 4))):
        at_s, for_s = s * draw.random(), s * draw.uniform(0.05, 0.4)
        kind = draw.choice(("cdn", "spot", "device", "all", "surge"))
        factor = draw.choice((0.0, 0.1, 0.3))
        cdn, region = draw.choice(cdns).id, draw.choice(regions)
        if kind == "surge":
            events.append(
                Surge(at_s, for_s, draw.choice((0.3, 1.0, 3.0)), draw.choice((None, region)))
            )
        elif kind == "all":
            events.append(Fault(at_s, s * 0.05, factor))
        elif kind == "device":
            events.append(Fault(at_s, for_s, factor, cdn=cdn, device=draw.choice(devices)))
        elif kind == "spot":
            events.append(Fault(at_s, for_s, factor, cdn=cdn, region=region, isp=draw.choice(isps)))
        else:
            events.append(Fault(at_s, for_s, factor, cdn=cdn))
    return events


def sound(outcome: Outcome, world: World) -> None:
    numbers = [
        outcome.qoe,
        outcome.overload_percent,
        outcome.blamed_percent,
        outcome.slew_percent,
        *outcome.qoe_by_minute,
    ]
    assert all(0.0 <= each <= 100.0 + 1e-6 for each in numbers), outcome
    assert 0.0 <= outcome.switches_per_hour <= 3600 / world.ttl_s + 1, outcome
    dearest = max(cdn.price_per_tb for cdn in world.cdns)
    assert math.isfinite(outcome.usd_per_tb) and outcome.usd_per_tb <= dearest + 1e-6
    assert all(len(shares) == len(world.cdns) for shares in outcome.share_by_minute)


@pytest.mark.parametrize(("make", "few"), [(drawn, FEW), (service, SERVICES)])
def test_ours_loses_to_nobody_in_worlds_it_has_never_seen(
    make: Callable[[int], World], few: tuple[int, ...]
) -> None:
    """SW-8: each policy in the same weather."""
    leads: dict[str, list[float]] = {rival: [] for rival in RIVALS}
    for seed in SEEDS or few:
        world = make(seed)
        made = weather.make(world, seed)
        qoe = {}
        for name in (OURS, *RIVALS, "oracle"):
            begun_s = time.process_time()
            found = run(named(name), made, seed)
            sound(found, world)
            assert time.process_time() - begun_s < MAX_S, (seed, name)
            qoe[name] = round(found.qoe, 2)
        if SEEDS:
            print(world.name, qoe)
        if world.viewers < CROWD or sum(cdn.capacity for cdn in world.cdns) < SERVED:
            continue
        for rival in RIVALS:
            leads[rival].append(qoe[OURS] - qoe[rival])
            assert leads[rival][-1] > -LOST_ONCE, (seed, qoe)
    means = {rival: fmean(points) for rival, points in leads.items() if len(points) >= ENOUGH}
    print(means)
    assert all(mean > -LOST for mean in means.values()), leads
