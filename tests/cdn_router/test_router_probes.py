"""Probes of targets that misbehave are judged in their time, and hold up no others (RT-8)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from cdn_router.health import Change, Outcome
from cdn_router.prober import MAX_PROBE_BYTES, Prober, Target
from runtime.clock import SYSTEM
from runtime.fetch import Fetcher

PATIENCE_S = 4.0  # of a probe

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def drip(request: web.Request) -> web.StreamResponse:
    """Never silent for long, never done."""
    response = web.StreamResponse(headers={"Content-Length": str(MAX_PROBE_BYTES)})
    await response.prepare(request)
    for _ in range(MAX_PROBE_BYTES):
        await response.write(b".")
        await asyncio.sleep(PATIENCE_S / 20)
    return response


async def flood(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * MAX_PROBE_BYTES)


async def loop(request: web.Request) -> web.Response:
    raise web.HTTPFound(request.path)


async def wrong(_: web.Request) -> web.Response:
    return web.Response(body=b"\xff not what was asked for", content_type="text/html")


async def broken(_: web.Request) -> web.Response:
    raise web.HTTPBadGateway


EXPECTED: dict[Handler, Outcome] = {
    hang: Outcome.FAILED,
    drip: Outcome.FAILED,
    flood: Outcome.FAILED,
    loop: Outcome.GOOD,  # any answer shows a living edge; it is not followed
    wrong: Outcome.GOOD,
    broken: Outcome.FAILED,
}


class Told:
    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def probed(
        self, pathway_id: str, outcome: Outcome, took_ms: float | None, now_s: float, now_ms: int
    ) -> Change | None:
        self.outcomes[pathway_id] = outcome
        return None


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    asked = {handler: 0 for handler in EXPECTED}

    def counting(handler: Handler) -> Handler:
        async def counted(request: web.Request) -> web.StreamResponse:
            asked[handler] += 1
            return await handler(request)

        return counted

    app.add_routes([web.get(f"/{handler.__name__}", counting(handler)) for handler in EXPECTED])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()
    assert set(asked.values()) == {2}, "one request a round, whatever it answers"


async def test_each_target_is_judged_in_its_time(url: str) -> None:
    targets = [Target(handler.__name__, f"{url}/{handler.__name__}") for handler in EXPECTED]
    told = Told()
    urls = [target.url for target in targets]
    async with Fetcher(urls, timeout_s=PATIENCE_S, connect_timeout_s=PATIENCE_S) as fetcher:
        prober = Prober(told, fetcher, targets, 60_000.0, SYSTEM)
        for _ in range(2):
            told.outcomes.clear()
            async with asyncio.timeout(60):  # a drip alone would take an hour
                await prober.round()
            assert told.outcomes == {h.__name__: outcome for h, outcome in EXPECTED.items()}
