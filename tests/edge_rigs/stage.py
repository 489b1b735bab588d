"""A CDN's script between a player page and an origin of files, on a thread of its own."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import imageio_ffmpeg
from aiohttp import web

import cat
from headwater.demo import edge

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path(__file__).with_name("renewal.html")
PLAYER_FILES = (
    "hls.js/dist/hls.min.js",
    "dashjs/dist/modern/umd/dash.all.min.js",
    "shaka-player/dist/shaka-player.compiled.js",
)
KEY = cat.generate("HS256", "stage")
SIGNER = cat.KeySet.from_json([KEY]).signer()
SETTINGS = {"policies": [{"prefix": "/page/", "mode": "off"}]}
START_LIMIT_S = 30


def film(folder: Path, seconds: int) -> None:
    """Small media in segments of 1 s, with an MPD and a playlist."""
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", "-f", "lavfi"]
    argv += ["-i", "testsrc=size=160x90:rate=10", "-t", str(seconds), "-c:v", "libx264"]
    argv += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10", "-sc_threshold", "0"]
    argv += ["-seg_duration", "1", "-use_template", "1", "-use_timeline", "0"]
    argv += ["-hls_playlist", "1", "-f", "dash", str(folder / "m.mpd")]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def _origin(folder: Path) -> web.Application:
    async def page(_: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE)

    async def script(request: web.Request) -> web.FileResponse:
        name = request.match_info["name"]
        path = next(each for each in PLAYER_FILES if each.endswith(f"/{name}"))
        return web.FileResponse(ROOT / "node_modules" / path)

    @web.middleware
    async def kept(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        response.headers["Cache-Control"] = "max-age=600"
        return response

    app = web.Application(middlewares=[kept])
    app.router.add_get("/page/", page)
    app.router.add_get("/page/{name}", script)
    app.router.add_static("/media", folder)
    return app


@contextmanager
def stage(folder: Path, platform: str) -> Iterator[edge.Edge]:
    """The edge, listening; its `port` and `state` may be read from here."""
    loop = asyncio.new_event_loop()
    begun: list[edge.Edge] = []
    ready, done = threading.Event(), asyncio.Event()

    async def run() -> None:
        runner = web.AppRunner(_origin(folder))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        parts = edge.parts("stage", "127.0.0.1", 0, 0, url, [KEY], ["me"], platform, SETTINGS)
        for part in parts:
            await part.start()
        begun.append(parts[2])
        ready.set()
        await done.wait()
        for part in reversed(parts):
            await part.stop()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert ready.wait(START_LIMIT_S), "the edge does not listen"
        yield begun[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
