"""The proxy over real sockets: token, origin, cohort, answer. The origin is a server of ours."""

import gzip
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest

import cat
from manifest_proxy.admission import session_of
from manifest_proxy.asked import directives
from manifest_proxy.copies import Copies
from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.holes import Template
from native.http import Answer, Entity, Refusal, Request, Server, serve

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])
ISSUER = "headwater"
MASTER = b"#EXTM3U\n" + b"".join(
    b"#EXT-X-STREAM-INF:BANDWIDTH=%d\nv%d/media.m3u8\n" % (n, n) for n in range(1, 20)
)
MPD = b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"><Period id="0"/></MPD>'


@dataclass
class StandIn:
    """An origin that serves what the test puts there and notes what it was asked."""

    pages: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request.path + ("?" + request.query if request.query else ""))
        return self.pages.get(request.path) or Refusal(404, "not_found")

    def put(self, path: str, body: bytes, cache_control: str = "max-age=60") -> None:
        self.pages[path] = Entity(body, content_type="text/plain", cache_control=cache_control)


@dataclass
class World:
    origin: StandIn
    server: Server
    session: aiohttp.ClientSession
    url: str

    async def get(self, path: str, **options: object) -> tuple[int, dict[str, str], bytes]:
        method = str(options.pop("method", "GET"))
        async with self.session.request(method, self.url + path, **options) as answer:  # type: ignore[arg-type]
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, headers, await answer.read()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    origin = StandIn()
    server = await serve(origin, host="127.0.0.1", port=0)
    settings = Settings(
        port=0, origin_url=f"http://127.0.0.1:{server.port}", max_manifest_bytes=8192
    )
    running = parts(settings, KEYS, issuers=(ISSUER,))
    for part in running:
        await part.start()
    listener = running[-1]
    assert isinstance(listener, Listener)
    assert [part.ready() for part in running] == [None, None]
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield World(origin, server, session, f"http://127.0.0.1:{listener.port}")
    for part in reversed(running):
        await part.drain()
        await part.stop()
    await server.close()


def token(prefix: str = "/live/demo/", lives_s: int = 3600, cti: bytes = b"ses_1") -> str:
    claims: dict[str | int, object] = {
        "iss": ISSUER,
        "exp": int(time.time()) + lives_s,
        "cti": cti,
        "catu": {"path": {"prefix": prefix}},
        "catm": ["GET", "HEAD"],
    }
    return cat.issue(claims, KEYS.signer())


async def test_a_personal_master(world: World) -> None:
    world.origin.put("/live/demo/master.m3u8", MASTER)
    mine = token()
    status, headers, body = await world.get(
        f"/p/CDN-B~CDN-A/live/demo/master.m3u8?CAT={mine}", headers={"Accept-Encoding": "identity"}
    )
    assert status == 200
    assert headers["content-type"] == "application/vnd.apple.mpegurl"
    assert headers["cache-control"] == "private, no-store"
    assert headers["access-control-allow-origin"] == "*"
    text = body.decode()
    assert 'SERVER-URI="http://localhost:8004/steer/hls?sid=ses_1",PATHWAY-ID="CDN-B"' in text
    assert text.count(f"http://localhost:8012/cat:{mine}/live/demo/v") == 19
    assert text.count(f"http://localhost:8011/cat:{mine}/live/demo/v") == 19
    assert text.index(":8012/") < text.index(":8011/")
    assert world.origin.asked == ["/live/demo/master.m3u8"], "the origin never sees the token"


async def test_viewers_share_the_fetch_but_not_the_copy(world: World) -> None:
    world.origin.put("/live/demo/manifest.mpd", MPD)
    bodies = []
    for cti in (b"a", b"b"):
        _, headers, body = await world.get(
            f"/p/CDN-A~CDN-B/live/demo/manifest.mpd?CAT={token(cti=cti)}"
        )
        assert headers["content-type"] == "application/dash+xml"
        bodies.append(body)
    assert bodies[0] != bodies[1] and b"sid=a<" in bodies[0] and b"sid=b<" in bodies[1]
    assert len(world.origin.asked) == 1


def test_tags_tell_copies_apart_and_hold_on_every_node() -> None:
    """Equal copies have equal tags wherever they are made; another viewer's has another."""
    template = Template([b"a", 0, b"b", 1])
    one, other = Copies(template, "text/plain"), Copies(Template([b"a", 0, b"b", 1]), "text/plain")
    tags = [one.copy(*pair, coded=False).etag for pair in ((b"t", b"s"), (b"ts", b""), (b"u", b""))]
    assert len(set(tags)) == 3 and other.copy(b"t", b"s", coded=False).etag == tags[0]
    assert (
        Copies(Template([0, b"ab", 1]), "text/plain").copy(b"t", b"s", coded=False).etag not in tags
    )
    shared = Copies(Template([b"x"]), "text/plain")
    assert shared.copy(b"t", b"s", coded=False) is shared.copy(b"u", b"", coded=True)


@pytest.mark.parametrize("good_first", [True, False])
async def test_every_candidate_is_tried_and_the_accepted_one_is_written(
    world: World, good_first: bool
) -> None:
    """CAT-90, CAT-91: header and query, one of them expired."""
    world.origin.put("/live/demo/master.m3u8", MASTER)
    good, old = token(), token(lives_s=-5)
    header, query = (good, old) if good_first else (old, good)
    status, _, body = await world.get(
        f"/p/CDN-A/live/demo/master.m3u8?CAT={query}",
        headers={"CTA-Common-Access-Token": header, "Accept-Encoding": "identity"},
    )
    assert status == 200 and good.encode() in body and old.encode() not in body


