"""Real players in a real browser on the demo page: live, film, and a CDN that dies under them."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.serial, pytest.mark.timeout(600)]

PLAYERS = ("hls.js", "dash.js", "Shaka")
LIVE_S = 20
DEVICE = "dev_browser-test"  # one device, so that each start ends the last one's session


@pytest.fixture
def page(demo: Any, browser: Browser) -> Iterator[Page]:
    demo.wait_for_live()
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.add_init_script(f"localStorage.device = '{DEVICE}'")
    page.goto(demo.url)
    yield page
    page.close()
    switch(demo, "ok")


def switch(demo: Any, mode: str) -> None:
    request = urllib.request.Request(
        f"{demo.edge_admin['CDN-A']}/switch",
        data=json.dumps({"mode": mode}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=60).close()


def choose(page: Page, group: str, value: str) -> None:
    page.check(f"input[name={group}][value='{value}']", force=True)


def wait(page: Page, condition: str, limit_s: float = 120) -> None:
    page.wait_for_function(
        f"() => {{ const video = document.getElementById('video'), hw = window.headwater;"
        f" return {condition}; }}",
        timeout=limit_s * 1000,
        polling=100,
    )


def watch(page: Page, seconds: float) -> None:
    """Wait until the picture has moved on by so many seconds of media."""
    here = page.evaluate("document.getElementById('video').currentTime")
    wait(page, f"video.currentTime >= {here + seconds}", seconds * 2 + 30)


def told(page: Page) -> dict[str, Any]:
    state: dict[str, Any] = page.evaluate(
        "({errors: headwater.errors, stalls: headwater.stalls, cdn: headwater.cdn,"
        " segments: headwater.segments, latency: headwater.latency, bitrate: headwater.bitrate})"
    )
    return state


@pytest.mark.parametrize("player", PLAYERS)
def test_live_plays_without_error_or_stall(page: Page, player: str) -> None:
    choose(page, "player", player)
    wait(page, f"hw.player === '{player}' && hw.playing && hw.started && !video.paused")
    watch(page, LIVE_S)
    state = told(page)
    print(f"\n{player}: {state['latency']:.1f} s from burned-in clock to screen, {state['cdn']}")
    assert state["errors"] == []
    assert state["stalls"] == 0
    assert set(state["segments"]) == {"CDN-A"}
    assert state["bitrate"] > 0
    assert 0 < state["latency"] < 30


@pytest.mark.parametrize("player", PLAYERS)
def test_film_seeks_twice_without_error_or_stall(page: Page, player: str) -> None:
    choose(page, "content", "film")
    choose(page, "player", player)
    shown = f"hw.player === '{player}' && hw.content === 'film'"
    wait(page, f"{shown} && hw.playing && hw.started")
    watch(page, 2)
    for target_s in (80, 25):
        page.evaluate(f"document.getElementById('video').currentTime = {target_s}")
        wait(page, f"!video.seeking && video.currentTime >= {target_s} && video.readyState >= 3")
        watch(page, 3)
    state = told(page)
    assert state["errors"] == []
    assert state["stalls"] == 0
    assert page.evaluate("Math.round(document.getElementById('video').duration)") == 120


@pytest.mark.parametrize("player", PLAYERS)
def test_killing_cdn_a_moves_the_player_to_b(page: Page, player: str) -> None:
    choose(page, "player", player)
    wait(page, f"hw.player === '{player}' && hw.started && hw.cdn === 'CDN-A'")
    watch(page, 4)
    page.click("button[data-switch=dead]")
    wait(page, "hw.cdn === 'CDN-B'")
    watch(page, 10)
    state = told(page)
    assert state["cdn"] == "CDN-B"
    assert [error for error in state["errors"] if error["fatal"]] == []
    assert page.locator("#log").inner_text().count("CDN-B") >= 1


@pytest.mark.parametrize("player", PLAYERS[:1])  # test_steering_players has all, in its long form
def test_steering_leaves_a_slow_cdn_and_says_why(page: Page, player: str) -> None:
    choose(page, "player", player)
    wait(page, f"hw.player === '{player}' && hw.started && hw.cdn === 'CDN-A'")
    watch(page, 4)
    page.click("button[data-switch=slow]")
    wait(page, "hw.cdn === 'CDN-B'")
    wait(page, "document.getElementById('log').textContent.includes('probe_slow')")
    watch(page, 8)
    assert told(page)["cdn"] == "CDN-B"
