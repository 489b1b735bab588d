"""hls.js, dash.js and Shaka in Chromium play media that are marked segment by segment (MP-21).

HEADWATER_PROXY_LONG=1; what it is about in bytes is in tests/manifest_proxy.
"""

import os
import time
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
