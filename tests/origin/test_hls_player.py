"""hls.js in low-latency mode against the origin itself, fed by ffmpeg in real time."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from playwright.sync_api import sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.serial]

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--autoplay-policy=no-user-gesture-required"]  # fmt: skip
GRID_S = Fraction(48, 25)
PLAYED_S = 20
TARGET_S = 3.0
PAGE = """
<video id="v" muted playsinline></video>
"""
PLAY = """
url => {
  const video = document.getElementById('v');
  const seen = window.seen = {parts: 0, stalls: 0, errors: [], latencies: [], playing: false};
  const hls = window.hls = new Hls({lowLatencyMode: true});
  hls.on(Hls.Events.FRAG_LOADED, (_, data) => { if (data.part) seen.parts += 1; });
  hls.on(Hls.Events.ERROR, (_, data) => { seen.errors.push(data.details); });
  video.addEventListener('playing', () => { seen.playing = true; });
  video.addEventListener('waiting', () => { if (seen.settled) seen.stalls += 1; });
  hls.loadSource(url);
  hls.attachMedia(video);
  video.play();
}
"""
LOOK = """
() => ({...window.seen, at: document.getElementById('v').currentTime,
        date: hls.playingDate ? (Date.now() - hls.playingDate.getTime()) / 1000 : null,
        latency: hls.latency, target: hls.targetLatency})
"""


@contextmanager
def encoder(origin: Any) -> Iterator[None]:
    """Video and audio in chunks of 12 frames, their times those of the wall clock."""
    begin = (int(time.time() / float(GRID_S)) + 1) * GRID_S
    while time.time() < begin:
        time.sleep(0.01)
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]
    argv += ["-re", "-f", "lavfi", "-i", "testsrc2=s=192x108:r=25"]
    argv += ["-re", "-f", "lavfi", "-i", "sine=r=48000"]
    for index, codec, name in (
        (0, ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "48"], "v"),
        (1, ["-c:a", "aac", "-af", "asetpts=PTS+1024"], "a"),
    ):
        argv += ["-map", str(index), *codec, "-output_ts_offset", f"{float(begin):.2f}"]
        argv += ["-f", "mp4", "-movflags", "+cmaf+frag_discont+skip_trailer"]
        argv += ["-frag_duration", "480000", "-flush_packets", "1", "-method", "PUT"]
        argv += [f"http://127.0.0.1:{origin.ingest_port}/ingest/demo/Streams({name}.cmf{name})"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def test_hls_js_plays_three_seconds_behind_and_never_stalls(
    start: Callable[..., Any], wait: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    origin = start()
    with encoder(origin), sync_playwright() as playwright:
        wait(lambda: "#EXT-X-PART:" in origin.get("/live/demo/v/media.m3u8").text, "parts", 30)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.set_content(PAGE)
        page.add_script_tag(path=str(ROOT / "node_modules/hls.js/dist/hls.min.js"))
        page.evaluate(PLAY, f"http://127.0.0.1:{origin.delivery_port}/live/demo/master.m3u8")
        first = wait(lambda: _playing(page), "the first frame", 30)
        page.evaluate("() => { window.seen.settled = true; }")
        looks = []

        def through() -> bool:
            looks.append(page.evaluate(LOOK))
            return bool(looks[-1]["at"] >= first["at"] + PLAYED_S)

        wait(through, "the picture to move on", 3 * PLAYED_S)
        browser.close()
    last = looks[-1]
    settled = sorted(look["date"] for look in looks[len(looks) // 2 :])
    with capsys.disabled():
        print(
            f"\nhls.js: latency {settled[len(settled) // 2]:.2f} s (worst {settled[-1]:.2f}), "
            f"its own estimate {last['latency']:.2f} of {last['target']:.2f}, "
            f"{last['parts']} parts, {last['stalls']} stalls, {last['errors']}"
        )
    assert not last["stalls"] and not last["errors"]
    assert last["parts"] >= 1.5 * PLAYED_S / 0.48, "it plays parts, of both tracks"
    assert settled[len(settled) // 2] <= TARGET_S


def _playing(page: Any) -> Any:
    look = page.evaluate(LOOK)
    return look if look["playing"] and look["at"] > 0 else None
