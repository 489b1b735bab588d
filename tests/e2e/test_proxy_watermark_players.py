"""hls.js, dash.js and Shaka in Chromium play media that are marked segment by segment (MP-21), and
follow patches of MPDs that rules edit (DASH-M15).

HEADWATER_PROXY_LONG=1; what it is about in bytes is in tests/manifest_proxy.
"""

import os
import time
from collections import Counter
from pathlib import Path

import pytest
from origin_rigs.running import listening, until
from playwright.sync_api import Browser
from proxy_rigs.audience import PLAYERS, Audience
from proxy_rigs.channel import Channel, films
from proxy_rigs.town import town

pytestmark = [
    *(pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(400)),
    pytest.mark.skipif(os.environ.get("HEADWATER_PROXY_LONG") != "1", reason="the long form"),
]
RULES = """[[rules]]
name = "marked"
playlists = "proxy"
carrier = "query"
watermark = { playlists = ["*/v?/*"] }
"""


def test_all_play_what_their_marks_say(browser: Browser, tmp_path: Path) -> None:
    media, rules = tmp_path / "media", tmp_path / "rules.toml"
    media.mkdir()
    films(media, 200)
    for rung in (media / "live" / "c").glob("v*"):
        (rung / "a").mkdir()
        for file in rung.glob("*.m4s"):
            file.rename(rung / "a" / file.name)  # without a mark there is nothing
        (rung / "b").symlink_to("a")
    rules.write_text(RULES)
    with town(media, Channel(time.time() - 60), rules) as place:
        until(lambda: all(map(listening, place.nodes)), "the nodes to listen", 60)
        page = browser.new_page()
        audience = Audience(page, place, 8)
        audience.play(query="filter=video.height=..90&")
        audience.until(lambda one: one.colours[-1:] == ["green"], "the channel")
        before = audience.look()
        place.kill_node(next(iter(place.nodes)))
        seen = audience.on(20)
        page.close()
    for name in PLAYERS:
        assert seen[name].errors == [] and seen[name].waits == before[name].waits, seen
        folders = {folder for viewer, _, folder in place.asked if viewer == name}
        assert folders == {"a", "b", "v0"}, "the last for what initialises"
    assert place.refused == {}


def test_players_follow_patches_of_our_own(browser: Browser, tmp_path: Path) -> None:
    """Through tokens that change; a patch that fails makes dash.js and Shaka ask for the MPD."""
    media, rules = tmp_path / "media", tmp_path / "rules.toml"
    media.mkdir()
    films(media, 200)
    rules.write_text(RULES.replace("watermark = { playlists", "window_s = 40 #"))
    with town(media, Channel(time.time() - 60), rules) as place:
        until(lambda: all(map(listening, place.nodes)), "the nodes to listen", 60)
        place.kill_node(next(iter(place.nodes)))  # nodes know the MPDs that they gave themselves
        page = browser.new_page()
        audience = Audience(page, place, 30)
        page.evaluate("performance.setResourceTimingBufferSize(9999)")
        audience.play(query="filter=video.height=..90&")
        audience.until(lambda one: one.colours[-1:] == ["green"], "the channel")
        before = audience.look()
        seen = audience.on(20)
        told = page.evaluate(
            "performance.getEntriesByType('resource').filter(e => /\\.m(pp|pd)/.test(e.name))"
            ".map(e => [/\\.mpp/.test(e.name), e.responseStatus])"
        )
        page.close()
    counts = Counter(map(tuple, told))
    for name in PLAYERS:
        assert seen[name].errors == [] and seen[name].waits == before[name].waits, seen
    assert counts[True, 200] > 20 and counts[False, 200] < 10, counts
    assert place.refused == {}
