"""Protected channels in a real Chromium: keys that change every few seconds, live, in hls.js,
dash.js and Shaka Player, with ClearKey licences from our own routes (PR-51, PR-52, PR-55, PR-176).

HEADWATER_PROTECTION_LONG=1 plays every player with every scheme and mode, through more periods.
"""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from origin_rigs.players_rig import MODULES, ROOT, SEGMENT_S, Encoder
from origin_rigs.running import Origin, until
from playwright.sync_api import Browser, Page
from twins.chromium import chromium

from origin.protection.keyfile import KeyFile
from origin.protection.keys import ContentKey
from origin.protection.licence import routes
from origin.settings import Protection

pytestmark = [pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(300)]

LONG = "HEADWATER_PROTECTION_LONG" in os.environ
PERIOD_S, WINDOW_S, PERIODS = 6, 180, 5 if LONG else 3
BEHIND_S = PERIOD_S * PERIODS + 14
SPEED = 3  # of the picture on its way through the periods
PATIENCE_S = 60  # with a busy machine, beyond the length of what is played
PAGE = """<!doctype html><title>clear key, live</title>
<video id=video muted autoplay style="width: 320px"></video>
<script src="/modules/MODULE"></script>
<script>
const video = document.getElementById("video");
const state = window.state = {errors: [], encrypted: 0};
video.addEventListener("encrypted", () => state.encrypted++);
const licence = location.origin + "/v1/licence/clearkey";
const players = {
  "dash.js": (url) => {
    const player = dashjs.MediaPlayer().create();
    player.updateSettings({streaming: {liveCatchup: {enabled: false}}});
    player.on("error", (e) => state.errors.push(e.error && e.error.message));
    player.initialize(video, url, true);
  },
  "Shaka": async (url) => {
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    player.addEventListener("error", ({detail}) =>
      state.errors.push([detail.code, ...(detail.data || []).map(String)]));
    await player.attach(video);
    player.configure({drm: {servers: {"org.w3.clearkey": licence}}});
    // Shaka listens to fragments once the MPD has no init data: it makes some of ClearKey's own id.
    if (url.includes("-inband")) player.getNetworkingEngine().registerResponseFilter((_, got) => {
      const text = new TextDecoder().decode(got.data);
      if (text.includes("<MPD")) got.data = new TextEncoder().encode(text.replaceAll(
        "e2719d58-a985-b3c9-781a-b030af78d30e", "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b")).buffer;
    });
    await player.load(url);
    video.play();
  },
  "hls.js": (url) => {
    // hls.js reads no key id out of ClearKey's init data: what comes late from one period's init it
    // takes for the newest key's. The licence asked for is that of the key its session is for.
    const asked = (xhr, url, {decryptdata}) => new TextEncoder().encode(JSON.stringify({
      type: "temporary", kids: [btoa(String.fromCharCode(...decryptdata.keyId))
        .replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=/g, "")],
    }));
    const player = new Hls({
      emeEnabled: true, drmSystems: {"org.w3.clearkey": {licenseUrl: licence}},
      licenseXhrSetup: asked,
    });
    player.on(Hls.Events.ERROR, (_, data) => state.errors.push([data.details, data.fatal]));
    player.loadSource(url);
    player.attachMedia(video);
    video.play();
  },
};
</script>"""
ALL = [
    (player, scheme, mode)
    for scheme in ("cbcs", "cenc")
    for player, mode in (
        ("hls.js", "init"),
        ("dash.js", "init"),
        ("Shaka", "init"),
        ("Shaka", "inband"),
    )
]
SHORT = [("hls.js", "cbcs", "init"), ("dash.js", "cenc", "init")]
CASES = ALL if LONG else SHORT
LEAVES = {"hls.js": "master.w3c.m3u8", "dash.js": "manifest.mpd", "Shaka": "manifest.mpd"}


