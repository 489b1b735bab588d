"""Viewers answered before a request is cut: the octets of the long way, and only where it would."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from yarl import URL

import cat
from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.http import Entity, Request, serve
from native.personal import Viewers
from runtime.clock import SystemClock

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])
MEDIA = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + b"".join(
    b"#EXTINF:2.0,\n%d.m4s\n" % number for number in range(60)
)
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
PAGES = {"/live/demo/v1/media.m3u8": MEDIA, "/live/demo/master.m3u8": MASTER}


def token(**claims: Any) -> str:
    usual = {
        "iss": "headwater",
        "exp": int(time.time()) + 3600,
        "cti": b"ses_1",
        "catu": {"path": {"prefix": "/live/demo/"}},
    }
    return cat.issue(usual | claims, KEYS.signer())


@dataclass
class Nodes:
    """One proxy with the short way, one without, before one origin."""

    short: Listener
    long: Listener
    http: aiohttp.ClientSession

    async def both(self, path: str, method: str = "GET", **headers: str) -> list[Any]:
        """Status, headers and body of both; the second answer of each, so that the first held."""
        found = []
        for node in (self.short, self.long):
            for _ in range(2):
                url = f"http://127.0.0.1:{node.port}{path}"
                async with self.http.request(method, url, headers=headers) as answer:
                    kept = {k.lower(): v for k, v in answer.headers.items() if k != "Date"}
                    body = await answer.read()
            found.append((answer.status, kept, body))
        return found

    @property
    def viewers(self) -> Viewers:
        desk = self.short._desk
        assert isinstance(desk, Viewers)
        return desk

    @property
    def answered(self) -> int:
        return sum(self.viewers.counts().values())


@pytest.fixture
async def nodes() -> AsyncIterator[Nodes]:
    def origin(request: Request) -> Entity:
        return Entity(PAGES[request.path], content_type="text/plain", cache_control="max-age=60")

    server = await serve(origin, host="127.0.0.1", port=0)
    settings = Settings(port=0, origin_url=f"http://127.0.0.1:{server.port}")
    running = []
    for options in ({}, {"clock": SystemClock()}):
        running += parts(settings, KEYS, issuers=("headwater",), **options)  # type: ignore[arg-type]
    for part in running:
        await part.start()
    short, long = (part for part in running if isinstance(part, Listener))
    assert long._desk is None
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        yield Nodes(short, long, http)
    for part in reversed(running):
        await part.drain()
        await part.stop()
    await server.close()


IN_PATH = "/p/CDN-A/cat:{}/live/demo/v1/media.m3u8"
IN_QUERY = "/p/CDN-A~CDN-B/live/demo/master.m3u8?CAT={}"


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        (IN_PATH, "GET", {"Accept-Encoding": "identity"}),
        (IN_PATH, "GET", {"Accept-Encoding": "gzip"}),
        (IN_PATH, "HEAD", {}),
        (IN_QUERY, "GET", {}),
        (IN_QUERY, "GET", {"Origin": "https://player.example"}),
    ],
)
async def test_the_short_way_answers_as_the_long_one(
    nodes: Nodes, path: str, method: str, headers: dict[str, str]
) -> None:
    mine = token()
    short, long = await nodes.both(path.format(mine), method, **headers)
    assert short == long and short[0] == 200
    assert nodes.answered == 1
    tag = short[1]["etag"]
    short, long = await nodes.both(path.format(mine), **headers | {"If-None-Match": tag})
    assert short == long and short[0] == 304


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda path: path.replace("media", "%6dedia").replace("master", "%6daster"),
        lambda path: path + ("&" if "?" in path else "?") + "x=1",
        lambda path: path + ("&" if "?" in path else "?") + "_HLS_msn=1",
        lambda path: path.replace("CAT=", "cat=").replace("cat:", "cat%3A"),
        lambda path: path.replace("CDN-A", "CDN-B", 1),
    ],
)
@pytest.mark.parametrize("path", [IN_PATH, IN_QUERY])
async def test_another_url_is_not_taken_for_one_that_is_held(
    nodes: Nodes, path: str, spoilt: Callable[[str], str]
) -> None:
    mine = token()
    await nodes.both(path.format(mine))
    before = nodes.answered
    url = f"http://127.0.0.1:{nodes.short.port}"
    async with nodes.http.get(URL(url + spoilt(path.format(mine)), encoded=True)):
        assert nodes.answered == before


@pytest.mark.parametrize("path", [IN_PATH, IN_QUERY])
@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1}, "expired"),
        ({"catu": {"path": {"prefix": "/other/"}}}, "uri"),
        ({"iss": "stranger"}, "issuer"),
        ({"catm": ["HEAD"]}, "method"),
        ({"catnip": (64512,)}, "network"),
    ],
)
async def test_a_token_is_judged_on_each_request(
    nodes: Nodes, path: str, claims: dict[str, Any], reason: str
) -> None:
    await nodes.both(path.format(token()))
    before = nodes.answered
    short, long = await nodes.both(path.format(token(**claims)))
    assert short == long and short[0] in (401, 403), reason
    forged = token()[:-6] + "AAAAAA"
    short, long = await nodes.both(path.format(forged))
    assert short == long and short[0] in (401, 403)
    assert nodes.answered == before


@pytest.mark.parametrize("name", ["CTA-Common-Access-Token", "Cookie"])
async def test_a_second_token_is_the_long_ways(nodes: Nodes, name: str) -> None:
    """CAT-91: every candidate is tried, so one beside the URL's is not overlooked."""
    await nodes.both(IN_PATH.format(token()))
    before = nodes.answered
    text = f"CTA-Common-Access-Token={token()}" if name == "Cookie" else token()
    short, long = await nodes.both(IN_PATH.format(token(exp=1)), **{name: text})
    assert short == long and short[0] == 200
    assert nodes.answered == before


async def test_a_claim_on_headers_finds_none_on_the_short_way(nodes: Nodes) -> None:
    wants = token(cath={"x-app": {"exact": "tv"}})
    for headers in ({}, {"X-App": "tv"}, {"X-App": "web"}):
        short, long = await nodes.both(IN_PATH.format(wants), **headers)
        assert short == long and (short[0] == 200) == (headers == {"X-App": "tv"})
    assert nodes.answered == 0


async def test_each_viewer_gets_an_own_copy(nodes: Nodes) -> None:
    tokens = [token(cti=name) for name in (b"a", b"b")]
    bodies = [(await nodes.both(IN_QUERY.format(one)))[0][2] for one in tokens]
    assert all(one.encode() in body for one, body in zip(tokens, bodies, strict=True))
    assert b"sid=a" in bodies[0] and b"sid=b" in bodies[1]
    assert nodes.answered == 3, "the second viewer needed no long way at all"


async def test_what_is_held_ends_with_the_version_and_with_the_rules() -> None:
    viewers = Viewers(lambda *_: None, lambda _: b"", 2)
    held = ("/p/A/cat:t/m.m3u8", "t", "", lambda *_, **__: None, "http://x/m.m3u8", False)
    assert viewers.hold(*held, 60.0)
    assert not viewers.hold("/p/A/m.m3u8", "t", "x=1&CAT=t", *held[3:], 60.0)
    assert not viewers.hold("/p/A/m.m3u8", "t", "", *held[3:], 60.0)
    viewers.clear()
    assert viewers.counts() == {None: 0}
