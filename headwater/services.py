"""Each service as the parts of one process: settings and neighbours meet here.

A builder imports its own room when it runs, so that no process carries the other rooms.
"""

import asyncio
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

import cdn_router.settings
import control_api.settings
import manifest_proxy.settings
import origin.settings
from headwater import ready
from headwater.settings import Demo, Token, effective
from runtime import logs, objects, service, telemetry
from runtime.heap import Heap
from runtime.sections import Data, Log, Objects, Sql, Store, Telemetry
from runtime.service import Background, Part, Web
from runtime.settings import Loaded

if TYPE_CHECKING:
    import cat
    from headwater.console.asking import Asking
    from headwater.demo import page
    from headwater.demo.story import Story
    from runtime.sql import Database

Kind = TypeVar("Kind")


def section(loaded: Loaded, name: str, kind: type[Kind]) -> Kind:
    """One section's model, as its own type."""
    value = loaded.values[name]
    assert isinstance(value, kind)
    return value


def keys_file(loaded: Loaded) -> Path:
    """The token keys that control, proxy, router and edges share."""
    configured = section(loaded, "token", Token).keys_file
    return configured or section(loaded, "data", Data).dir / "token-keys.json"


def run(name: str, config: Path | None, data: Path | None, socket: Path | None = None) -> int:
    """Run one service to its end; the exit code. With a `socket` the process is one of several
    workers: it shares the service's ports and answers admin requests there.
    """
    loaded = effective(config, data)
    logs.setup(name, section(loaded, "log", Log).level)
    kind, _, instance = name.partition(":")
    parts, admin = BUILDERS[kind](loaded, instance, socket is not None)
    parts = [*telemetry.parts(kind, section(loaded, "telemetry", Telemetry)), *parts]
    if socket is not None:
        worker_admin = Web("admin", web.Application(), path=socket, admin_routes=True)
        parts, admin = [worker_admin, *parts], None
    return service.run(name, parts, admin=admin)


def _ffmpeg() -> str:
    """The wheel's, else the system's; empty where there is none."""
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return shutil.which("ffmpeg") or ""


def package(
    inputs: Sequence[str],
    title: str,
    config: Path | None,
    data: Path | None,
    *,
    thumbnails: bool = True,
    drop_misaligned: bool = False,
) -> int:
    """Register a title; 0, or 1 with the reasons when its files do not fit."""
    from origin import vod
    from origin.errors import OriginError
    from origin.protection.inputs import InputKeys

    loaded = effective(config, data)
    folder = section(loaded, "data", Data).dir
    keys = InputKeys(section(loaded, "origin", origin.settings.Settings).protection)
    remote = section(loaded, "objects", Objects)
    ffmpeg = _ffmpeg() if thumbnails else ""
    if thumbnails and not ffmpeg:
        print("note: no thumbnails: there is no ffmpeg; install the demo extra", file=sys.stderr)
    try:
        if any(each.startswith("s3://") for each in inputs) and remote.url:
            store = objects.choose(remote, folder)
            report = asyncio.run(
                vod.register_objects(
                    folder,
                    inputs,
                    title,
                    store,
                    remote.bucket,
                    ffmpeg=ffmpeg,
                    drop_misaligned=drop_misaligned,
                    keys=keys,
                )
            )
        else:
            report = vod.register(
                folder, inputs, title, ffmpeg=ffmpeg, drop_misaligned=drop_misaligned, keys=keys
            )
    except (OriginError, objects.ObjectError) as error:
        print(f"headwater package: {error}", file=sys.stderr)
        return 1
    kinds = ", ".join(f"{each.name} ({each.codecs})" for each in report.renditions)
    print(
        f"{report.title}: {float(report.duration_s):.3f} s in {report.segments} segments, {kinds}"
    )
    for note in report.notes:
        print(f"note: {note}")
    untold = asyncio.run(ready.tell(report, section(loaded, "package", ready.Packaging)))
    if untold is not None:
        print(f"headwater package: registered, but nobody was told: {untold}", file=sys.stderr)
        return service.EXIT_FAILURE
    return 0


def control_database(config: Path | None, data: Path | None) -> "Database":
    """The control API's database, for commands that work beside it."""
    loaded = effective(config, data)
    return _database(loaded, section(loaded, "data", Data).dir / "control")