class Site:
    """Players and licences of one address, in a thread of its own; keys come from the origin's."""

    def __init__(self, data: Path) -> None:
        self.kids: list[str] = []
        self._file = data
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port: int = self._run(self._start())

    def find(self, kid: bytes) -> ContentKey | None:
        return KeyFile.open(Protection(), self._file).by_kid(kid)

    def close(self) -> None:
        self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _start(self) -> int:
        app = web.Application()
        app.router.add_get("/page/{player}", self._page)
        app.router.add_static("/modules", ROOT / "node_modules")
        app.add_routes(routes(self.find, self._allow))
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _allow(self, _: web.Request, key: ContentKey) -> Any:
        self.kids.append(key.uuid)
        return "ok"

    async def _page(self, request: web.Request) -> web.Response:
        text = PAGE.replace("MODULE", MODULES[request.match_info["player"]])
        return web.Response(text=text, content_type="text/html")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Origin, Site]]:
    """An origin with a channel for each scheme and mode that is asked for, and who gives licences
    for it.
    """
    data = tmp_path_factory.mktemp("live")
    site = Site(data)
    licences = f"http://127.0.0.1:{site.port}/v1/licence"
    names = sorted({f"{scheme}-{mode}" for _, scheme, mode in CASES})
    channels = {
        name: {
            "protection": {
                "scheme": name.split("-")[0],
                "mode": name.split("-")[1],
                "rotation_s": PERIOD_S,
                "short_periods": True,
                "shared": name.endswith("init"),
            }
        }
        for name in names
    }
    urls = {"clearkey": f"{licences}/clearkey", "identity": f"{licences}/key"}
    origin = Origin(data, channels=channels, window_s=WINDOW_S, protection={"urls": urls})
    with ExitStack() as stack:
        stack.callback(site.close)
        origin.start()
        stack.callback(origin.stop)
        for name in names:
            stack.enter_context(Encoder(origin.ingest_port, behind_s=BEHIND_S, channel=name))
            until(lambda name=name: filled(origin, name), f"the media of {name}", 90)
        yield origin, site


def filled(origin: Origin, channel: str) -> bool:
    """Whether what the encoder began with is there, and nothing is missing at the edge."""
    for track in "va":
        text = origin.get(f"/live/{channel}/{track}/media.m3u8").text
        blocks = text.split("#EXTINF")[:-1]
        if len(blocks) - text.count("#EXT-X-GAP") < int(BEHIND_S / SEGMENT_S) - 4:
            return False
        if "#EXT-X-GAP" in "".join(blocks[-3:]):
            return False
    return True


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize(("player", "scheme", "mode"), CASES, ids=["-".join(c) for c in CASES])
def test_keys_change_live_and_back(
    stage: tuple[Origin, Site], browser: Browser, player: str, scheme: str, mode: str
) -> None:
    """From some periods back through all of them, then back into an older one."""
    origin, site = stage
    site.kids.clear()
    url = f"http://127.0.0.1:{origin.delivery_port}/live/{scheme}-{mode}/{LEAVES[player]}"
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{site.port}/page/{player}")
        page.evaluate(f"players[{json.dumps(player)}]({json.dumps(url)}), 0")
        moved(page, 0.5)
        span_s = PERIODS * PERIOD_S
        page.evaluate(f"() => {{ video.currentTime -= {span_s}; video.playbackRate = {SPEED}; }}")
        moved(page, span_s - 2)
        page.evaluate(f"() => {{ video.playbackRate = 1; video.currentTime -= {span_s / 2}; }}")
        moved(page, 2)
    finally:
        state = page.evaluate("({...state, at: video.currentTime, media: video.error})")
        print(state, len(set(site.kids)), site.kids)
        page.close()
    assert [e for e in state["errors"] if player != "hls.js" or e[1]] == []
    assert state["media"] is None
    assert len(set(site.kids)) >= PERIODS


def moved(page: Page, seconds: float) -> None:
    """So many seconds of media are played from here."""
    patience_ms = int((seconds + PATIENCE_S) * 1000)
    ready = "!video.seeking && video.readyState >= 3"
    page.wait_for_function(ready, timeout=patience_ms, polling=50)
    here = page.evaluate("video.currentTime")
    there = f"video.currentTime >= {here + seconds}"
    page.wait_for_function(there, timeout=patience_ms, polling=50)
