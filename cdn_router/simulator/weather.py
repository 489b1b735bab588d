"""What happens in a world whoever steers: viewers, links, paths, from a seed of its own (SW-8)."""

import json
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import NamedTuple

from ..errors import RequestError
from ..policies.face import Cell
from .world import TICK_S, CdnModel, Fault, Surge, World, check

SAFETY, TOP_KBPS = 0.8, 16_800.0  # SW-5
MAX_DRIFT = 10.0  # of a path's logarithm


class Arrival(NamedTuple):
    ident: int
    cell: int
    first: int
    end: int
    sample: int
    until_s: float
    liar: bool


@dataclass(frozen=True, slots=True)
class Weather:
    """`paths` has a row per tick of kbit/s by cell and CDN; `capacity` and `told` are kbit/s by
    region and CDN.
    """

    world: World
    cells: tuple[Cell, ...]
    region: "array[int]"
    links: "array[float]"
    arrivals: tuple[tuple[Arrival, ...], ...]
    paths: tuple["array[float]", ...]
    capacity: "array[float]"
    told: "array[float]"
    peak_kbps: float


@cache
def _links() -> dict[str, list[list[float]]]:
    found = json.loads(files(__package__).joinpath("links.json").read_bytes())
    links: dict[str, list[list[float]]] = found["links"]
    return links


def make(world: World, seed: int) -> Weather:
    """The weather of a world under one seed; RequestError as of `check`, and for unknown links."""
    if world.recorded:
        from .recorded import make as recorded

        return recorded(world)
    check(world)
    cells = tuple(
        Cell(region, isp, "", device)
        for region in world.regions
        for isp in world.isps
        for device in world.devices
    )
    per_region = len(cells) // len(world.regions)
    links, spans = _lay(world)
    peak = world.viewers / len(world.regions) * _usual_kbps(world, links, spans)
    at_regions = range(len(world.regions))
    return Weather(
        world,
        cells,
        array("i", [index // per_region for index in range(len(cells))]),
        links,
        _crowd(world, cells, spans, Random(f"{seed} viewers")),
        tuple(_paths(world, cells, Random(f"{seed} paths"))),
        array("d", [peak * cdn.capacity for _ in at_regions for cdn in world.cdns]),
        array(
            "d", [peak * (c.told_capacity or c.capacity) for _ in at_regions for c in world.cdns]
        ),
        peak * len(world.regions),
    )


Spans = dict[str, list[tuple[int, int]]]


def _lay(world: World) -> tuple["array[float]", Spans]:
    """All links in one array, and where each begins and ends."""
    links: array[float] = array("f")
    spans: Spans = {}
    for name in world.links:
        if name not in _links():
            raise RequestError("world_invalid", f"no links of this name: {name}")
        spans[name] = []
        for link in _links()[name]:
            spans[name].append((len(links), len(links) + len(link)))
            links.extend(link)
    return links, spans


def _usual_kbps(world: World, links: "array[float]", spans: Spans) -> float:
    """What a viewer asks in the mean when no path limits."""
    total = sum(world.links.values())
    mean = 0.0
    for name, weight in world.links.items():
        rates = [min(SAFETY * links[i], TOP_KBPS) for a, b in spans[name] for i in range(a, b)]
        mean += weight / total * sum(rates) / len(rates)
    return mean


def _crowd(
    world: World, cells: tuple[Cell, ...], spans: Spans, draw: Random
) -> tuple[tuple[Arrival, ...], ...]:
    """Who starts in each tick: those there at the start, a daily swing, surges."""
    names, weights = list(world.links), list(world.links.values())
    ticks: list[tuple[Arrival, ...]] = []
    ident = 0
    for tick in range(world.ticks):
        now_s = tick * TICK_S
        level = 1 - world.swing * (0.5 + 0.5 * math.cos(2 * math.pi * tick / world.ticks))
        expected = world.viewers * level * TICK_S / world.session_s
        starts: list[tuple[float, str | None]] = [(expected, None)]
        if tick == 0:
            starts.append((world.viewers * level, None))
        for event in world.events:
            if isinstance(event, Surge) and event.at_s <= now_s < event.at_s + event.for_s:
                starts.append((world.viewers * event.share * TICK_S / event.for_s, event.region))
        arrivals: list[Arrival] = []
        for number, region in starts:
            for _ in range(int(number + draw.random())):
                ident += 1
                index = draw.randrange(len(cells))
                if region is not None:
                    per_region = len(cells) // len(world.regions)
                    index = world.regions.index(region) * per_region + index % per_region
                kind = draw.choices(names, weights)[0]
                first, end = draw.choice(spans[kind])
                length = draw.lognormvariate(
                    math.log(world.session_minutes * 60), world.session_sigma
                )
                liars = world.liars
                liar = liars is not None and cells[index].isp == liars.isp
                lies = liar and liars is not None and draw.random() < liars.share
                sample = draw.randrange(first, end)
                arrivals.append(Arrival(ident, index, first, end, sample, now_s + length, lies))
        ticks.append(tuple(arrivals))
    return tuple(ticks)


def _paths(world: World, cells: tuple[Cell, ...], draw: Random) -> Iterator["array[float]"]:
    """The path of each cell and CDN: a base, a slow drift, degraded spells and faults (SW-2)."""
    phi, sigma = world.drift
    pairs = [(cell, cdn) for cell in cells for cdn in world.cdns]
    bases = [world.path_kbps * draw.uniform(*cdn.quality) for _, cdn in pairs]
    drifts = [0.0] * len(pairs)
    spells = [(0.0, 1.0)] * len(pairs)  # until, factor
    chance = TICK_S / 3600 / world.degraded_hours if world.degraded_hours else 0.0
    faults = [event for event in world.events if isinstance(event, Fault)]
    struck = [[n for n, pair in enumerate(pairs) if hits(fault, *pair)] for fault in faults]
    for tick in range(world.ticks):
        now_s = tick * TICK_S
        row = array("d", bytes(8 * len(pairs)))
        for n, base in enumerate(bases):
            drift = phi * drifts[n] + draw.gauss(0.0, sigma)
            drifts[n] = min(MAX_DRIFT, max(-MAX_DRIFT, drift))
            if chance and draw.random() < chance:
                length_s = 60 * draw.uniform(*world.degraded_minutes)
                spells[n] = (now_s + length_s, draw.uniform(*world.degraded_factor))
            until_s, factor = spells[n]
            row[n] = base * math.exp(drifts[n]) * (factor if now_s < until_s else 1.0)
        for fault, those in zip(faults, struck, strict=True):
            if fault.at_s <= now_s < fault.at_s + fault.for_s:
                for n in those:
                    row[n] *= fault.factor
        yield row


def hits(fault: Fault, cell: Cell, cdn: CdnModel) -> bool:
    wanted = (
        (fault.cdn, cdn.id),
        (fault.region, cell.region),
        (fault.isp, cell.isp),
        (fault.device, cell.device),
    )
    return all(name is None or name == found for name, found in wanted)
