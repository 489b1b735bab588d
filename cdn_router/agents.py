"""Probes from the regions: agents near viewers tell each router what they find of every CDN.

    POST /v1/probes   {"region": "DE", "probes": [{"pathway": "CDN-A", "outcome": "failed"}]}

Three failures in a row are "down" in that region until one succeeds; an agent that fell silent, of
one CDN or of all, says nothing. Agents are senders we know: `Authorization: Bearer` with
router.feed_token. Each tells all routers, so that none has to ask another.
Source: specs routing.md RT-1, RT-8, A3.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from runtime import logs, metrics
from runtime.clock import Clock

from .admin.routes import admit
from .bodies import decoded
from .errors import NotFound
from .health import Health, Limits, Outcome, State

PATH = "/v1/probes"
SILENT_S = 150.0  # five rounds
MAX_REGIONS = 256
MAX_PROBES = 64
LIMITS = Limits(threshold=3, recovery=1, out_s=0.0)

log = logs.get("cdn_router")
TOLD = metrics.counter("router_region_probes", "probes by agents", ("pathway", "outcome"))

Region = Annotated[str, Meta(min_length=1, max_length=64)]


class Probe(Struct, frozen=True, forbid_unknown_fields=True):
    pathway: Annotated[str, Meta(max_length=64)]
    outcome: Outcome


class Probes(Struct, frozen=True, forbid_unknown_fields=True):
    """One round of one agent."""

    region: Region
    probes: Annotated[list[Probe], Meta(min_length=1, max_length=MAX_PROBES)]


@dataclass(slots=True)
class Seen:
    """What a region's agents found of a CDN, and when the last of them spoke of it."""

    health: Health = field(default_factory=lambda: Health(LIMITS))
    heard_s: float = 0.0


class RegionProbes:
    """Healths by region; of too many regions the one not heard of for longest is forgotten."""

    def __init__(self, pathways: Collection[str]) -> None:
        self._pathways = frozenset(pathways)
        self._regions: OrderedDict[str, dict[str, Seen]] = OrderedDict()

    def take(self, told: Probes, now_s: float) -> list[str]:
        """Note a round; the pathways whose state it changed. NotFound for one that is none."""
        if unknown := {probe.pathway for probe in told.probes} - self._pathways:
            raise NotFound("pathway_unknown", ", ".join(sorted(unknown)))
        seen = self._regions.setdefault(told.region, {})
        self._regions.move_to_end(told.region)
        if len(self._regions) > MAX_REGIONS:
            self._regions.popitem(last=False)
        changed = []
        for probe in told.probes:
            of = seen.setdefault(probe.pathway, Seen())
            of.heard_s = now_s
            if of.health.observe(probe.outcome, now_s) is not None:
                changed.append(probe.pathway)
        return changed

    def down(self, region: str, pathway: str, now_s: float) -> bool:
        """Whether agents of the region find it down."""
        seen = self._regions.get(region, {}).get(pathway)
        if seen is None or now_s - seen.heard_s > SILENT_S:
            return False
        return seen.health.state is State.OUT


class Agents:
    """The endpoint."""

    def __init__(self, regions: RegionProbes, clock: Clock, token: str) -> None:
        self._regions, self._clock, self._token = regions, clock, token

    def mounted(self, app: web.Application) -> web.Application:
        """The application, with this endpoint."""
        app.add_routes([web.post(PATH, self.probes)])
        return app

    async def probes(self, request: web.Request) -> web.Response:
        """204 once a round was taken."""
        admit(request, self._token, "feed_token")
        told = decoded(await request.read(), Probes)
        changed = self._regions.take(told, self._clock.now_ms() / 1000)
        for probe in told.probes:
            TOLD.labels(probe.pathway, probe.outcome).inc()
        if changed:
            log.warning("region_probes", region=told.region, pathways=changed)
        return web.Response(status=204)
