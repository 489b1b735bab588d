"""`headwater up`: every service in one process tree, and with --demo something to watch."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import imageio_ffmpeg

import control_api.keys
import control_api.settings
import manifest_proxy.settings
import origin.settings
from cdn_router.settings import Settings as RouterSettings
from headwater import neighbours
from headwater.demo import encoder, film
from headwater.process import command
from headwater.services import keys_file, section
from headwater.settings import Demo, effective
from headwater.supervisor import Child, Supervisor
from origin import vod
from origin.protection import titles
from origin.vod import catalog
from runtime.sections import Data
from runtime.settings import Loaded

FONT = Path("dejavu-fonts-ttf/ttf/DejaVuSansMono-Bold.ttf")
CHANNEL = "demo"
TITLE = "film"
SEALED = "film-protected"


def up(config: Path | None, data: Path | None, demo: bool) -> int:
    """Run until told to stop; the exit code."""
    if demo:
        os.environ.update(demo_environment(effective(config, data).values["demo"]))
    os.environ.update(neighbours.environment(effective(config, data)))
    loaded = effective(config, data)
    folder = section(loaded, "data", Data).dir
    control_api.keys.load_or_create(keys_file(loaded), control_api.keys.content_token_keys)
    start = partial(_child, config, data)
    children = services(loaded, start)
    if demo:
        make_film(loaded)
        children += demo_children(loaded, start)
    port = section(loaded, "control", control_api.settings.Settings).port

    def ready() -> None:
        print(f"ready http://localhost:{port}/", flush=True)

    return asyncio.run(Supervisor(children, folder / "log").run(ready))


Start = Callable[[str, str, int], Child]  # name, builder's name, admin port


def services(loaded: Loaded, start: Start) -> list[Child]:
    """The four services; each is its own process, ready when its /readyz says so."""
    admin = {
        "origin": section(loaded, "origin", origin.settings.Settings).admin_port,
        "proxy": section(loaded, "proxy", manifest_proxy.settings.Settings).admin_port,
        "router": section(loaded, "router", RouterSettings).port,
        "control": section(loaded, "control", control_api.settings.Settings).port,
    }
    return [start(name, name, port) for name, port in admin.items()]


def demo_children(loaded: Loaded, start: Start) -> list[Child]:
    """Two CDNs and an encoder."""
    demo = section(loaded, "demo", Demo)
    edges = [start(edge.name, f"edge:{edge.name}", edge.admin_port) for edge in demo.edges]
    ingest_port = section(loaded, "origin", origin.settings.Settings).ingest_port
    ingest = f"http://127.0.0.1:{ingest_port}/ingest/{CHANNEL}"
    font = str(demo.assets_dir / FONT)

    def encode() -> tuple[float, Sequence[str]]:
        launch = encoder.launch(imageio_ffmpeg.get_ffmpeg_exe(), ingest, font, time.time())
        return launch.delay_s, launch.argv

    return [*edges, Child("encoder", encode)]


def demo_environment(demo: object) -> dict[str, str]:
    """Settings that make the services know the demo's edges, said where the user has not."""
    assert isinstance(demo, Demo)
    pathways = [{"id": name, "base_url": url} for name, url in demo.base_urls.items()]
    judging = [
        {**pathway, "patterns": edge.platform != "cloudfront"}
        for pathway, edge in zip(pathways, demo.edges, strict=True)
    ]
    probed = [
        {**pathway, "priority": place, "probe_url": f"{pathway['base_url']}/time"}
        for place, pathway in enumerate(pathways)
    ]
    said = {
        "HEADWATER_DEMO__ENABLED": "true",
        "HEADWATER_PROXY__PATHWAYS": json.dumps(pathways),
        "HEADWATER_CONTROL__PATHWAYS": json.dumps(judging),
        "HEADWATER_CONTROL__SEGMENTS_MS": json.dumps({CHANNEL: int(1_000 * encoder.SEGMENT_S)}),
        "HEADWATER_ROUTER__PATHWAYS": json.dumps(probed),
        "HEADWATER_ROUTER__TTL_S": "10",
        "HEADWATER_CONTROL__TIMEOUTS__ROUTER_MS": "300",  # two cores also encode and decode
        "HEADWATER_CONTROL__CONTENT_TOKEN_S": "14400",
    }
    return {name: value for name, value in said.items() if name not in os.environ}


def make_film(loaded: Loaded) -> None:
    """Make the film, once, and register it in the clear and under keys."""
    folder = section(loaded, "data", Data).dir
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    if not (folder / "demo" / film.RUNGS[-1][0]).exists():
        print("making the demo's film, once: about 20 s", file=sys.stderr, flush=True)
    font = str(section(loaded, "demo", Demo).assets_dir / FONT)
    files = film.make(ffmpeg, font, folder / "demo")
    titles.hold(folder, SEALED)
    for title in (TITLE, SEALED):
        known = catalog.load_record(catalog.folder(folder, title))
        drawn = known is not None and known.thumbnails is not None
        vod.register(folder, files, title, ffmpeg="" if drawn else ffmpeg)
    settings = section(loaded, "origin", origin.settings.Settings).protection
    titles.protect(folder, SEALED, ["cbcs"], settings, shared=True)  # one key: hls.js reads no more


def _child(
    config: Path | None, data: Path | None, name: str, builder: str, admin_port: int
) -> Child:
    argv = command(builder, config, data)
    return Child(name, lambda: (0.0, argv), f"http://127.0.0.1:{admin_port}/readyz")