def origin_settings(loaded: Loaded) -> origin.settings.Settings:
    """The origin's, with the licence URLs of the control API beside it."""
    from headwater.licence_urls import public_urls

    control = section(loaded, "control", control_api.settings.Settings)
    settings = section(loaded, "origin", origin.settings.Settings)
    return public_urls(settings, control.public_url, list(control.licences.servers))


Built = tuple[list[Part], tuple[str, int] | None]


def _key_members(loaded: Loaded) -> Sequence[Mapping[str, Any]]:
    from control_api import keys

    return keys.load_or_create(keys_file(loaded), keys.content_token_keys)


def _keys(loaded: Loaded) -> "cat.KeySet":
    import cat

    return cat.KeySet.from_json(_key_members(loaded))


def _issuer(loaded: Loaded) -> str:
    return section(loaded, "control", control_api.settings.Settings).content_token_issuer


def _origin(loaded: Loaded, _: str, shared: bool) -> Built:
    from origin import server

    settings = origin_settings(loaded)
    folder = section(loaded, "data", Data).dir
    remote = section(loaded, "objects", Objects)
    store = objects.choose(remote, folder)
    films = (objects.choose(remote, folder), remote.bucket) if remote.url else None
    parts = server.parts(settings, folder, reuse_port=shared, objects=store, films=films)
    return parts, (settings.host, settings.admin_port)


def _proxy(loaded: Loaded, _: str, shared: bool) -> Built:
    from manifest_proxy import server
    from runtime import store as shared_store

    settings = section(loaded, "proxy", manifest_proxy.settings.Settings)
    issuers = (_issuer(loaded),)
    sharing = section(loaded, "store", Store)
    several = bool(sharing.url.get_secret_value())
    store = shared_store.choose(sharing, processes=1)[0] if several else None
    parts = server.parts(settings, _keys(loaded), issuers=issuers, reuse_port=shared, store=store)
    return parts, (settings.host, settings.admin_port)


def _router(loaded: Loaded, _: str, shared: bool) -> Built:
    from cdn_router import server
    from runtime import store as shared_store

    settings = section(loaded, "router", cdn_router.settings.Settings)
    issuer = _issuer(loaded)
    sharing = section(loaded, "store", Store)
    several = bool(sharing.url.get_secret_value())
    store = shared_store.choose(sharing, processes=1)[0] if several else None
    folder = section(loaded, "data", Data).dir
    chosen = objects.choose(section(loaded, "objects", Objects), folder)
    kept = (chosen, folder / "router" / "journal") if settings.archive else None
    parts = server.parts(
        settings, _keys(loaded), issuer=issuer, reuse_port=shared, store=store, kept=kept
    )
    return parts, None


def _control(loaded: Loaded, _: str, shared: bool) -> Built:
    from control_api import server
    from headwater.licences import Keys, key_routes
    from runtime import store as shared_store

    settings = section(loaded, "control", control_api.settings.Settings)
    data_dir = section(loaded, "data", Data).dir
    folder = data_dir / "control"
    policy = shared_store.SessionPolicy(
        ttl_ms=1_000 * settings.session_ttl_s, kept_ms=1_000 * settings.terminated_kept_s
    )
    store, store_parts, _ = shared_store.choose(
        section(loaded, "store", Store), processes=1, policy=policy
    )
    origin_ = section(loaded, "origin", origin.settings.Settings)
    if settings.live_back_s is None:
        settings = settings.model_copy(update={"live_back_s": 2 * origin_.window_s})
    content_keys = Keys(origin_, data_dir)
    database = _database(loaded, folder)
    demo = section(loaded, "demo", Demo)
    story = _story(loaded, demo) if demo.enabled else None
    parts = server.parts(
        settings,
        database=database,
        folder=folder,
        token_signer=server.signer(settings, keys_file(loaded)),
        demo=demo.enabled,
        pages=_pages(loaded, demo, story),
        more_routes=_asking(loaded).routes(),
        key_routes=key_routes(content_keys),
        store=store,
        reuse_port=shared,
    )
    telling: list[Part] = [Background("story", story.forever)] if story else []
    *rest, listener = parts
    return [database, *store_parts, *telling, *rest, Heap(), listener], None


