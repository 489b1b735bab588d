"""What CDNs may hold, for how long, and what they may not: titles that stand in (MP-20, MP-39)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from manifest_proxy.asked import Asking
from manifest_proxy.audience import Audience
from manifest_proxy.policy import Pathway
from manifest_proxy.press import Press
from manifest_proxy.spots import FOREVER_S, Spots
from manifest_proxy.upstream import Version
from manifest_proxy.urls import Origin, Url
from native.http import Answer, Entity, Refusal, Request
from runtime.clock import ManualClock

MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
MPD = b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period id="1"/></MPD>'
RULES = """[[rules]]
name = "event"
paths = ["/live/shut/*"]
[[rules.blackouts]]
start = 2026-06-01T18:00:00Z
end = 2026-06-01T20:00:00Z
countries = ["DE"]
replacement = { folder = "/vod/no" }
[[rules]]
name = "channel"
paths = ["/live/down/*"]
slate = { folder = "/vod/no" }
"""
OWN = "private, no-store"
LEAVES = ["master.m3u8", "x.mpd"]


class Node:
    def __init__(self, clock: ManualClock, session: aiohttp.ClientSession) -> None:
        self.clock, self.session, self.base = clock, session, ""

    async def told(self, path: str, country: str = "FR") -> tuple[str, str]:
        """The body, and what caches are told."""
        headers = {"CloudFront-Viewer-Country": country}
        async with self.session.get(f"{self.base}/p/CDN-A{path}", headers=headers) as answer:
            assert answer.status == 200
            assert "Age" not in answer.headers
            return await answer.text(), answer.headers["Cache-Control"]


@pytest.fixture
async def node(near: Any) -> AsyncIterator[Node]:
    def origin(request: Request) -> Answer:
        if request.path.startswith("/live/down/"):
            return Refusal(500, "down")
        body = MASTER if request.path.endswith("master.m3u8") else MPD
        life_s = 3600 if request.path.startswith("/vod/") else 60
        return Entity(body, content_type="text/plain", cache_control=f"max-age={life_s}")

    clock = ManualClock(int(datetime(2026, 6, 1, 19, tzinfo=UTC).timestamp() * 1000))
    base, session = await near(
        origin,
        RULES,
        clock=clock,
        shared_copies=True,
        country_header="CloudFront-Viewer-Country",
        trusted_proxies=["127.0.0.0/8"],
    )
    one = Node(clock, session)
    one.base = base
    yield one


@pytest.mark.parametrize("leaf", LEAVES)
async def test_no_cdn_holds_a_slate_under_the_url_of_a_channel(node: Node, leaf: str) -> None:
    slate, kept = await node.told(f"/live/down/{leaf}")
    assert kept == OWN
    assert (await node.told(f"/vod/no/{leaf}")) == (slate, "public, max-age=3600")
    assert (await node.told(f"/live/down/{leaf}"))[1] == OWN


@pytest.mark.parametrize("leaf", LEAVES)
async def test_no_cdn_holds_a_replacement_under_the_url_of_an_event(node: Node, leaf: str) -> None:
    """Whoever asked for the replacement before, and by whatever URL."""
    title, kept = await node.told(f"/vod/no/{leaf}")
    assert kept == "public, max-age=3600"
    assert (await node.told(f"/live/shut/{leaf}", "DE")) == (title, OWN)
    assert (await node.told(f"/vod/no/{leaf}"))[1] == "public, max-age=3600"
    assert (await node.told(f"/live/shut/{leaf}"))[1] == OWN, "what others see is theirs alone"


async def test_a_cdn_holds_a_copy_for_what_is_left_of_its_life(node: Node) -> None:
    """RFC 9111 section 4.2.1: without an Age, an answer is as young as it says."""
    seen = []
    for later_s in (0, 20, 39.5, 0.25):
        node.clock.advance(later_s)
        seen.append((await node.told("/live/open/x.mpd"))[1])
    assert seen == ["public, max-age=60", "public, max-age=40", OWN, OWN]


def test_viewers_of_a_held_version_are_told_the_same() -> None:
    """Up to its end and beyond, as a stale copy is nobody's to hold."""
    clock = ManualClock()
    asking = Asking({"CDN-A": Pathway("CDN-A", "http://a")})
    asked = asking.read(Request("GET", "/p/CDN-A/live/open/x.mpd"))
    assert asked is not None
    version = Version(MPD, Url.parse("http://o/live/open/x.mpd"), "", 10.0, 10.0)
    press = Press(
        asking,
        Origin("http://o"),
        public_url="http://p",
        steering_url="",
        tokenised=False,
        clock=clock,
        shares=True,
    )
    audience = Audience(asked, version, asking, press, clock)
    audience.know(asked, Spots(), FOREVER_S)

    def told() -> str:
        entity = audience.copy(b"", b"", b"", coded=False)
        assert entity is not None
        return entity.cache_control

    assert told() == "public, max-age=10"
    clock.advance(7)
    assert told() == "public, max-age=3"
    clock.advance(4)
    assert told() == OWN
