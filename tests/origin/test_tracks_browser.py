"""Players in Chromium: hls.js shows the cues of a live wvtt track at their time and tells a splice;
dash.js hears the same event.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.events_rig import EVTE, cue_in, cue_out, event_header
from origin_rigs.text_rig import TIMESCALE, WVTT_HEADER, chunk, cue
from twins.chromium import chromium

from native.bmff.events import EMPTY, emib
from native.bmff.model import Emsg

pytestmark = [pytest.mark.browser, pytest.mark.serial]

ROOT = Path(__file__).resolve().parents[2]
GRID_S = Fraction(48, 25)
SCTE = "urn:scte:scte35:2013:bin"
BEFORE = 8  # segments that are there when the players come
BREAK, BACK = 10, 12  # numbers at which the break begins, and ends
PAGE = "<video id='hls' muted playsinline></video><video id='dash' muted playsinline></video>"
PLAY = """
base => {
  const seen = window.seen = {errors: [], events: []};
  const video = document.getElementById('hls');
  const hls = window.hls = new Hls();
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (data.details !== 'aborted') seen.errors.push(data.details);  // its own doing
  });
  hls.subtitleDisplay = true;
  hls.loadSource(base + 'master.m3u8');
  hls.attachMedia(video);
  video.play();
  const dash = window.dash = dashjs.MediaPlayer().create();
  dash.initialize();
  dash.on('urn:scte:scte35:2014:xml+bin', told => seen.events.push({
    id: told.event.id, at: told.event.calculatedPresentationTime,
    duration: told.event.duration, text: String(told.event.messageData)}));
  dash.attachView(document.getElementById('dash'));
  dash.attachSource(base + 'manifest.mpd');
  dash.play();
}
"""
LOOK = """
() => {
  const video = document.getElementById('hls');
  if (hls.subtitleTrack < 0 && hls.subtitleTracks.length) hls.subtitleTrack = 0;
  const date = hls.playingDate ? hls.playingDate.getTime() / 1000 : null;
  const cues = kind => [...video.textTracks].filter(t => t.kind === kind)
    .flatMap(t => [...(t.cues || [])]);
  return {
    ...window.seen, at: video.currentTime,
    cues: date === null ? [] : cues('subtitles').map(c => ({
      text: c.text, start: date + c.startTime - video.currentTime,
      end: date + c.endTime - video.currentTime})),
    metadata: date === null ? [] : cues('metadata').map(c => ({
      key: c.value && c.value.key, start: date + c.startTime - video.currentTime,
      end: Number.isFinite(c.endTime) ? date + c.endTime - video.currentTime : null})),
  };
}
"""


def at_ticks(number: int) -> int:
    return round(number * GRID_S * TIMESCALE)


@contextmanager
def encoder(origin: Any, video: Any) -> Iterator[int]:
    """One segment of video, text and events every GRID_S, their times the wall clock's; yields the
    first number.
    """
    first = int(Fraction(time.time()) / GRID_S) - BEFORE
    done = threading.Event()

    def push(k: int) -> None:
        n = first + k
        start = at_ticks(n)
        length = at_ticks(n + 1) - start
        events = b"".join(
            emib(Emsg(1, SCTE, "", TIMESCALE, at_ticks(first + at), 0, at, data), start)
            for at, data in ((BREAK, cue_out(7, 30)), (BACK, cue_in(7)))
            if at - 3 <= k < at
        )
        told = chunk(start, [(length, events or EMPTY)])
        said = chunk(start, [(length, cue(f"words {n}", number=f"c{n}"))])
        for name, body in (("meta", told), ("en", said), ("v", video.segment(n))):
            assert origin.push(f"/ingest/c/Streams({name}.cmfv)", body).status == 200

    def run() -> None:
        k = 0
        while not done.wait(max(0.0, float((first + k + 1) * GRID_S) - time.time())):
            push(k)
            k += 1

    headers = (("v", video.header), ("en", WVTT_HEADER), ("meta", event_header(EVTE)))
    for name, header in headers:
        assert origin.push(f"/ingest/c/Streams({name}.cmfv)", header).status == 200
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield first
    finally:
        done.set()
        thread.join()


def test_players_tell_cues_and_splices(
    start: Callable[..., Any], wait: Callable[..., Any], video_media: Any
) -> None:
    origin = start()
    with encoder(origin, video_media) as first, chromium() as browser:
        listed = lambda: origin.get("/live/c/v/media.m3u8").text.count("#EXTINF")  # noqa: E731
        wait(lambda: listed() >= BEFORE - 2, "a playlist")
        page = browser.new_page()
        page.set_content(PAGE)
        for path in ("hls.js/dist/hls.min.js", "dashjs/dist/modern/umd/dash.all.min.js"):
            page.add_script_tag(path=str(ROOT / "node_modules" / path))
        page.evaluate(PLAY, f"http://127.0.0.1:{origin.delivery_port}/live/c/")

        def look() -> Any:
            return page.evaluate(LOOK)

        shown = wait(lambda: (s := look()) and len(s["cues"]) >= 3 and s, "three cues", 40)
        for told in shown["cues"]:
            number = int(told["text"].removeprefix("words "))
            assert told["start"] == pytest.approx(float(number * GRID_S), abs=0.15), told
            assert told["end"] == pytest.approx(float((number + 1) * GRID_S), abs=0.15), told
        begins = float((first + BREAK) * GRID_S)

        def spliced(key: str) -> Any:
            return next((m for m in look()["metadata"] if m["key"] == key), None)

        out = wait(lambda: spliced("SCTE35-OUT"), "hls.js to tell the break", 40)
        assert out["start"] == pytest.approx(begins, abs=0.15)
        assert wait(lambda: spliced("SCTE35-IN"), "hls.js to tell its end", 40)
        events = wait(lambda: look()["events"], "dash.js to tell the break", 40)
        assert events[0]["id"] == BREAK
        assert events[0]["at"] == pytest.approx(begins, abs=0.15)
        assert not look()["errors"]
