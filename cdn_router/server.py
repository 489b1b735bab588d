"""The router put together: its parts over one set of settings, and its listener."""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from itertools import starmap
from pathlib import Path

import cat
from runtime.client_address import networks
from runtime.clock import SYSTEM, Clock
from runtime.fetch import Fetcher
from runtime.heap import Heap
from runtime.objects import ObjectStore
from runtime.service import Background, Part, Web
from runtime.shortway import ShortWay
from runtime.store import MemoryStore, Store

from .admin.plan import Plan
from .admin.routes import AdminRoutes
from .admin.shared import SharedPlan
from .agents import Agents, RegionProbes
from .archive.opening import opened
from .catalog import POLICIES
from .cells.feed import Feed
from .cells.geoip import GeoIp
from .cells.keeper import Keeper
from .cells.place import Place
from .cells.state import State as CellState
from .core import Router
from .endpoints import STEER_HEADERS, Endpoints
from .feeds_http import Feeds
from .feeds_polls import PollFeed
from .front import Front
from .health import Limits, State
from .inlet import CMCD_HEADERS
from .intake import Hosts, Intake, Keep
from .pathways import Admin, Pathway
from .policies.face import Cdn
from .prober import Prober, Target
from .sessions import Sessions
from .settings import PathwaySettings, Settings
from .state import Signer
from .tape.recorder import Tape
from .upkeep import Upkeep

GUESTS = 4  # a quarter of the records is for sessions we did not start


def build(settings: Settings, clock: Clock = SYSTEM) -> Router:
    """The router of these settings; without a configured key its state dies with the process."""
    key = settings.state_key.get_secret_value().encode() or secrets.token_bytes(32)
    return Router(
        [Pathway(p.id, p.base_url, p.priority) for p in settings.pathways],
        base=Plan(policy=settings.policy),
        policies=POLICIES,
        risk_ttl_s=settings.risk_ttl_s,
        snapshot_max_ms=settings.snapshot_max_ms,
        signer=Signer(key),
        public_url=settings.public_url,
        ttl_s=settings.ttl_s,
        state_ttl_s=settings.state_ttl_s,
        limits=Limits(settings.failures, settings.recovery, settings.out_s),
        max_sessions=settings.max_sessions,
        now_ms=clock.now_ms(),
        new_id=lambda: secrets.token_hex(16),
    )


def cdn(settings: PathwaySettings) -> Cdn:
    """A pathway as policies see it."""
    return Cdn(
        settings.id,
        settings.price_per_tb,
        settings.priority,
        settings.weight,
        settings.capacity_mbps,
        settings.commit_mbps,
    )


def tried(router: Router, cells: CellState, region: str, now_ms: int) -> str:
    """The pathway that a session of a region is to try, as the one probe of its half-open circuit;
    "" for none. What probes find down, or the operator does not want, is not tried (RT-8).
    """
    if not cells.circuits.half_open:
        return ""
    sites = router.sites.values()
    down = {
        at
        for at, site in enumerate(sites)
        if site.health.state is State.OUT or site.admin is not Admin.ENABLED
    }
    at = cells.circuits.trial(region, now_ms / 1000, down)
    return cells.cdns[at].id if at >= 0 else ""


def geoip(settings: Settings) -> GeoIp:
    """Where addresses are."""
    return GeoIp(settings.geoip, required=settings.geoip_required)


def hosts(settings: Settings) -> Hosts:
    """Whose host is whose."""
    return Hosts(
        {p.id: p.base_url for p in settings.pathways},
        {p.id: p.hosts for p in settings.pathways},
    )


def build_intake(
    settings: Settings,
    router: Router,
    cells: CellState | None = None,
    keep: Keep | None = None,
    locate: Callable[[str], Place] | None = None,
) -> Intake:
    """Where the players of these settings report to; with `cells` what they say is evidence."""
    feed = None
    if cells is not None:
        feed = Feed(cells, locate or geoip(settings))
    router.heard = None if feed is None else PollFeed(feed).note
    intake = Intake(
        router.sessions,
        Sessions(max(1, settings.max_sessions // GUESTS)),
        hosts(settings),
        per_peer=settings.cmcd_per_peer,
        per_session=settings.cmcd_per_session,
        feed=feed,
        keep=keep,
    )
    router.planned = lambda plan: intake.cloned((each.host, each.id) for each in plan.clones)
    return intake


def parts(
    settings: Settings,
    keys: cat.KeySet | None = None,
    *,
    issuer: str = "headwater",
    clock: Clock = SYSTEM,
    reuse_port: bool = False,
    store: Store | None = None,
    kept: tuple[ObjectStore, Path] | None = None,
) -> list[Part]:
    """What `headwater router` runs: probes, cells, archive and listener.

    With `keys` probes carry a token. Through `store`, which is started here, nodes share what they
    know; requests never wait for it. `kept` is where Parquet goes, and the folder of its journal.
    """
    router = build(settings, clock)
    cells = CellState([cdn(each) for each in settings.pathways], clock.now_ms() / 1000)
    router.trial = partial(tried, router, cells)
    node = secrets.token_hex(8)
    locate = geoip(settings)
    archive = None
    if kept:
        waiting = settings.archive_max_bytes
        days = settings.archive_days
        archive = opened(*kept, node, waiting, clock, locate, hosts(settings), days)
    intake = build_intake(settings, router, cells, archive.keep if archive else None, locate)
    tape = None
    if archive is not None and settings.record:
        tape = Tape(archive.write, cells, clock.now_ms() / 1000)
    regions = RegionProbes(router.sites)
    upkeep = Upkeep(router, cells, clock, settings.plan_file, tape, regions)
    keeper = Keeper(cells, node, clock, store, lambda _where, _circuit: upkeep.hurry())
    token = settings.admin_token.get_secret_value()
    shared = SharedPlan(router, store or MemoryStore(clock=clock), clock, upkeep.keep)
    admin = AdminRoutes(router, clock, token, shared)
    proxies = networks(settings.trusted_proxies)
    endpoints = Endpoints(router, intake, clock, settings.console_origin, admin, proxies)
    agents = Agents(regions, clock, settings.feed_token.get_secret_value())
    listener = Web(
        "router",
        agents.mounted(Feeds(settings, intake, clock).mounted(endpoints.application())),
        host=settings.host,
        port=settings.port,
        admin_routes=True,
        reuse_port=reuse_port,
        front=ShortWay(
            Front(
                endpoints.answer,
                STEER_HEADERS,
                lambda: clock.now_ms() // 1000,
                lambda body, peer: intake.take(body, peer, clock.now_ms()),
                CMCD_HEADERS,
            )
        ),
    )
    shelves: list[Part] = [archive.objects, archive.archive] if archive else []
    works = {"plan": shared.forever, "geoip": locate.forever}
    keepers: list[Part] = [keeper, upkeep, Heap(), *starmap(Background, works.items())]
    targets = [Target(p.id, p.probe_url) for p in settings.pathways if p.probe_url]
    if not targets:
        return [*shelves, *keepers, listener]
    fetcher = Fetcher(
        [target.url for target in targets],
        name="probe-client",
        timeout_s=settings.probe_timeout_s,
        connect_timeout_s=settings.probe_timeout_s,
    )
    prober = Prober(router, fetcher, targets, settings.slow_ms, clock, keys=keys, issuer=issuer)

    async def forever() -> None:
        while True:
            await prober.round()
            await asyncio.sleep(settings.probe_interval_s)

    probes = Background("probes", forever)
    return [*shelves, fetcher, probes, *keepers, listener]