def _edge(loaded: Loaded, name: str, _: bool) -> Built:
    from headwater.demo import edge

    demo = section(loaded, "demo", Demo)
    settings = section(loaded, "origin", origin.settings.Settings)
    mine = next(each for each in demo.edges if each.name == name)
    parts = edge.parts(
        name,
        demo.host,
        mine.port,
        mine.admin_port,
        f"http://127.0.0.1:{settings.delivery_port}",
        _key_members(loaded),
        (_issuer(loaded),),
        mine.platform,
    )
    return parts, None


BUILDERS: dict[str, Callable[[Loaded, str, bool], Built]] = {
    "origin": _origin,
    "proxy": _proxy,
    "router": _router,
    "control": _control,
    "edge": _edge,
}


def _database(loaded: Loaded, folder: Path) -> "Database":
    from runtime.sql import Database

    sql = section(loaded, "sql", Sql)
    url = sql.url.get_secret_value()
    if url:
        return Database(url, timeout_ms=sql.timeout_ms, pool_size=sql.pool_size, full=True)
    folder.mkdir(parents=True, exist_ok=True)
    return Database.embedded(folder, timeout_ms=sql.timeout_ms, pool_size=sql.pool_size)


def _story(loaded: Loaded, demo: Demo) -> "Story":
    from headwater.demo.story import Sources, Story

    around = _around(loaded, demo)
    admin_port = section(loaded, "origin", origin.settings.Settings).admin_port
    return Story(Sources(f"http://127.0.0.1:{admin_port}", around.router, around.edges))


def _around(loaded: Loaded, demo: Demo) -> "page.Around":
    from headwater.demo import page

    delivery_port = section(loaded, "origin", origin.settings.Settings).delivery_port
    return page.Around(
        origin=f"http://127.0.0.1:{delivery_port}",
        proxy=section(loaded, "control", control_api.settings.Settings).proxy_public_url,
        router=section(loaded, "control", control_api.settings.Settings).router_url,
        edges={each.name: f"http://127.0.0.1:{each.admin_port}" for each in demo.edges},
    )


def _asking(loaded: Loaded) -> "Asking":
    """The console's questions to the services around the API."""
    from headwater.console.asking import Around, Asking

    origin_ = section(loaded, "origin", origin.settings.Settings)
    proxy_port = section(loaded, "proxy", manifest_proxy.settings.Settings).admin_port
    control = section(loaded, "control", control_api.settings.Settings)
    ready = {
        "origin": f"http://127.0.0.1:{origin_.admin_port}",
        "proxy": f"http://127.0.0.1:{proxy_port}",
        "router": control.router_url,
        "control": f"http://127.0.0.1:{control.port}",
    }
    return Asking(
        Around(
            ready=ready,
            origin_admin=ready["origin"],
            origin=f"http://127.0.0.1:{origin_.delivery_port}",
            ingest=f"http://127.0.0.1:{origin_.ingest_port}",
            router=control.router_url,
        ),
        loaded,
    )


def _pages(loaded: Loaded, demo: Demo, story: "Story | None") -> Callable[[web.Application], None]:
    """The console, and the demo page at its root if there is a demo."""
    from headwater.console.pages import Console

    router = section(loaded, "router", cdn_router.settings.Settings)
    delivery_port = section(loaded, "origin", origin.settings.Settings).delivery_port
    console = Console(router.public_url, delivery_port, demo.assets_dir)
    page = _page(loaded, demo, story) if story is not None else None

    def mount(app: web.Application) -> None:
        console.mount(app, at_root=page is None)
        if page is not None:
            page.mount(app)

    return mount


def _page(loaded: Loaded, demo: Demo, story: "Story") -> "page.Page":
    from control_api.seed import USERNAME
    from headwater.demo import page

    settings = section(loaded, "control", control_api.settings.Settings)
    setup = page.Setup(
        user=USERNAME,
        password=settings.demo_password.get_secret_value(),
        live="live",
        contents=[
            {"id": "live", "title": "Live", "request": {"channel_id": "ch_demo"}},
            {"id": "film", "title": "Film", "request": {"content_id": "cnt_film"}},
            {
                "id": "sealed",
                "title": "Film, protected",
                "request": {"content_id": "cnt_sealed"},
                "drm": "clearkey",
            },
            {"id": "arena", "title": "Arena (not bought)", "request": {"channel_id": "ch_arena"}},
        ],
        edges=[{"id": name, "base_url": url} for name, url in demo.base_urls.items()],
    )
    return page.Page(setup, _around(loaded, demo), story, demo.assets_dir)
