"""Duress that servers tell of in CMSD, as probes see it and players tell of it (CM-51..CM-53)."""

from base64 import b64encode

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cdn_router.cells.state import State
from cdn_router.feeds_cmsd import MAX_CHARS, in_duress, suffers
from cdn_router.health import State as Health
from cdn_router.policies.face import Cdn, Circuit
from cdn_router.prober import Prober, Target
from cdn_router.server import build, build_intake
from cdn_router.sessions import Viewer
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
        ('"edge-1";du;etp=76', 200, Health.SLOW),
        ('"edge-1";etp=76', 200, Health.UP),
        ('"edge-1";du', 503, Health.OUT),
    ],
)
async def test_a_cdn_in_duress_is_put_back_as_a_slow_one(
    dynamic: str, status: int, expected: Health
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


NOW_MS = 1_700_000_000_000
DURESS, CALM = b'"edge-1";du;etp=76', b'"edge-1";etp=76;n="du"'


def told(session: int, dynamic: bytes, at_ms: int, stalls: bool, odd: bool) -> bytes:
    """What a player says of a response; `odd` in a form that is left to Python."""
    rows = [
        f'br=(4000),cmsdd="{b64encode(dynamic).decode()}",e=rr,rc=200,sid="s{session}",ts={at_ms},'
        'url="http://localhost:8011/1.m4s",v=2'
    ]
    if stalls:
        rows.append(f'e=ps,sid="s{session}",sta=r,ts={at_ms + 1},v=2')
        rows.append(f'e=ps,sid="s{session}",sta=p,ts={at_ms + 1001},v=2')
    text = "\n".join(rows)
    if odd:
        text = text.replace("br=(4000),", "", 1).replace(",v=2", ",v=2,br=(4000)", 1)
    return text.encode()


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize(
    ("dynamic", "stalls", "expected"),
    [
        (DURESS, True, Circuit.BROWN),
        (CALM, True, Circuit.CLOSED),
        (DURESS, False, Circuit.CLOSED),
        (b"du", True, Circuit.CLOSED),
    ],
)
def test_players_word_of_duress_counts_with_their_stalls_alone(
    dynamic: bytes, stalls: bool, expected: Circuit, odd: bool
) -> None:
    """Four stalls of four viewers are too few to say a brown-out, unless the CDN says so too."""
    state = State((Cdn("CDN-A"), Cdn("CDN-B")), NOW_MS / 1000)
    settings = Settings()
    router = build(settings)
    intake = build_intake(settings, router, state)
    for at in range(8):  # four on each CDN
        name = "s" if at < 4 else "other-"
        router.sessions.seen(f"{name}{at}", NOW_MS).viewer = Viewer("film", "DE", "tv", 7)
    other = f'br=(4000),e=rr,rc=200,sid="other-5",ts={NOW_MS},url="http://localhost:8012/1",v=2'
    for second in (0, 6, 12):
        at_ms = NOW_MS + 1000 * second
        for at in range(4):
            body = told(at, dynamic, at_ms, stalls and second == 6, odd)
            intake.take(body, f"192.0.{at}.7", at_ms)
        intake.take(other.encode(), "192.0.9.7", at_ms)
    state.look((NOW_MS + 12_000) / 1000)
    assert state.snapshot(NOW_MS + 12_000).sites["DE"][0].circuit is expected
    assert intake.records["duress",] == (12 if dynamic is DURESS else 0)


def test_what_players_tell_is_bounded() -> None:
    assert in_duress(b64encode(DURESS)) and not in_duress(b64encode(CALM))
    for broken in (b"%%%", b"du", b64encode(b'"a";du' + b" " * MAX_CHARS), b64encode(b"\xff;du")):
        assert not in_duress(broken)
