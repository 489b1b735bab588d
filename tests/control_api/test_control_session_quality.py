"""Heartbeats' quality and the trace, on their way to the router (CTL-9, CTL-106, CTL-173)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from cdn_router.server import parts
from cdn_router.settings import Settings as RouterSettings
from control_api import qoe, types
from control_api.settings import Pathway
from runtime.fetch import Fetcher
from runtime.service import Web
from runtime.store import MemoryStore

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOLD = types.HeartbeatRequest(
    position_ms=5_000, state="buffering", bitrate_kbps=4_200, buffer_ms=900, cdn="CDN-A"
)


@pytest.fixture
async def router() -> AsyncIterator[str]:
    """The real one."""
    *_, listener = parts(RouterSettings(port=0))
    assert isinstance(listener, Web)
    await listener.start()
    yield listener.url
    await listener.stop()


async def test_the_router_learns_what_a_heartbeat_says(
    kept: Any, make_api: Any, router: str
) -> None:
    """CTL-106: the session that playback start asked about, by its token's id."""
    api = await make_api(kept, router="http", router_url=router, store=MemoryStore())
    _, answer = await api.start()
    [known] = api.services.playback.streams._known.by_id.values()
    body = {"position_ms": 5, "bitrate_kbps": 4_200, "buffer_ms": 900, "cdn": "CDN-A"}
    beat = f"/v1/sessions/{answer['session_id']}/heartbeat"
    assert (await api.send("POST", beat, body))[0] == 200
    seen: Any = {"quality": None}
    async with asyncio.timeout(60), aiohttp.ClientSession() as client:
        while seen["quality"] is None:
            async with client.get(f"{router}/v1/sessions/{known.cti}") as got:
                seen = await got.json()
            await asyncio.sleep(0.05)
    assert seen["quality"]["buffer_ms"] == 900 and seen["quality"]["reports"] == 1


def test_notes_are_merged_bounded_and_batched(monkeypatch: pytest.MonkeyPatch) -> None:
    """CTL-173: the newest of a session counts; beyond the room notes are lost, and counted."""
    monkeypatch.setattr(qoe, "MAX_WAITING", 3)
    monkeypatch.setattr(qoe, "BATCH", 2)
    quality = qoe.Quality([Pathway(id="CDN-A", base_url="http://a.example:81")])
    lost = qoe.LOST._value.get()
    for cti in ("aa", "bb", "cc", "dd", "aa"):
        quality.note(cti, TOLD, 7)
    quality.note("bb", types.HeartbeatRequest(state="paused", cdn="X"), 8)
    assert qoe.LOST._value.get() == lost + 1
    assert quality.batch() == [
        b'bl=(900),br=(4200),e=t,h="a.example:81",pt=5000,sid="aa",sta=r,ts=7,v=2',
        b'e=t,pt=0,sid="bb",sta=a,ts=8,v=2',
    ]
    assert len(quality.batch()) == 1 and quality.batch() == []


@pytest.mark.parametrize("status", [429, None], ids=["busy", "away"])
async def test_what_the_router_does_not_take_is_lost(status: int | None) -> None:
    """CTL-173: counted, not retried, no error for anybody."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status or 204)

    app = web.Application()
    app.router.add_post("/cmcd", refuse)
    listener = Web("stub", app, host="127.0.0.1", port=0)
    await listener.start()
    if status is None:
        await listener.stop()
    quality = qoe.Quality([])
    quality.note("aa", TOLD, 7)
    lost = qoe.LOST._value.get()
    async with Fetcher([listener.url]) as fetcher:
        await qoe.send(quality, fetcher, f"{listener.url}/cmcd")
    assert qoe.LOST._value.get() == lost + 1 and quality.batch() == []
    if status is not None:
        await listener.stop()


async def test_the_callers_trace_goes_on_to_the_router(kept: Any, make_api: Any) -> None:
    """CTL-9; W3C Trace Context section 3.2: same trace, a span of our own."""
    seen: list[dict[str, str]] = []

    async def decide(request: web.Request) -> web.Response:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response(status=503)

    app = web.Application()
    app.router.add_post("/v1/decisions", decide)
    listener = Web("stub", app, host="127.0.0.1", port=0)
    await listener.start()
    api = await make_api(
        kept, router="http", router_url=listener.url, store=MemoryStore(), router_ms=30_000
    )
    body = {"channel_id": "ch_demo", "device": {"id": "one"}}
    headers = {"traceparent": PARENT, "X-Request-Id": "req_1"}
    status, _ = await api.send("POST", "/v1/playback/start", body, headers=headers)
    await listener.stop()
    assert status == 201
    [asked] = seen
    assert asked["x-request-id"] == "req_1"
    version, trace, span, flags = asked["traceparent"].split("-")
    assert (version, trace, flags) == ("00", PARENT.split("-")[1], "01")
    assert span != PARENT.split("-")[2]
