"""Real players on a real encoder: ffmpeg pushes a test pattern in real time; hls.js, dash.js and
Shaka Player play it in Chromium and tell how far behind the wall clock their picture is.

Media times count from 1970 and frames leave the encoder at their time, so that the age of a picture
is the wall clock minus its media time.
"""

import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Self

import imageio_ffmpeg
from playwright.sync_api import Browser, Page
from twins.chromium import chromium

ROOT = Path(__file__).resolve().parents[2]
SEGMENT_S, CHUNK_S = Fraction(48, 25), Fraction(8, 25)
BURST_S = 0.001  # ffmpeg's -re would run half a second ahead of the clock
SPIN_UP_S = 1
MODULES = {
    "hls.js": "hls.js/dist/hls.min.js",
    "dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
    "Shaka": "shaka-player/dist/shaka-player.compiled.js",
}
PLAYERS = tuple(MODULES)
PAGE = """<!doctype html><title>live</title>
<video id=video muted autoplay style="width: 320px"></video>
<script src="/MODULE"></script>
<script>
const video = document.getElementById("video");
const state = window.state = {errors: [], waits: [], started: false, requests: {}, media: () => 0};
video.addEventListener("playing", () => { state.started = true; });
video.addEventListener("waiting", () => {
  if (state.started && !video.seeking) state.waits.push(video.currentTime);
});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const kind = entry.name.split("?")[0].split(".").pop();
    state.requests[kind] = (state.requests[kind] || 0) + 1;
  }
}).observe({type: "resource"});
const players = {
  // The distance from the live edge is PART-HOLD-BACK, unless the target is farther (HLS-15).
  "hls.js": (url, near) => {
    const hls = new Hls({lowLatencyMode: near > 0, maxLiveSyncPlaybackRate: 1.1});
    hls.on(Hls.Events.ERROR, (_, data) => state.errors.push(data.details));
    state.media = () => hls.playingDate ? hls.playingDate.getTime() / 1000 : 0;
    hls.loadSource(url);
    hls.attachMedia(video);
    video.play();
  },
  "dash.js": (url, near) => {
    const player = dashjs.MediaPlayer().create();
    player.updateSettings({streaming: {liveCatchup: {enabled: near > 0}}});
    player.on("error", (e) => state.errors.push(e.error && e.error.message));
    player.initialize(video, url, true);
    state.media = () => player.timeAsUTC();
  },
  // It adds its own delay to what is not available yet; see headwater/demo/static/players.js.
  "Shaka": async (url, near) => {
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    player.addEventListener("error", ({detail}) =>
      state.errors.push([detail.code, ...(detail.data || []).map(String)]));
    state.media = () => video.currentTime;
    await player.attach(video);
    if (near) player.configure({
      abr: {enabled: false},
      manifest: {
        defaultPresentationDelay: near - 0.75,
        dash: {ignoreSuggestedPresentationDelay: true},
      },
      streaming: {lowLatencyMode: true,
        liveSync: {enabled: true, targetLatency: 0.25, targetLatencyTolerance: 0.25}},
    });
    await player.load(url);
    video.play();
  },
};
</script>"""
LOOK = """() => ({at: video.currentTime, behind_s: Date.now() / 1000 - state.media(),
  errors: state.errors, waits: state.waits, requests: state.requests})"""


