"""A world as its JSON file has it: who watches where, over what, and what goes wrong when.

`headwater router world --schema` prints the JSON Schema of `World`, derived from these types.
Source: specs routing.md SW-1..SW-9.
"""

import math
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ..errors import RequestError

Name = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,64}$")]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, Meta(gt=0.0, le=1e9)]
Seconds = Annotated[float, Meta(ge=0.0, le=30 * 86_400)]
Names = Annotated[list[Name], Meta(min_length=1, max_length=64)]
TICK_S = 10.0  # SW-1
MAX_CELLS = 5_000
MAX_PATHS = 30_000_000  # by tick, cell and CDN: 240 MB
MAX_VIEWERS = 2_000_000  # at once
MAX_STARTS = 5_000_000


class CdnModel(Struct, forbid_unknown_fields=True, frozen=True):
    """A CDN. `capacity` is true, as a share of each region's peak, `told_capacity` what its
    contract says. `quality` is the range of its paths as a share of `path_kbps`; `commit` the 95th
    percentile committed to, as a share of the whole peak.
    """

    id: Name
    price_per_tb: Annotated[float, Meta(ge=0.0, le=1e6)]
    capacity: Positive = 0.42
    told_capacity: Positive | None = None
    quality: tuple[Positive, Positive] = (0.35, 1.0)
    commit: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    weight: Positive = 1.0
    priority: int = 0


class Fault(Struct, forbid_unknown_fields=True, frozen=True, tag="fault", tag_field="kind"):
    """Paths are multiplied by `factor` (0: dead) wherever all that is named matches."""

    at_s: Seconds
    for_s: Seconds
    factor: Annotated[float, Meta(ge=0.0, le=10.0)]
    cdn: Name | None = None
    region: Name | None = None
    isp: Name | None = None
    device: Name | None = None


class Surge(Struct, forbid_unknown_fields=True, frozen=True, tag="surge", tag_field="kind"):
    """So many more viewers start within `for_s`, as a share of `viewers`."""

    at_s: Seconds
    for_s: Positive
    share: Annotated[float, Meta(gt=0.0, le=100.0)]
    region: Name | None = None


class Liars(Struct, forbid_unknown_fields=True, frozen=True):
    """This share of an ISP's viewers report the first CDN dead and all others perfect."""

    share: Fraction
    isp: Name


class World(Struct, forbid_unknown_fields=True, frozen=True):
    name: Name
    cdns: Annotated[list[CdnModel], Meta(min_length=1, max_length=16)]
    hours: Annotated[float, Meta(gt=0.0, le=168.0)] = 3.0
    regions: Names = msgspec.field(default_factory=lambda: [f"R{n}" for n in range(1, 7)])
    isps: Names = msgspec.field(default_factory=lambda: [f"I{n}" for n in range(1, 5)])
    devices: Names = msgspec.field(default_factory=lambda: ["tv"])
    viewers: Annotated[int, Meta(ge=1, le=1_000_000)] = 1500  # at the peak
    session_minutes: Positive = 25.0  # median of a lognormal
    session_sigma: Annotated[float, Meta(ge=0.0, le=3.0)] = 0.8
    swing: Fraction = 0.3  # by how much the night is below the peak
    links: Annotated[dict[Name, Positive], Meta(min_length=1, max_length=16)] = msgspec.field(
        default_factory=lambda: {"fcc_hd": 0.5, "fcc_sd": 0.1, "3g": 0.1, "4g": 0.2}
    )  # SW-4
    path_kbps: Positive = 40_000.0
    drift: tuple[Fraction, Annotated[float, Meta(ge=0.0, le=1.0)]] = (
        0.98,
        0.03,
    )  # AR(1): phi, sigma
    degraded_hours: Positive | None = 3.0  # one degraded spell of each path in so many hours
    degraded_minutes: tuple[Positive, Positive] = (3.0, 15.0)
    degraded_factor: tuple[Positive, Positive] = (0.03, 0.3)
    events: Annotated[list[Fault | Surge], Meta(max_length=1000)] = []
    liars: Liars | None = None
    snapshot_delay_s: Seconds = 0.0  # what a router's peers were told reaches it so much later
    nodes: Annotated[int, Meta(ge=1, le=1000)] = 4  # routers, each told the same share
    ttl_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 20.0
    heartbeat_s: Annotated[float, Meta(ge=1.0, le=600.0)] = 30.0
    player_failover: bool = False
    recorded: Annotated[str, Meta(max_length=1024)] = ""  # an archive whose viewers and paths count

    @property
    def ticks(self) -> int:
        return round(self.hours * 3600 / TICK_S)

    @property
    def session_s(self) -> float:
        """The mean length of a session."""
        return self.session_minutes * 60 * math.exp(self.session_sigma**2 / 2)


def parse(text: bytes) -> World:
    """A world from its JSON; RequestError says what is wrong and where."""
    try:
        world = msgspec.json.decode(text, type=World)
    except msgspec.MsgspecError as error:
        raise RequestError("world_invalid", str(error)) from None
    check(world)
    return world


def check(world: World) -> None:
    """RequestError for what no schema says: names that nobody has or two have, and worlds too large
    to be gone through.
    """
    known: dict[str, list[str]] = {
        "cdn": [cdn.id for cdn in world.cdns],
        "region": world.regions,
        "isp": world.isps,
        "device": world.devices,
    }
    for what, names in known.items():
        if len(set(names)) != len(names):
            raise RequestError("world_invalid", f"two of one name: {what}")
    told = [(f"$.events[{n}]", event) for n, event in enumerate(world.events)]
    for where, each in [*told, ("$.liars", world.liars)]:
        for what, names in known.items():
            if (name := getattr(each, what, None)) is not None and name not in names:
                raise RequestError(
                    "world_invalid", f"no {what} of this name: {name} - at `{where}`"
                )
    cells = len(world.regions) * len(world.isps) * len(world.devices)
    surges = sum(event.share for event in world.events if isinstance(event, Surge))
    starts = world.viewers * (1 + surges + world.hours * 3600 / world.session_s)
    if world.ticks < 1:
        raise RequestError("world_invalid", "shorter than a tick")
    sizes = (
        (cells, MAX_CELLS, "cells (regions x isps x devices)"),
        (world.ticks * cells * len(world.cdns), MAX_PATHS, "ticks x cells x cdns"),
        (world.viewers * (1 + surges), MAX_VIEWERS, "viewers with all surges"),
        (starts, MAX_STARTS, "sessions, by viewers, hours and session_minutes"),
    )
    for size, most, what in sizes:
        if size > most:
            raise RequestError("world_invalid", f"at most {most:,}: {what}")


def schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of a world."""
    return msgspec.json.schema(World)
