"""hls.js, dash.js and Shaka in Chromium through two proxy nodes, all at once on one page: tokens
that rotate, a filter, a bumper, a steering switch, dead nodes and a dead origin (MP-24, MP-45,
MP-60, HLS-M8..M17, DASH-M1..M7).

Media have one colour for each title and rung, so a sampled pixel tells what is shown.
HEADWATER_PROXY_LONG=1 is the long form, where nobody may stall for a moment.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from origin_rigs.running import listening, until
from playwright.sync_api import Browser, Page
from proxy_rigs.audience import PLAYERS, Audience, Seen
from proxy_rigs.channel import Channel, films
from proxy_rigs.town import Town, town

pytestmark = [pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(400)]

IS_LONG = os.environ.get("HEADWATER_PROXY_LONG") == "1"
long_form = pytest.mark.skipif(not IS_LONG, reason="the long form: HEADWATER_PROXY_LONG=1")
PLAY_S, TOKEN_S = (30, 8) if IS_LONG else (2, 30)
OUTAGE_S, BACK_S = 20, 32
RULES = """[[rules]]
name = "bumper"
cohorts = ["bumper"]
playlists = "proxy"
carrier = "query"
bumper = { folder = "/vod/b", reference = "v0/media.m3u8" }
[[rules]]
name = "slate"
cohorts = ["slate"]
playlists = "proxy"
carrier = "query"
slate = { folder = "/vod/s", reference = "v0/media.m3u8", after_targets = 2 }
[[rules]]
name = "without"
playlists = "proxy"
carrier = "query"
"""
LOW = "filter=video.height=..90&"
JOINED = f"cohort=bumper&{LOW}"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    films(folder, 200 if IS_LONG else 120)
    return folder


@pytest.fixture
def place(media: Path, tmp_path: Path) -> Iterator[Town]:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    with town(media, Channel(time.time() - 60), rules) as built:
        until(lambda: all(map(listening, built.nodes)), "the nodes to listen", 60)
        yield built


@pytest.fixture
def audience(browser: Browser, place: Town) -> Iterator[Audience]:
    page: Page = browser.new_page()
    yield Audience(page, place, TOKEN_S)
    page.close()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str, dict[str, Seen]], None]:
    def say(what: str, seen: dict[str, Seen]) -> None:
        with capsys.disabled():
            for name, one in seen.items():
                print(f"\n{what}: {name} {one}", end="")

    return say


def smooth(seen: dict[str, Seen], before: dict[str, Seen]) -> None:
    """No error, and in the long form no stall since `before`: all have filled their buffers."""
    for name, one in seen.items():
        assert one.errors == [], name
        assert not IS_LONG or one.waits == before[name].waits, name


def test_viewers_notice_only_the_bumper(
    place: Town, audience: Audience, tell: Callable[[str, dict[str, Seen]], None]
) -> None:
    """Each sees the bumper and then the low rung that its session is bound to; its token changes,
    steering moves it to the other CDN, and then a node is killed.
    """
    audience.play(query=JOINED)
    seen = audience.until(lambda one: one.colours[-1:] == ["green"], "the channel")
    for name, one in seen.items():
        # DASH has a place in time for the bumper: a player that loads for long comes too late.
        assert one.colours == ["red", "green"] or (name != "hls.js" and not IS_LONG), (name, one)
    assert {cdn for _, cdn, _ in place.asked} == {"CDN-A"}
    before = audience.look()
    place.order.reverse()
    place.kill_node(next(iter(place.nodes)))
    until(
        lambda: (
            audience.look() and {one for one, cdn, _ in place.asked if cdn == "CDN-B"} == {*PLAYERS}
        ),
        "all to move to CDN-B",
        60,
    )
    until(
        lambda: audience.look() and all(len(place.tokens[name]) >= 3 for name in PLAYERS),
        "segments with later tokens too",
    )
    seen = audience.on(PLAY_S)
    tell("through it all", seen)
    smooth(seen, before)
    assert all(one.colours[-2:] in (["red", "green"], ["green"]) for one in seen.values())
    assert {folder for _, _, folder in place.asked} == {"v0"}
    assert place.refused == {}


@long_form
def test_viewers_in_the_window_outlive_a_dead_origin(
    place: Town, audience: Audience, tell: Callable[[str, dict[str, Seen]], None]
) -> None:
    """MP-24: nobody listens there for 20 s; stale playlists go on, and then fresh ones."""
    audience.play(query=LOW, back_s=BACK_S)
    audience.until(lambda one: one.colours[-1:] == ["green"], "the channel")
    place.close_origin()
    closed = time.monotonic()
    before = audience.look()
    while time.monotonic() - closed < OUTAGE_S:
        seen = audience.look()
        time.sleep(0.5)
    tell("while the origin is dead", seen)
    smooth(seen, before)
    assert all(seen[name].at - before[name].at > OUTAGE_S - 3 for name in PLAYERS)
    place.open_origin()
    seen = audience.on(PLAY_S)
    tell("after that", seen)
    smooth(seen, before)


@long_form
@pytest.mark.parametrize("loses", [False, True], ids=["all comes later", "some is lost"])
def test_viewers_see_the_slate_while_the_source_is_silent(
    place: Town, audience: Audience, tell: Callable[[str, dict[str, Seen]], None], *, loses: bool
) -> None:
    """MP-18: its colour is really shown to all, then media again; nobody stalls there and back."""
    place.kill_node(next(iter(place.nodes)))  # nodes without a store know what they saw themselves
    audience.play(query=f"cohort=slate&{LOW}")
    before = audience.until(lambda one: one.colours == ["green"], "the channel")
    place.channel.silent_s = time.time()
    first = place.channel.last + 1
    audience.until(lambda one: one.colours == ["green", "blue"], "the slate")
    if loses:
        place.channel.lost = range(first, int(time.time() - place.channel.began_s))
    place.channel.silent_s = None
    seen = audience.until(lambda one: one.colours == ["green", "blue", "green"], "the return")
    tell("with a slate", seen)
    smooth(seen, before)
