"""The router's page in Chromium, its numbers from a router beside it (RT-17)."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from socket import socket

import pytest
from aiohttp import web
from twins.chromium import chromium

from cdn_router.server import parts
from cdn_router.settings import Settings
from headwater.console.pages import Console
from headwater.settings import Demo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    router, port = free_port(), free_port()
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(serve(router, port, ready, over),)
    )
    thread.start()
    assert ready.wait(20)
    yield f"http://127.0.0.1:{router}", f"http://127.0.0.1:{port}"
    loop.call_soon_threadsafe(over.set)
    thread.join(20)
    loop.close()


def test_the_page_shows_the_router_and_explains_a_session(console: tuple[str, str]) -> None:
    router, url = console
    start = json.dumps({"session_id": "seen", "content": "/live/x/"}).encode()
    urllib.request.urlopen(f"{router}/v1/decisions", start, timeout=5).close()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{url}/router#seen")
        page.wait_for_selector("#why p")
        page.wait_for_selector("#cdns tbody tr")
        assert page.locator("#cdns tbody tr").count() == 2
        assert "CDN-A, then CDN-B" in page.locator("#why").inner_text()
        assert "policy static-priority" in page.locator("#word").inner_text()
        assert "None: every circuit is closed" in page.locator("main").inner_text()
        assert faults == [] and page.locator("#trouble").inner_text() == ""
