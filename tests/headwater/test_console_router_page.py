"""The router's page in Chromium, its numbers from a router beside it (RT-17)."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from playwright.sync_api import Route
from twins.ports import free_ports

from cdn_router.server import parts
from cdn_router.settings import Settings
from headwater.console.pages import Console
from headwater.settings import Demo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ASK_S = 60


async def serve(router: int, console: int, ready: threading.Event, over: asyncio.Event) -> None:
    settings = Settings(port=router, host="127.0.0.1", console_origin=f"http://127.0.0.1:{console}")
    running = parts(settings)
    for part in running:
        await part.start()
    app = web.Application()
    Console(f"http://127.0.0.1:{router}", 8001, Demo().assets_dir).mount(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", console).start()
    ready.set()
    await over.wait()
    await runner.cleanup()
    for part in reversed(running):
        await part.drain()
        await part.stop()


@pytest.fixture
def console() -> Iterator[tuple[str, str]]:
    """URLs of router and console, on a loop in a thread of its own: the browser takes this one."""
    router, port = free_ports(2)
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(serve(router, port, ready, over),)
    )
    thread.start()
    try:
        assert ready.wait(120)
        yield f"http://127.0.0.1:{router}", f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def test_the_page_shows_the_router_and_explains_a_session(
    console: tuple[str, str], tab: Any
) -> None:
    router, url = console
    start = json.dumps({"session_id": "seen", "content": "/live/x/"}).encode()
    urllib.request.urlopen(f"{router}/v1/decisions", start, timeout=ASK_S).close()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(f"{url}/router#seen")
    tab.wait_for_selector("#why p")
    tab.wait_for_selector("#cdns tbody tr")
    assert tab.locator("#cdns tbody tr").count() == 2
    assert "CDN-A, then CDN-B" in tab.locator("#why").inner_text()
    boxes = tab.locator("#why section, #why pre")
    assert boxes.evaluate_all("all => all.every(each => each.tabIndex === 0)")
    assert "policy static-priority" in tab.locator("#word").inner_text()
    assert "None: every circuit is closed" in tab.locator("main").inner_text()
    assert faults == [] and tab.locator("#trouble").inner_text() == ""


def test_a_warning_outlives_the_failure_before_it(console: tuple[str, str], tab: Any) -> None:
    router, url = console
    away = True

    def answer(route: Route) -> None:
        if away:
            route.abort()
            return
        with urllib.request.urlopen(f"{router}/v1/screen", timeout=ASK_S) as told:
            screen = json.load(told)
        screen["snapshot"]["stale"] = True
        route.fulfill(json=screen, headers={"Access-Control-Allow-Origin": "*"})

    tab.route("**/v1/screen", answer)
    tab.goto(f"{url}/router")
    tab.wait_for_selector("body[data-stale]", state="attached")
    away = False
    after = "() => !document.body.hasAttribute('data-stale') && [trouble.textContent]"
    assert "too old" in tab.wait_for_function(after).json_value()[0]


def test_a_search_asks_for_words_and_gives_up_the_former(
    console: tuple[str, str], tab: Any
) -> None:
    _, url = console
    asked: list[str] = []
    given_up: list[str] = []

    def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query).get("q", [""])[0]
        asked.append(query)
        if query != "vault":
            route.fulfill(json={"items": [], "next_cursor": None})

    typing = """words => words.forEach(word => {
        const input = document.querySelector("#find [name=q]");
        input.value = word;
        input.dispatchEvent(new Event("input", { bubbles: true }));
    })"""
    tab.add_init_script("sessionStorage.setItem('headwater-token', 'x')")
    tab.on("requestfailed", lambda request: given_up.append(request.url))
    tab.route("**/v1/admin/contents?*", answer)
    tab.goto(f"{url}/titles")
    tab.locator("#word", has_text="0 titles").wait_for()
    with tab.expect_request("**/v1/admin/contents?*q=vault"):
        tab.evaluate(typing, ["v", "va", "vau", "vault"])
    with tab.expect_event("requestfailed"), tab.expect_response("**?*q=film"):
        tab.evaluate(typing, ["film"])
    assert asked == ["", "vault", "film"]
    assert len(given_up) == 1 and "q=vault" in given_up[0]
