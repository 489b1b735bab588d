"""Duress that servers tell of in CMSD, as probes see it (CM-51..CM-53)."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cdn_router.feeds_cmsd import MAX_CHARS, suffers
from cdn_router.health import State
from cdn_router.prober import Prober, Target
from cdn_router.server import build
from cdn_router.settings import Settings
from runtime.clock import SYSTEM
from runtime.fetch import Fetcher


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"CDNB-w35k";etp=76;rtt=32;du', True),
        ('"CDNB-w35k";du=?1', True),
        ('"CDNB-3ak1";etp=96;rtt=8,"CDNB-w35k";rd=701', True),
        ('"CDNB-w35k";rd=700', False),
        ('"CDNB-w35k";du=?0', False),
        ('"CDNB-w35k";du=1', False),
        ('"CDNB-3ak1";du,"CDNB-w35k";etp=76', False),  # a hop behind the edge that answers well
        ('("a" "b");du', True),
        ("", False),
        ("du", False),
        ('"CDNB-w35k";du,', False),
        ("\x00\xff", False),
        ('"a";du' + " " * MAX_CHARS, False),
    ],
)
def test_who_suffers(text: str, expected: bool) -> None:
    assert suffers(text, 700.0) is expected


@pytest.mark.parametrize(
    ("dynamic", "status", "expected"),
    [
        ('"edge-1";du;etp=76', 200, State.SLOW),
        ('"edge-1";etp=76', 200, State.UP),
        ('"edge-1";du', 503, State.OUT),
    ],
)
async def test_a_cdn_in_duress_is_put_back_as_a_slow_one(
    dynamic: str, status: int, expected: State
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"CMSD-Dynamic": dynamic})

    app = web.Application()
    app.router.add_get("/probe", answer)
    router = build(Settings())
    async with TestServer(app) as server:
        url = str(server.make_url("/probe"))
        fetcher = Fetcher([url], name="probe-client", timeout_s=60, connect_timeout_s=60)
        await fetcher.start()
        prober = Prober(router, fetcher, [Target("CDN-A", url)], 60_000.0, SYSTEM)
        for _ in range(3):
            await prober.round()
        await fetcher.stop()
    assert router.sites["CDN-A"].health.state is expected
