"""The weather of a recorded day: the archive's events played to the simulator's viewers.

Rules
1. A session arrives with its first report and leaves after its last; its cell is where it was, its
   link the best throughput that it told of.
2. The path of a cell to a CDN in a tick is the best throughput told of it there. Where most
   requests failed it is dead, until something is heard of it again or `DEAD_S` are over. Where
   nobody says anything it is as before; before that, as the CDN was elsewhere.
3. What a recording cannot know is the world's: prices, capacities, TTL, how late snapshots are.

Times are those of arrival. Cells of no known place are of the region ZZ and of AS0.
"""

from array import array
from collections import defaultdict
from collections.abc import Mapping
from statistics import median
from typing import NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.dataset as ds  # type: ignore[import-untyped]

from ..archive.reading import dataset
from ..errors import RequestError
from ..policies.face import Cell
from .weather import SAFETY, TOP_KBPS, Arrival, Weather
from .world import TICK_S, CdnModel, World

NOWHERE, NOBODY = "ZZ", "AS0"  # ISO 3166-1 user-assigned; RFC 7607
TICK_MS = round(TICK_S * 1000)
DEAD_S = 60.0
VOICES = 3  # responses, before a path is called dead
COLUMNS = ["at_ms", "sid", "region", "isp", "cdn", "e", "rc", "mtp"]
MAX_EVENTS = 50_000_000

Pair = tuple[str, str]  # region, ISP


class Heard(NamedTuple):
    """What was told of a path in a tick: the best throughput, None for none; responses."""

    kbps: float | None
    failed: int
    asked: int


class Watched(NamedTuple):
    """A session: its cell, first and last tick, and the best throughput, None for none."""

    where: Pair
    first: int
    last: int
    kbps: float | None


class Recording(NamedTuple):
    ticks: int
    sessions: list[Watched]
    paths: dict[tuple[Pair, str, int], Heard]

    @property
    def cdns(self) -> list[str]:
        return sorted({cdn for _, cdn, _ in self.paths})

    @property
    def pairs(self) -> list[Pair]:
        """Region by region."""
        return sorted({session.where for session in self.sessions})


