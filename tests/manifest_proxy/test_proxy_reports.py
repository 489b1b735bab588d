"""CMCD of manifest requests, counted and handed on (MP-26; CM-10..CM-14, CM-20, CM-31)."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from prometheus_client import REGISTRY

import cat
from cdn_router.cmcd.decode import decode_line
from manifest_proxy.reports import BATCH, MAX_CHARS, MAX_WAITING, Reports, record, told
from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.http import Answer, Entity, Refusal, Request, serve
from runtime.clock import ManualClock
from runtime.fetch import Fetched, Fetcher

DEADLINE_S = 60
KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])
MEDIA = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n1.m4s\n"
URL = "http://localhost:8003/live/d/v/media.m3u8"
SET = 'bl=(2000;v),sid="s1",v=2'


class Router(Fetcher):
    """Takes batches as long as it is told to."""

    def __init__(self, status: int = 204) -> None:
        super().__init__(["http://router"])
        self.status = status
        self.batches: list[bytes] = []

    async def post(
        self, url: str, body: bytes, headers: Any = None, **_: float | int | None
    ) -> Fetched:
        assert url == "http://router/cmcd" and headers["Content-Type"] == "application/cmcd"
        self.batches.append(body)
        return Fetched(self.status, {}, b"")


@pytest.mark.parametrize(
    ("query", "headers", "wanted"),
    [
        (f"CAT=x&CMCD={quote(SET)}", {}, SET),
        (f"CMCD={quote(SET)}", {"cmcd-session": 'sid="h"', "cmcd-request": "bl=1"}, 'bl=1,sid="h"'),
        ("cmcd=bs", {}, ""),
        ("CMCD=a%0Ab", {}, ""),
        ("CMCD=" + "a" * (MAX_CHARS + 1), {}, ""),
        ("", {"accept": "x"}, ""),
    ],
)
def test_headers_come_before_the_query(query: str, headers: dict[str, str], wanted: str) -> None:
    """CM-10..CM-13; nothing that would be two lines of a batch."""
    assert told(query, headers) == wanted


def test_a_set_becomes_an_event_of_the_standard() -> None:
    """CM-20: e, ts and v, and the keys of rr beside it; CM-3: later versions are not ours."""
    line = record(SET, URL, 1_700_000_000_000).decode()
    read = decode_line(line)
    assert not read.notes and read.version == 2
    assert {key: read.data[key] for key in ("rc", "ts", "url", "sid")} == {
        "rc": 200,
        "ts": 1_700_000_000_000,
        "url": URL,
        "sid": "s1",
    }
    for as_it_is in ('bl=2000,sid="s1"', "bs,v=3", "e=t,ts=5,v=2"):
        assert record(as_it_is, URL, 0) == as_it_is.encode()


def fate(name: str) -> float:
    return REGISTRY.get_sample_value("headwater_proxy_cmcd_records_total", {"fate": name}) or 0.0


@pytest.mark.parametrize(("status", "name"), [(204, "sent"), (429, "refused")])
async def test_batches_are_bounded_and_counted(status: int, name: str) -> None:
    router = Router(status)
    reports = Reports("http://router/cmcd", router, ManualClock())
    before, crowded = fate(name), fate("crowded")
    for _ in range(MAX_WAITING + 3):
        reports.take("", {"cmcd-session": SET}, URL)
    assert fate("crowded") == crowded + 3
    await reports.start()
    async with asyncio.timeout(DEADLINE_S):
        while fate(name) < before + MAX_WAITING:
            await asyncio.sleep(0.01)
    await reports.stop()
    assert {body.count(b"\n") + 1 for body in router.batches} == {BATCH}


class World:
    """An origin, a router, and the proxy between them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.reported: list[Request] = []

    def origin(self, request: Request) -> Answer:
        self.asked.append(request.target)
        self.reported += [request] if any("cmcd" in name for name in request.headers) else []
        if not request.path.endswith("media.m3u8"):
            return Refusal(404, "not_found")
        return Entity(MEDIA, content_type="text/plain", cache_control="max-age=60")


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[World, Router, Any]]:
    made, router = World(), Router()
    monkeypatch.setattr("manifest_proxy.server.Fetcher", lambda *_, **__: router)
    async with AsyncExitStack() as stack:
        server = await serve(made.origin, host="127.0.0.1", port=0)
        stack.push_async_callback(server.close)
        settings = Settings(
            port=0,
            origin_url=f"http://127.0.0.1:{server.port}",
            steering_url="",
            cmcd_url="http://router/cmcd",
        )
        running = parts(settings, KEYS, issuers=("h",))
        for part in running:
            await part.start()
            stack.push_async_callback(part.stop)
        listener = running[-1]
        assert isinstance(listener, Listener)
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def get(query: str = "", **headers: str) -> tuple[int, str]:
            claims: dict[str | int, object] = {"iss": "h", "exp": int(time.time()) + 900}
            path = f"/p/CDN-A/cat:{cat.issue(claims, KEYS.signer())}/live/d/v/media.m3u8"
            url = f"http://127.0.0.1:{listener.port}{path}{query}"
            async with session.get(url, headers=headers) as answer:
                return answer.status, await answer.text()

        yield made, router, get


async def test_reports_reach_the_router_and_nothing_else(world: Any) -> None:
    """CM-14: no cache key, no origin URL, no child; also where viewers are answered quickly."""
    made, router, get = world
    assert (await get())[0] == 200
    for count in range(3):  # a dot is in no token
        status, text = await get(**{"CMCD-Session": f'sid="h.{count}",v=2'})
        assert status == 200 and "h.0" not in text and "CMCD" not in text
    status, text = await get("?CMCD=" + quote('sid="q",v=2'))
    assert status == 200 and "CMCD" not in text
    async with asyncio.timeout(DEADLINE_S):
        while sum(body.count(b"\n") + 1 for body in router.batches) < 4:
            await asyncio.sleep(0.05)
    lines = b"\n".join(router.batches).decode().split("\n")
    assert [decode_line(line).data["sid"] for line in lines] == ["h.0", "h.1", "h.2", "q"]
    assert all(decode_line(line).data["url"] == URL for line in lines)
    assert made.asked == ["/live/d/v/media.m3u8"] and not made.reported
