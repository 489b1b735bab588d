"""An encrypted film from playback start to the screen: the key comes from the control API, to the
viewer's token in a header, and goes into the player's own key system (PR-121, PR-176, CTL-101).
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request
from twins.crew import until

pytestmark = [pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(600)]

PLAYERS = ("hls.js", "dash.js", "Shaka")
HEADER = "cta-common-access-token"
LICENCE = "/v1/licence/clearkey"


@pytest.fixture
def page(demo: Any, browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.add_init_script("localStorage.device = 'dev_sealed-test'")
    page.goto(demo.url)
    yield page
    page.close()


def wait(page: Page, condition: str) -> None:
    page.wait_for_function(
        f"() => {{ const video = document.getElementById('video'), hw = window.headwater;"
        f" return {condition}; }}",
        timeout=90_000,
        polling=100,
    )


def choose(page: Page, group: str, value: str) -> None:
    page.check(f"input[name={group}][value='{value}']", force=True)


def ask(demo: Any, body: bytes, token: str | None) -> int:
    request = urllib.request.Request(f"{demo.url.rstrip('/')}{LICENCE}", data=body, method="POST")
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header(HEADER, token)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_three_players_get_their_key_and_show_the_film(demo: Any, page: Page) -> None:
    """What the edges send is encrypted; a request without the session's token gets no key, nor with
    the token of a session that was stopped.
    """
    with urllib.request.urlopen(f"{demo.delivery}/vod/film-protected/v540/init.mp4") as answer:
        header = answer.read()
    assert b"encv" in header and b"avc1" in header
    asked: list[Request] = []
    page.on("request", lambda r: asked.append(r) if LICENCE in r.url else None)
    choose(page, "content", "sealed")
    for player in PLAYERS:
        asked.clear()
        choose(page, "player", player)
        shown = f"hw.player === '{player}' && hw.content === 'sealed'"
        wait(page, f"{shown} && hw.playing && hw.started")
        wait(page, "video.currentTime >= 1.5")
        page.evaluate("document.getElementById('video').currentTime = 70")
        wait(page, "!video.seeking && video.currentTime >= 71 && video.readyState >= 3")
        state = page.evaluate("({errors: headwater.errors, token: headwater.session.token})")
        assert [e for e in state["errors"] if e["fatal"]] == [], player
        assert page.evaluate("document.getElementById('video').mediaKeys !== null"), player
        sent = [r for r in asked if r.method == "POST"]
        assert sent, player
        assert {r.headers.get(HEADER) for r in sent} == {state["token"]}, player
        assert page.evaluate("document.getElementById('video').getVideoPlaybackQuality()"
                             ".totalVideoFrames") > 24  # fmt: skip
    body = sent[0].post_data_buffer
    assert body is not None and json.loads(body)["kids"]
    assert ask(demo, body, state["token"]) == 200
    assert ask(demo, body, None) == 401
    choose(page, "content", "film")
    until(lambda: ask(demo, body, state["token"]) == 401, "a stopped session's token to be refused")
