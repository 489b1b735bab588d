"""The control API as parts of a process: schema, router client, listener.

The composition starts the database before these parts, and passes in what other rooms own.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from aiohttp import web

import cat
from control_api import idempotency, keys, openapi, seed, upkeep
from control_api.calls import Services
from control_api.catalogue.found import fill
from control_api.content_tokens import CatSigner, Signer
from control_api.epg import work as guide_desk
from control_api.flags import Flags
from control_api.flags import work as flags
from control_api.guarded import guarded
from control_api.guide import work as guide
from control_api.identity import rotations
from control_api.identity import work as identity
from control_api.issuer import Issuer, Passwords
from control_api.jobs import work as jobs
from control_api.licence_proxy import proxies
from control_api.licences import Gate
from control_api.migrations import LOCATION
from control_api.outbox import work as outbox
from control_api.playback import Playback
from control_api.recordings import work as recordings
from control_api.route import Route
from control_api.routerclient import HttpRouter, Router, SwitchedRouter
from control_api.routes import ROUTES
from control_api.sessions import Clockwork
from control_api.settings import Settings
from control_api.terms import edges
from control_api.viewers import work as viewers
from control_api.web import mount
from control_api.webhooks import work as webhooks
from runtime.hotline import Hotline
from runtime.plain import Ways
from runtime.plain_http import PlainHttp
from runtime.service import Part, Web
from runtime.shortway import ShortWay
from runtime.sql import Database
from runtime.store import MemoryStore, Store

Pages = Callable[[web.Application], None]
KeyRoutes = Callable[[Gate], Sequence[web.RouteDef]]
Work = Callable[[Services], Sequence[Part]]

# One line a folder of the room that does something on its own; started in this order.
WORK: tuple[Work, ...] = (
    flags.work,
    upkeep.work,
    outbox.work,
    recordings.work,
    identity.work,
    rotations.work,
    webhooks.work,
    idempotency.work,
    edges.work,
    guide_desk.work,
    guide.work,
    viewers.work,
    jobs.work,
)


class Schema:
    """The database at our revision before anybody is served, and the demo's rows if asked for."""

    name = "control-schema"

    def __init__(self, database: Database, passwords: Passwords, demo_password: str | None) -> None:
        self._database = database
        self._passwords = passwords
        self._demo_password = demo_password
        self._done = False

    async def start(self) -> None:
        await self._database.upgrade(LOCATION)
        if self._demo_password is not None:
            await seed.plant(self._database, self._passwords, self._demo_password)
        await fill(self._database)
        self._done = True

    def ready(self) -> str | None:
        return None if self._done else "migrating"

    async def drain(self) -> None:
        """Nothing is in flight here."""

    async def stop(self) -> None:
        """The database belongs to the composition."""


def signer(settings: Settings, keys_file: Path) -> CatSigner:
    """Signs with the key file that edges and proxy read; makes the file if there is none."""
    material = keys.load_or_create(keys_file, keys.content_token_keys)
    key_set = cat.KeySet.from_json(material)
    return CatSigner(
        key_set, settings.content_token_issuer, settings.segments_ms, settings.live_bound_s
    )


def parts(
    settings: Settings,
    *,
    database: Database,
    folder: Path,
    token_signer: Signer,
    router: Router | None = None,
    demo: bool = False,
    pages: Pages | None = None,
    more_routes: Sequence[Route] = (),
    key_routes: KeyRoutes | None = None,
    store: Store | None = None,
    reuse_port: bool = False,
) -> list[Part]:
    """What `headwater control` runs.

    `database` is started by the composition, earlier; `folder` keeps the issuer's keys; `router`
    None asks `settings.router_url` over HTTP; `demo` plants the demo household; `pages` mounts the
    console on the listener's application and `more_routes` are what its pages ask; `key_routes`
    gives out content keys to whom the gate lets pass; `store`, started by the composition, is what
    the processes of the API share.
    """
    found: list[Part] = []
    if router is None:
        line = Hotline(settings.router_url, name="router-client")
        router = HttpRouter(line, settings.pathways)
        found.append(line)
    passwords = Passwords()
    demo_password = settings.demo_password.get_secret_value() if demo else None
    found.append(Schema(database, passwords, demo_password))
    store = store or MemoryStore()
    database = guarded(database, settings.timeouts.breaker_s)
    app, ways, gate, services = application(
        settings,
        database,
        folder,
        token_signer,
        router,
        passwords,
        store,
        clearkey=key_routes is not None,
        more_routes=more_routes,
    )
    for work in WORK:
        found += work(services)
    if gate is not None:
        fetchers, found_proxies = proxies(settings.licences, gate, store)
        found += fetchers
        for proxy in found_proxies:
            app.add_routes(proxy.routes())
        if key_routes is not None:
            app.add_routes(key_routes(gate))
    if pages is not None:
        pages(app)
    found.append(
        Web(
            "control",
            app,
            host=settings.host,
            port=settings.port,
            admin_routes=True,
            reuse_port=reuse_port,
            front=ShortWay(PlainHttp("control", ways)),
        )
    )
    return found


def application(
    settings: Settings,
    database: Database,
    folder: Path,
    token_signer: Signer,
    router: Router,
    passwords: Passwords,
    store: Store,
    *,
    clearkey: bool = False,
    more_routes: Sequence[Route] = (),
) -> tuple[web.Application, Ways, Gate | None, Services]:
    """The API's routes and its OpenAPI document, those by the short way; who may have licences."""
    secret = keys.sealing_secret(
        keys.load_or_create(folder / "sealing-key.json", keys.sealing_keys)
    )
    issuer = Issuer(
        keys.load_or_create(folder / "issuer-keys.json", keys.issuer_keys),
        name=settings.public_url,
        audience=settings.audience,
        life_s=settings.access_token_s,
        leeway_s=settings.jwt_leeway_s,
    )
    switched = Flags()
    playback = Playback(
        settings,
        database,
        SwitchedRouter(router, settings.pathways, lambda: switched.on("router")),
        token_signer,
        secret,
        store=store,
        clearkey=clearkey,
        passwords=passwords,
    )
    playback.cases.opens = lambda: switched.on("free_without_rights")
    app = web.Application(client_max_size=settings.max_body_bytes)
    desk = token_signer if isinstance(token_signer, CatSigner) else None
    services = Services(
        settings, database, issuer, passwords, playback, secret, store, desk, switched
    )
    routes = (*ROUTES, *more_routes)
    ways = mount(app, services, routes)
    described = openapi.document(routes, settings.public_url)
    document = msgspec.json.encode(described)

    async def describe(_: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    app.router.add_get("/openapi.json", describe)
    times = Clockwork(
        settings.session_ttl_s, settings.terminated_kept_s, settings.termination_code_s
    )
    gate = Gate(database, playback, desk.keys, desk.issuer, times) if desk is not None else None
    return app, ways, gate, services
