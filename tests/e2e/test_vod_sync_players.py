"""Where Chromium puts sound and picture of a film, in three players: as far apart as their samples
say, to a frame, whatever the source's edit lists are (TR-16..TR-19, TR-29, tracks.md 11.5).
"""

import asyncio
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest
from origin_rigs.media_rig import pieces
from origin_rigs.outputs_rig import Title
from origin_rigs.recipes import recipe
from playwright.sync_api import Browser, Route
from twins.chromium import chromium

from native.http import Answer, Entity
from origin.vod import Library, register

pytestmark = [pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(120)]

MODULES = Path(__file__).resolve().parents[2] / "node_modules"
SITE = "http://film.test/"
PAGE = """<!doctype html><video id=video muted></video>
<script>
const buffers = window.buffers = {};
const add = MediaSource.prototype.addSourceBuffer;
MediaSource.prototype.addSourceBuffer = function (type) {
  const made = add.call(this, type);
  buffers[type.slice(0, 5)] = made;
  return made;
};
const start = {
  "Shaka": async (video, url) => {
    const player = new shaka.Player();
    await player.attach(video);
    await player.load(url);
  },
  "dash.js": (video, url) => dashjs.MediaPlayer().create().initialize(video, url, false),
  "hls.js": (video, url) => {
    const player = new Hls();
    player.loadSource(url);
    player.attachMedia(video);
  },
};
</script>
<script src="/modules/shaka-player/dist/shaka-player.compiled.js"></script>
<script src="/modules/dashjs/dist/modern/umd/dash.all.min.js"></script>
<script src="/modules/hls.js/dist/hls.min.js"></script>"""
PLAYERS = {"Shaka": "manifest.mpd", "dash.js": "manifest.mpd", "hls.js": "master.m3u8"}
FILMS = ("base", "late_audio", "late_video", "mid_edit", "no_elst", "neg_cts")
FRAME_S = 1 / 24


async def _awaited(answer: Awaitable[Answer]) -> Answer:
    return await answer


class Films:
    """Answers the browser's requests without a port: Playwright hands them over."""

    def __init__(self, folder: Path) -> None:
        for name in FILMS:
            register(folder, [recipe(name)], name, segment_s=Fraction(2))
        self.library = Library(folder)
        self.aside = ThreadPoolExecutor(1)  # Playwright's loop runs in this thread

    def ends(self, name: str) -> dict[str, float]:
        """When each kind of track ends by its samples, in seconds."""
        found = {}
        for track, output in Title(self.library, name).timeline().items():
            at = output.init.index(b"mdhd") + 16
            timescale = int.from_bytes(output.init[at : at + 4], "big")
            *_, last = pieces(output.init, output.media[-1])
            assert last.tfdt == output.times[-1][0]
            found["audio" if track[0] == "a" else "video"] = sum(output.times[-1]) / timescale
        return found

    def answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(SITE).partition("?")[0]
        if not path:
            route.fulfill(body=PAGE, content_type="text/html")
        elif path.startswith("modules/"):
            route.fulfill(path=MODULES / path.removeprefix("modules/"))
        else:
            title, _, leaf = path.partition("/")
            answer = self.library.answer(title, leaf)
            if isinstance(answer, Awaitable):
                answer = self.aside.submit(asyncio.run, _awaited(answer)).result()
            if not isinstance(answer, Entity):
                route.fulfill(status=404)
                return
            body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
            route.fulfill(body=body, content_type=answer.content_type)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Films]:
    found = Films(tmp_path_factory.mktemp("sync"))
    yield found
    found.aside.shutdown()
    found.library.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize("player", PLAYERS)
@pytest.mark.parametrize("name", FILMS)
def test_sound_and_picture_are_put_where_their_samples_say(
    films: Films, browser: Browser, name: str, player: str
) -> None:
    """hls.js moves both so that pictures begin at 0, and cuts what sound there is before: ends tell
    more than beginnings.
    """
    wanted = films.aside.submit(films.ends, name).result()
    page = browser.new_page()
    try:
        page.route("**/*", films.answer)
        page.goto(SITE)
        page.evaluate(
            "([player, url]) => { start[player](document.getElementById('video'), url); }",
            [player, f"{SITE}{name}/{PLAYERS[player]}"],
        )
        page.wait_for_function(
            "wanted => Object.entries(wanted).every(([kind, at]) => {"
            "const ranges = buffers[kind] && buffers[kind].buffered;"
            "return ranges && ranges.length && ranges.end(ranges.length - 1) > at - 0.5; })",
            arg=wanted, timeout=30_000, polling=50,
        )  # fmt: skip
        found = page.evaluate(
            "Object.fromEntries(Object.entries(buffers).map("
            "([kind, b]) => [kind, b.buffered.end(b.buffered.length - 1)]))"
        )
    finally:
        page.close()
    moved = {kind: found[kind] - at for kind, at in wanted.items()}
    assert max(moved.values()) - min(moved.values()) <= FRAME_S, (found, wanted)
    if player != "hls.js":
        assert all(abs(off) <= 0.001 for off in moved.values()), (found, wanted)