class Encoder:
    """ffmpeg, pushing one video and one audio track; `behind_s` of media come in a burst first."""

    def __init__(
        self,
        ingest_port: int,
        *,
        behind_s: int = 0,
        source: str = "",
        begin_s: Fraction | None = None,
        channel: str = "demo",
    ) -> None:
        self._channel = channel
        now_s = Fraction(time.time()) + SPIN_UP_S
        self.begin_s = begin_s or ceil((now_s - behind_s) / SEGMENT_S) * SEGMENT_S
        ahead_s = float(self.begin_s + behind_s) - time.time()
        pace = ["-readrate", "1", "-readrate_initial_burst", str(behind_s or BURST_S)]
        if ahead_s > 0:
            time.sleep(ahead_s)  # the first frame leaves at its time
        argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]
        argv += [*pace, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
        argv += [*pace, "-f", "lavfi", "-i", "sine=sample_rate=48000"]
        argv += ["-map", "0:v", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]
        argv += ["-pix_fmt", "yuv420p", "-b:v", "300k", "-threads", "1"]
        argv += ["-g", "48", "-keyint_min", "48", "-sc_threshold", "0"]
        argv += self._push(ingest_port, "v.cmfv", source)
        argv += ["-map", "1:a", "-af", "asetpts=PTS+1024", "-c:a", "aac", "-b:a", "64k"]
        argv += self._push(ingest_port, "a.cmfa", source)
        self.process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _push(self, port: int, track: str, source: str) -> list[str]:
        url = f"http://127.0.0.1:{port}/ingest/{self._channel}/Streams({track})"
        return [
            *("-output_ts_offset", f"{float(self.begin_s):.2f}", "-f", "mp4"),
            *("-movflags", "+cmaf+frag_discont+skip_trailer", "-flush_packets", "1"),
            *("-frag_duration", str(int(CHUNK_S * 10**6)), "-method", "PUT"),
            f"{url}?source={source}" if source else url,
        ]


@dataclass(frozen=True)
class Seen:
    """What a player did while it was watched: how far behind (s) it was, each second; stalls."""

    behind_s: Sequence[float]
    waits: Sequence[float]
    errors: Sequence[Any]
    requests: dict[str, int]

    @property
    def median_s(self) -> float:
        return sorted(self.behind_s)[len(self.behind_s) // 2]

    def __str__(self) -> str:
        worst, best = max(self.behind_s), min(self.behind_s)
        return (
            f"{self.median_s:.2f} s behind ({best:.2f} .. {worst:.2f}) over {len(self.behind_s)} s,"
            f" stalls {list(self.waits)}, errors {list(self.errors)}, requests {self.requests}"
        )


class Watched:
    """One player on one page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def play(self, player: str, url: str, *, near: float = 0) -> None:
        """Load and play, `near` seconds behind the wall clock, or as the player likes."""
        self.page.evaluate(f"players[{json.dumps(player)}]({json.dumps(url)}, {near})")
        self.page.wait_for_function(
            "video.currentTime > 0 && !video.paused && video.readyState >= 3",
            timeout=60_000,
            polling=100,
        )

    def watch(self, seconds: int) -> Seen:
        """So many seconds of media from here; stalls before do not count."""
        self.page.evaluate("() => { state.waits.length = 0; }")
        behind_s = []
        for _ in range(seconds):
            self._moved(1)
            behind_s.append(float(self.page.evaluate(LOOK)["behind_s"]))
        look = self.page.evaluate(LOOK)
        return Seen(behind_s, look["waits"], look["errors"], look["requests"])

    def settle(self, seconds: int) -> None:
        """Let the player find its place."""
        self._moved(seconds)

    def _moved(self, seconds: float) -> None:
        here = self.page.evaluate("video.currentTime")
        self.page.wait_for_function(
            f"video.currentTime >= {here + seconds}", timeout=seconds * 3000 + 15_000, polling=50
        )


class _Site(http.server.SimpleHTTPRequestHandler):
    """The players' scripts, and a page for each."""

    def do_GET(self) -> None:
        module = MODULES.get(self.path.strip("/"))
        if module is None:
            return super().do_GET()
        body = PAGE.replace("MODULE", module).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class Cinema:
    """A browser, and pages to play in."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url

    @contextmanager
    def seat(self, player: str) -> Iterator[Watched]:
        page = self._browser.new_page()
        try:
            page.goto(f"{self._url}/{player}")
            yield Watched(page)
        finally:
            page.close()


@contextmanager
def cinema() -> Iterator[Cinema]:
    handler = partial(_Site, directory=str(ROOT / "node_modules"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with chromium() as browser:
            yield Cinema(browser, f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