def read(root: str) -> Recording:
    """RequestError for an archive without sessions that play from CDNs."""
    try:
        found = dataset(root)
        if found.count_rows() > MAX_EVENTS:
            raise RequestError("recording_large", f"at most {MAX_EVENTS:,} events")
        told = found.to_table(COLUMNS, filter=ds.field("sid").is_valid())
    except (OSError, pa.ArrowInvalid) as error:
        raise RequestError("recording_missing", str(error)) from None
    if not told.num_rows or not pc.any(pc.not_equal(told.column("cdn"), "")).as_py():
        raise RequestError("recording_empty", "no session of it names a CDN of ours")
    begun_ms = pc.min(told.column("at_ms")).as_py()
    after = pc.subtract(told.column("at_ms"), begun_ms // TICK_MS * TICK_MS)
    told = told.append_column("tick", pc.divide(after, TICK_MS))
    return Recording(1 + pc.max(told.column("tick")).as_py(), _sessions(told), _paths(told))


def _sessions(told: pa.Table) -> list[Watched]:
    wanted = [("tick", "min"), ("tick", "max"), ("mtp", "max"), ("region", "max"), ("isp", "max")]
    rows = (
        told.group_by("sid")
        .aggregate(wanted)
        .sort_by([("tick_min", "ascending"), ("sid", "ascending")])
    )
    return [
        Watched(
            _pair(row["region_max"], row["isp_max"]),
            row["tick_min"],
            row["tick_max"],
            row["mtp_max"] or None,
        )
        for row in rows.to_pylist()
    ]


def _paths(told: pa.Table) -> dict[tuple[Pair, str, int], Heard]:
    status, event = told.column("rc"), told.column("e")
    asked = pc.fill_null(pc.and_(pc.equal(event, "rr"), pc.is_valid(status)), False)
    bad = pc.fill_null(pc.or_(pc.equal(status, 0), pc.greater_equal(status, 500)), False)
    told = told.append_column("asked", pc.cast(asked, pa.int64()))
    told = told.append_column("failed", pc.cast(pc.and_(asked, bad), pa.int64()))
    wanted = [("mtp", "max"), ("failed", "sum"), ("asked", "sum")]
    rows = told.group_by(["region", "isp", "cdn", "tick"]).aggregate(wanted).to_pylist()
    return {
        (_pair(row["region"], row["isp"]), row["cdn"], row["tick"]): Heard(
            row["mtp_max"] or None, row["failed_sum"], row["asked_sum"]
        )
        for row in rows
        if row["cdn"]
    }


def _pair(region: str, isp: str) -> Pair:
    return region or NOWHERE, isp or NOBODY


def world(root: str) -> World:
    """The world of a recording, to be given prices and capacities: here all cost the same, and what
    was carried could be carried.
    """
    found = read(root)
    present = [0] * (found.ticks + 1)
    for session in found.sessions:
        present[session.first] += 1
        present[session.last + 1] -= 1
    most = here = 0
    for change in present:
        here += change
        most = max(most, here)
    return World(
        "recorded",
        [CdnModel(name, 1.0, capacity=1.0) for name in found.cdns],
        hours=found.ticks * TICK_S / 3600,
        regions=sorted({region for region, _ in found.pairs}),
        isps=sorted({isp for _, isp in found.pairs}),
        viewers=most,
        recorded=root,
    )


def make(world: World) -> Weather:
    """The recorded weather of a world that names a recording; the same under every seed."""
    found = read(world.recorded)
    names = [cdn.id for cdn in world.cdns]
    if missing := set(found.cdns) - set(names):
        raise RequestError("world_invalid", f"the recording has more CDNs: {sorted(missing)}")
    pairs = [pair for pair in found.pairs if pair[0] in world.regions]
    places = {pair: at for at, pair in enumerate(pairs)}
    sessions = [s for s in found.sessions if s.where in places and s.first < world.ticks]
    usual = median([s.kbps for s in sessions if s.kbps] or [world.path_kbps])
    links = array("f", [s.kbps or usual for s in sessions])
    arrivals: list[list[Arrival]] = [[] for _ in range(world.ticks)]
    for at, session in enumerate(sessions):
        until_s = (session.last + 1) * TICK_S
        cell = places[session.where]
        arrival = Arrival(at + 1, cell, at, at + 1, at, until_s, False)
        arrivals[session.first].append(arrival)
    mean_kbps = sum(min(SAFETY * link, TOP_KBPS) for link in links) / max(1, len(links))
    peak_kbps = world.viewers * mean_kbps
    regions = range(len(world.regions))
    return Weather(
        world,
        tuple(Cell(region, isp) for region, isp in pairs),
        array("i", [world.regions.index(region) for region, _ in pairs]),
        links,
        tuple(map(tuple, arrivals)),
        tuple(_played(found, world, pairs, names)),
        array("d", [peak_kbps * cdn.capacity for _ in regions for cdn in world.cdns]),
        array(
            "d", [peak_kbps * (c.told_capacity or c.capacity) for _ in regions for c in world.cdns]
        ),
        peak_kbps,
    )


def _played(
    found: Recording, world: World, pairs: list[Pair], names: list[str]
) -> "list[array[float]]":
    """A row of paths for each tick."""
    best: Mapping[str, list[float]] = defaultdict(list)
    first: dict[tuple[Pair, str], float] = {}
    for (pair, cdn, _), heard in sorted(found.paths.items(), key=lambda item: item[0][2]):
        if heard.kbps is not None:
            first.setdefault((pair, cdn), heard.kbps)
            best[cdn].append(heard.kbps)
    usual = {cdn: median(best[cdn] or [world.path_kbps]) for cdn in names}
    paths = [(pair, cdn) for pair in pairs for cdn in names]
    kbps = [first.get(path, usual[path[1]]) for path in paths]
    dead_until_s = [0.0] * len(paths)
    rows = []
    for tick in range(world.ticks):
        for at, (pair, cdn) in enumerate(paths):
            if (now := found.paths.get((pair, cdn, tick))) is not None:
                dead = now.asked >= VOICES and 2 * now.failed > now.asked
                dead_until_s[at] = tick * TICK_S + DEAD_S if dead else 0.0
                kbps[at] = now.kbps if now.kbps is not None and not dead else kbps[at]
        now_s = tick * TICK_S
        rows.append(
            array("d", [0.0 if now_s < dead_until_s[at] else k for at, k in enumerate(kbps)])
        )
    return rows
