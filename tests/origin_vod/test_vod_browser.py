"""Shaka Player, dash.js and hls.js in Chromium: the thumbnail of a time (TR-99, TR-100, TR-101),
chapters (TR-116), and subtitles as IMSC 1 (TR-87).
"""

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from aiohttp import web
from playwright.sync_api import Page
from twins.chromium import chromium

from native.http import Entity
from origin.vod import Library, register

pytestmark = [pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(120)]

MODULES = Path(__file__).resolve().parents[2] / "node_modules"
PAGE = """<!doctype html><video id=video muted></video>
<script src="/modules/shaka-player/dist/shaka-player.compiled.js"></script>
<script src="/modules/dashjs/dist/modern/umd/dash.all.min.js"></script>
<script src="/modules/hls.js/dist/hls.min.js"></script>"""
SHAKA = """async ([url, time]) => {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  await player.attach(document.getElementById("video"));
  await player.load(url);
  const [track] = player.getImageTracks();
  const found = await player.getThumbnails(track && track.id, time);
  await player.destroy();
  return found && {url: found.uris[0], x: found.positionX, y: found.positionY,
    width: found.width, height: found.height, start: found.startTime, duration: found.duration};
}"""
SINGLES = """async ([url, time]) => {
  const player = new shaka.Player();
  await player.attach(document.getElementById("video"));
  await player.load(url);
  const found = [];
  for (const track of player.getImageTracks()) {
    const shown = await player.getThumbnails(track.id, time);
    found.push([shown.uris[0], shown.startTime, shown.width, shown.height]);
  }
  await player.destroy();
  return found.find(([uri]) => uri.includes("/frames/"));
}"""
HLS = """([url, time]) => new Promise((done, failed) => {
  const player = new Hls();
  player.on(Hls.Events.ERROR, (_, e) => e.fatal && failed(e.details));
  player.once(Hls.Events.LEVEL_LOADED, () => {
    const shown = player.createImageIFramePlayer();
    const image = new Image();
    shown.attachImage(image);
    shown.once(Hls.Events.FRAG_BUFFERED, (_, {frag}) => {
      done([frag.url, frag.start, image.naturalWidth, image.naturalHeight]);
      shown.destroy();
      player.destroy();
    });
    shown.on(Hls.Events.ERROR, (_, e) => e.fatal && failed(e.details));
    shown.loadMediaAt(time);
  });
  player.loadSource(url);
  player.attachMedia(document.getElementById("video"));
})"""
CHAPTERS = """async url => {
  const player = new shaka.Player();
  await player.attach(document.getElementById("video"));
  await player.load(url);
  const found = await player.getChaptersAsync("und");
  await player.destroy();
  return found.map(c => [c.title, c.startTime, c.endTime]);
}"""
CUES = """async ([url, name]) => {
  const video = document.getElementById("video");
  const player = new shaka.Player();
  await player.attach(video);
  // from within the first sample: Shaka 5.2's jump there may lose the header of the text
  await player.load(url, 0.1);
  await player.selectTextTrack(player.getTextTracks().find(t => t.originalTextId === name));
  const cues = () => [...video.textTracks].flatMap(t => [...(t.cues || [])]);
  for (let n = 0; n < 100 && cues().length < 1; n++) await new Promise(r => setTimeout(r, 100));
  const found = cues().map(c => [c.text, c.startTime, c.endTime]);
  await player.destroy();
  return found;
}"""
DASH = """([url, time]) => new Promise((done, failed) => {
  const player = dashjs.MediaPlayer().create();
  player.on("error", e => failed(e.error && e.error.message));
  player.on("streamInitialized", () => player.provideThumbnail(time, found => {
    player.reset();
    done(found && {url: found.url, x: found.x, y: found.y,
      width: found.width, height: found.height});
  }));
  player.initialize(document.getElementById("video"), url, false);
})"""


class Site:
    """Players and films of one address, in a thread of its own."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.port = self.run(self.start())

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    async def start(self) -> int:
        app = web.Application()
        app.router.add_get("/", self.page)
        app.router.add_get("/vod/{title}/{leaf:.*}", self.film)
        app.router.add_static("/modules", MODULES)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return int(self.runner.addresses[0][1])

    async def page(self, _: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def film(self, request: web.Request) -> web.Response:
        at = request.match_info
        answer = self.library.answer(at["title"], at["leaf"], request.query_string)
        answer = await answer if isinstance(answer, Awaitable) else answer
        if not isinstance(answer, Entity):
            return web.Response(status=404)
        return web.Response(body=answer.body, headers={"Content-Type": answer.content_type})

    def close(self) -> None:
        self.run(self.runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.library.close()


@pytest.fixture(scope="module")
def url(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("seekbars")
    said, told = home / "film.eng.vtt", home / "film.chapters.vtt"
    said.write_text("WEBVTT\n\n00:00.500 --> 00:03.000\nHello <i>there</i>\n")
    told.write_text("WEBVTT\n\n00:00.000 --> 00:08.000\nOne\n\n00:08.000 --> 00:16.000\nTwo\n")
    register(home, [film, said, told], "film", ffmpeg=imageio_ffmpeg.get_ffmpeg_exe())
    site = Site(Library(home))
    yield f"http://127.0.0.1:{site.port}/"
    site.close()


@pytest.fixture(scope="module")
def page(url: str) -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page()
        page.goto(url)
        yield page


@pytest.mark.parametrize(
    ("script", "leaf"),
    [(SHAKA, "manifest.mpd"), (SHAKA, "master.m3u8"), (DASH, "manifest.mpd")],
    ids=["Shaka-DASH", "Shaka-HLS", "dash.js"],
)
def test_players_find_the_thumbnail_of_a_time(page: Page, url: str, script: str, leaf: str) -> None:
    for time, x in ((0.5, 0), (7.3, 480), (15, 1120)):
        found = page.evaluate(script, [f"{url}vod/film/{leaf}", time])
        assert found["url"] == f"{url}vod/film/thumbnails/1.jpg"
        assert (found["x"], found["y"]) == (x, 0), (time, found)
        assert (found["width"], found["height"]) == (160, 90)


@pytest.mark.parametrize("script", [SINGLES, HLS], ids=["Shaka", "hls.js"])
def test_players_find_the_picture_of_a_time(page: Page, url: str, script: str) -> None:
    """TR-101"""
    found = page.evaluate(script, [f"{url}vod/film/master.m3u8", 7.3])
    assert found == [f"{url}vod/film/frames/4.m4s", 6, 160, 90]


def test_shaka_lists_chapters(page: Page, url: str) -> None:
    found = page.evaluate(CHAPTERS, f"{url}vod/film/master.m3u8")
    assert [title for title, _, _ in found] == ["One", "Two"]
    assert [start for _, start, _ in found] == [0, pytest.approx(8.021)]


@pytest.mark.parametrize("name", ["t-eng", "t-eng.imsc"])
def test_shaka_shows_both_forms_of_text(page: Page, url: str, name: str) -> None:
    found = page.evaluate(CUES, [f"{url}vod/film/manifest.mpd", name])
    assert [(c[1], c[2]) for c in found] == [(pytest.approx(0.521), pytest.approx(3.021))], found
    assert "Hello" in found[0][0] and "there" in found[0][0]
