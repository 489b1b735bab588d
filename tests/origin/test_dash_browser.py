"""Real players on `ll.mpd`, straight from the origin: ffmpeg pushes chunks of 0.32 s; dash.js and
Shaka Player stay two seconds behind the wall clock for a while without a stall.
"""

import functools
import http.server
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(200)]

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
SEGMENT_S, CHUNK_S = Fraction(48, 25), Fraction(8, 25)
WATCH_S, SETTLE_S = 25, 8
TARGET_S, SLACK_S = 2.0, 1.0
MODULES = {
    "dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
    "Shaka": "shaka-player/dist/shaka-player.compiled.js",
}
PAGE = """<!doctype html><title>low latency</title>
<video id=video muted autoplay style="width: 320px"></video>
<script src="/MODULE"></script>
<script>
const video = document.getElementById("video");
const state = window.state = {errors: [], waits: [], latency: () => NaN, requests: {}};
video.addEventListener("waiting", () => state.waits.push(video.currentTime));
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const kind = entry.name.split("?")[0].split(".").pop();
    state.requests[kind] = (state.requests[kind] || 0) + 1;
  }
}).observe({type: "resource"});
const players = {
  "dash.js": (url) => {
    const player = dashjs.MediaPlayer().create();
    player.on("error", (e) => state.errors.push(e.error && e.error.message));
    player.initialize(video, url, true);
    state.latency = () => player.getCurrentLiveLatency();
  },
  "Shaka": async (url) => {
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    player.addEventListener("error", ({detail}) =>
      state.errors.push([detail.code, ...(detail.data || []).map(String)]));
    await player.attach(video);
    player.configure({
      streaming: {lowLatencyMode: true, liveSync: {enabled: true}},
      manifest: {dash: {autoCorrectDrift: false}},
    });
    state.latency = () => player.getStats().liveLatency;
    await player.load(url);
    video.play();
  },
};
</script>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Files(http.server.SimpleHTTPRequestHandler):
    """The players' scripts, and a page for each."""

    def do_GET(self) -> None:
        module = MODULES.get(self.path.strip("/").replace("%20", " "))
        if module is None:
            return super().do_GET()
        body = PAGE.replace("MODULE", module).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    handler = functools.partial(Files, directory=str(ROOT / "node_modules"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def live(start: Callable[..., Any]) -> Iterator[Any]:
    """An origin that an encoder pushes to, both tracks on the epoch (AB1)."""
    origin = start(window_s=30, latency_s=str(TARGET_S))
    begin_s = ceil(Fraction(time.time() + 1) / SEGMENT_S) * SEGMENT_S
    time.sleep(max(0.0, float(begin_s) - time.time()))
    encoder = subprocess.Popen(encode(origin.ingest_port, begin_s), stderr=subprocess.DEVNULL)
    yield origin
    encoder.kill()
    encoder.wait()


def encode(port: int, begin_s: Fraction) -> list[str]:
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]
    argv += ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
    argv += ["-re", "-f", "lavfi", "-i", "sine=sample_rate=48000"]
    mux = ["-output_ts_offset", f"{float(begin_s):.2f}", "-f", "mp4"]
    mux += ["-movflags", "+cmaf+frag_discont+skip_trailer", "-flush_packets", "1"]
    mux += ["-frag_duration", str(int(CHUNK_S * 10**6)), "-method", "PUT"]
    point = f"http://127.0.0.1:{port}/ingest/demo/Streams"
    argv += ["-map", "0:v", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]
    argv += ["-pix_fmt", "yuv420p", "-b:v", "300k"]
    argv += ["-g", "48", "-keyint_min", "48", "-sc_threshold", "0", *mux, f"{point}(v.cmfv)"]
    argv += ["-map", "1:a", "-af", "asetpts=PTS+1024", "-c:a", "aac", "-b:a", "64k"]
    return [*argv, *mux, f"{point}(a.cmfa)"]


def play(page: Page, player: str, url: str) -> None:
    page.evaluate(f"players[{json.dumps(player)}]({json.dumps(url)})")
    page.wait_for_function("video.currentTime > 0 && !video.paused", timeout=60_000, polling=100)


@pytest.mark.parametrize("player", MODULES)
def test_a_player_stays_two_seconds_behind(
    live: Any, site: str, browser: Browser, wait: Callable[..., Any], player: str
) -> None:
    """L2, L6, L11: the target latency of the MPD is met within SLACK_S, and nothing stalls once the
    player has found its place.
    """
    wait(lambda: live.get("/live/demo/ll.mpd").status == 200, "ll.mpd", 60)
    page = browser.new_page()
    try:
        page.goto(f"{site}/{player}")
        play(page, player, f"http://127.0.0.1:{live.delivery_port}/live/demo/ll.mpd")
        watched(page, SETTLE_S)
        page.evaluate("state.waits.length = 0")
        latencies = [watched(page, 1) for _ in range(WATCH_S)]
        state = page.evaluate(
            "({errors: state.errors, waits: state.waits, requests: state.requests})"
        )
    finally:
        page.close()
    print(
        f"\n{player}: latency {min(latencies):.2f} .. {max(latencies):.2f} s of {TARGET_S} s,"
        f" requests {state['requests']}, waits {state['waits']}"
    )
    assert state["errors"] == []
    assert state["waits"] == []
    assert max(latencies) < TARGET_S + SLACK_S


@pytest.mark.parametrize("player", MODULES)
def test_a_player_follows_patches_of_the_regular_form(
    live: Any, site: str, browser: Browser, wait: Callable[..., Any], player: str
) -> None:
    """P3 as players understand it: timelines are patched, and the whole MPD is asked for once."""
    wait(lambda: live.get("/live/demo/manifest.mpd").text.count("<S ") >= 2, "media", 60)
    page = browser.new_page()
    try:
        page.goto(f"{site}/{player}")
        play(page, player, f"http://127.0.0.1:{live.delivery_port}/live/demo/manifest.mpd")
        watched(page, WATCH_S)
        state = page.evaluate(
            "({errors: state.errors, waits: state.waits, requests: state.requests})"
        )
    finally:
        page.close()
    print(f"\n{player}: requests {state['requests']}, waits {state['waits']}")
    assert state["errors"] == []
    assert len(state["waits"]) <= 1, "only before the first frame"
    assert state["requests"]["mpd"] <= 2
    assert state["requests"]["mpp"] >= WATCH_S / float(SEGMENT_S) / 2


def watched(page: Page, seconds: float) -> float:
    """The latency (s) that the player tells after so many more seconds of media."""
    here = page.evaluate("video.currentTime")
    page.wait_for_function(
        f"video.currentTime >= {here + seconds}", timeout=seconds * 3000 + 15_000, polling=50
    )
    return float(page.evaluate("state.latency()"))