async def test_the_token_may_be_a_path_segment(world: World) -> None:
    world.origin.put("/live/demo/manifest.mpd", MPD)
    status, _, _ = await world.get(f"/p/CDN-A/cat:{token()}/live/demo/manifest.mpd")
    assert status == 200 and world.origin.asked == ["/live/demo/manifest.mpd"]


async def test_gzip_when_asked_for(world: World) -> None:
    world.origin.put("/live/demo/master.m3u8", MASTER)
    path = f"/p/CDN-A/live/demo/master.m3u8?CAT={token()}"
    _, plain, body = await world.get(path, headers={"Accept-Encoding": "identity"})
    _, coded, packed = await world.get(path, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain and coded["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == body and len(packed) < len(body) / 2
    status, head, nothing = await world.get(
        path, method="HEAD", headers={"Accept-Encoding": "gzip"}
    )
    assert (status, nothing, head["content-length"]) == (200, b"", str(len(packed)))


@pytest.mark.parametrize(
    "query, status, reason",
    [
        (lambda: "", 401, "missing"),
        (lambda: "?CAT=garbage", 401, "malformed"),
        (lambda: f"?CAT={token(lives_s=-5)}", 401, "expired"),
        (lambda: f"?CAT={token('/live/other/')}", 403, "uri"),
        (lambda: f"?CAT={token()[:-22]}{'A' * 22}", 401, "signature"),
    ],
    ids=["missing", "malformed", "expired", "uri", "signature"],
)
async def test_refusals_of_tokens(
    world: World, query: Callable[[], str], status: int, reason: str
) -> None:
    """CAT-110: code, no-store, and not a byte of the manifest."""
    world.origin.put("/live/demo/master.m3u8", MASTER)
    got, headers, body = await world.get("/p/CDN-A/live/demo/master.m3u8" + query())
    assert (got, headers["cat-reason"], headers["cache-control"]) == (status, reason, "no-store")
    assert json.loads(body)["reason"] == reason
    assert headers["access-control-allow-origin"] == "*"
    assert world.origin.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/live/demo/master.m3u8",
        "/p/CDN-A",
        "/p/CDN-A/live/demo/v1/1.m4s",
        "/p/CDN-A/live/demo/master.m3u8/",
        "/p/CDN-A/live/demo/..%2f..%2fx.m3u8",
        "/p/CDN-Z/live/demo/master.m3u8",
        "/p/CDN-A~CDN-A/live/demo/master.m3u8",
        "/p/~/live/demo/master.m3u8",
    ],
)
async def test_only_manifests_of_known_cohorts_pass(world: World, path: str) -> None:
    status, _, _ = await world.get(f"{path}?CAT={token('/')}")
    assert status in (400, 404)
    assert world.origin.asked == []


async def test_directives_reach_the_origin_and_nothing_else_does(world: World) -> None:
    """HLS-M21: they are part of the key; CMCD and tokens are not."""
    world.origin.put("/live/demo/v1/media.m3u8", b"#EXTM3U\n#EXTINF:1,\n1.m4s\n")
    path = f"/p/CDN-A/live/demo/v1/media.m3u8?_HLS_part=1&CMCD=bl%3D1&CAT={token()}&_HLS_msn=5"
    for _ in range(2):
        _, _, body = await world.get(path)
    assert body.endswith(b"/live/demo/v1/1.m4s\n")
    await world.get(f"/p/CDN-A/live/demo/v1/media.m3u8?start=7&CAT={token()}&sid=x")
    assert world.origin.asked == [
        "/live/demo/v1/media.m3u8?_HLS_msn=5&_HLS_part=1",
        "/live/demo/v1/media.m3u8?start=7",
    ]


@pytest.mark.parametrize(
    "body, code",
    [
        (b"not a playlist", "not_a_playlist"),
        (b"#EXTM3U\n" + b"x" * 9000, "origin_too_large"),
    ],
)
async def test_a_bad_origin_is_a_clean_502(world: World, body: bytes, code: str) -> None:
    world.origin.put("/live/demo/master.m3u8", body)
    status, headers, answer = await world.get(f"/p/CDN-A/live/demo/master.m3u8?CAT={token()}")
    assert (status, json.loads(answer)["error"]) == (502, code)
    assert headers["cache-control"] == "max-age=1"


async def test_a_missing_manifest_stays_missing(world: World) -> None:
    status, _, body = await world.get(f"/p/CDN-A/live/demo/none.mpd?CAT={token()}")
    assert (status, json.loads(body)["error"]) == (404, "origin_status")


async def test_the_time_source_needs_no_token(world: World) -> None:
    status, headers, body = await world.get("/time")
    assert status == 200 and headers["cache-control"] == "no-store"
    assert body.endswith(b"Z") and body[10:11] == b"T"


def test_keys_are_needed_when_tokens_are() -> None:
    with pytest.raises(ValueError, match="token keys"):
        parts(Settings(), None)


def test_sessions_are_named_by_the_token() -> None:
    assert session_of(b"ses_01") == "ses_01"
    assert session_of(b"\x00\xff") == "00ff"
    assert session_of(None) == ""
    assert session_of(b"a" * 65) == (b"a" * 65).hex()


def test_directives_have_one_order() -> None:
    assert directives("b=1&_HLS_skip=YES&end=9&_HLS_msn=1&start=2") == (
        "?_HLS_msn=1&_HLS_skip=YES&end=9&start=2"
    )
    assert directives("") == directives("CMCD=x") == ""
