"""ClearKey in a real Chromium: films in cenc and cbcs, from our packager and our licence server, in
Shaka Player, dash.js and hls.js; AES-128 in hls.js (PR-61, PR-72, PR-120, PR-145, PR-176).
"""

import asyncio
import json
import subprocess
import threading
from collections.abc import Awaitable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from origin_rigs.protection_rig import FFMPEG, VECTORS
from origin_rigs.recipes import recipe
from playwright.sync_api import Browser
from twins.chromium import chromium

from native.http import Entity
from origin.protection.keyfile import KeyFile
from origin.protection.keys import ContentKey
from origin.protection.licence import routes
from origin.protection.titles import Guards, protect
from origin.settings import Protection
from origin.vod import Library, register

pytestmark = [pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]
MODULES = {
    "dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
    "Shaka": "shaka-player/dist/shaka-player.compiled.js",
    "hls.js": "hls.js/dist/hls.min.js",
}
PAGE = """<!doctype html><title>clear key</title>
<video id=video muted autoplay style="width: 320px"></video>
<script src="/modules/MODULE"></script>
<script>
const video = document.getElementById("video");
const state = window.state = {errors: [], encrypted: 0, ended: false};
video.addEventListener("encrypted", () => state.encrypted++);
video.addEventListener("ended", () => { state.ended = true; });
const told = () => ({
  ...state, at: video.currentTime, ready: video.readyState, media: video.error,
  paused: video.paused,
  held: Array.from({length: video.buffered.length}, (_, i) =>
    [video.buffered.start(i), video.buffered.end(i)]),
});
const licence = location.origin + "/v1/licence/clearkey";
const players = {
  "dash.js": (url) => {
    const player = dashjs.MediaPlayer().create();
    // It jumps the last frame, if that is what it waits for, to half a second before the end, and
    // pauses there: an end that only its own event tells.
    player.updateSettings({streaming: {seekDurationBackoff: 0}});
    player.on("playbackEnded", () => { state.ended = true; });
    player.on("error", (e) => state.errors.push(e.error && e.error.message));
    player.initialize(video, url, true);
  },
  "Shaka": async (url) => {
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    player.addEventListener("error", ({detail}) =>
      state.errors.push([detail.code, ...(detail.data || []).map(String)]));
    await player.attach(video);
    await player.load(url);
    video.play();
  },
  "hls.js": (url) => {
    const player = new Hls({
      emeEnabled: true, drmSystems: {"org.w3.clearkey": {licenseUrl: licence}},
    });
    player.on(Hls.Events.ERROR, (_, data) => {
      if (data.details !== "bufferSeekOverHole") state.errors.push(data.details);
    });
    player.loadSource(url);
    player.attachMedia(video);
    video.play();
  },
};
</script>"""
CASES = [
    (player, f"{title}/{scheme}/{leaf}")
    for scheme in ("cbcs", "cenc")
    for player, title, leaf in (
        ("Shaka", "film", "manifest.mpd"),
        ("Shaka", "film", "master.m3u8"),
        ("dash.js", "film", "manifest.mpd"),
        ("hls.js", "shared", "master.w3c.m3u8"),
        ("Shaka", "av1", "manifest.mpd"),
        ("Shaka", "sound", "master.m3u8"),
        ("dash.js", "sound", "manifest.mpd"),
        ("hls.js", "sound", "master.w3c.m3u8"),
    )
] + [("hls.js", "film/ts.m3u8")]  # AES-128 (PR-145)


class Site:
    """Players, film and licences of one address, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.folder = folder
        self.port = self.run(self.start())

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    async def start(self) -> int:
        app = web.Application()
        app.router.add_get("/page/{player}", self.page)
        app.router.add_get("/vod/{title}/{leaf:.*}", self.film)
        app.router.add_static("/modules", ROOT / "node_modules")
        self.runner = web.AppRunner(app)
        app.add_routes(routes(self.find, self.allow))
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        return int(self.runner.addresses[0][1])

    @property
    def settings(self) -> Protection:
        address = f"http://127.0.0.1:{self.port}/v1/licence"
        urls = {"clearkey": f"{address}/clearkey", "identity": f"{address}/key"}
        return Protection.model_validate({"urls": urls})

    def find(self, kid: bytes) -> ContentKey | None:
        return KeyFile.open(self.settings, self.folder).by_kid(kid)

    async def allow(self, request: web.Request, _: Any) -> Any:
        self.asked.append(f"{request.method} {request.path.split('/')[3]}")
        return "ok"

    async def page(self, request: web.Request) -> web.Response:
        text = PAGE.replace("MODULE", MODULES[request.match_info["player"]])
        return web.Response(text=text, content_type="text/html")

    async def film(self, request: web.Request) -> web.Response:
        at = request.match_info
        answer = self.library.answer(at["title"], at["leaf"], request.query_string)
        if isinstance(answer, Awaitable):
            answer = await answer
        if not isinstance(answer, Entity):
            return web.Response(status=404)
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        return web.Response(body=body, headers={"Content-Type": answer.content_type})

    def open(self) -> None:
        self.library = Library(self.folder, guards=Guards(self.folder, self.settings))

    def close(self) -> None:
        self.run(self.runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.library.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("film")
    path = folder / "film.mp4"
    inputs = ["-i", str(VECTORS / "src/avc_bf2.mp4"), "-i", str(VECTORS / "src/aac.mp4")]
    command = [FFMPEG, "-v", "error", *inputs, "-map", "0:v", "-map", "1:a", "-c", "copy"]
    subprocess.run([*command, str(path)], check=True, timeout=60)
    site = Site(folder)
    films = {"film": path, "shared": path, "av1": recipe("av1_opus"), "sound": recipe("audio_only")}
    for title, film in films.items():
        register(folder, [film], title, segment_s=Fraction(1 if film is path else 2))
        protect(folder, title, ["cbcs", "cenc"], site.settings, shared=title == "shared")
    site.open()
    yield site
    site.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize(("player", "leaf"), CASES, ids=[f"{p}-{leaf}" for p, leaf in CASES])
def test_a_protected_film_plays_to_its_end(
    site: Site, browser: Browser, player: str, leaf: str
) -> None:
    site.asked.clear()
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{site.port}/page/{player}")
        url = f"http://127.0.0.1:{site.port}/vod/{leaf}"
        page.evaluate(f"players[{json.dumps(player)}]({json.dumps(url)}), 0")
        try:
            if "sound" in leaf:
                page.wait_for_function("video.currentTime > 0.5", timeout=60_000, polling=100)
                page.evaluate("video.currentTime = 9.5, 0")
            page.wait_for_function("state.ended", timeout=60_000, polling=100)
        finally:
            state = page.evaluate("told()")
            print(state, site.asked)
        frames = page.evaluate("video.getVideoPlaybackQuality().totalVideoFrames")
    finally:
        page.close()
    assert state["errors"] == []
    assert (state["encrypted"] > 0) != leaf.endswith("ts.m3u8")
    assert frames >= 20 or "sound" in leaf
    assert state["at"] > (11.9 if "sound" in leaf else 1.9)
    assert site.asked, "a licence was asked for"
