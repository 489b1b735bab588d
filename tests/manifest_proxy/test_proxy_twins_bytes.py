"""Two nodes with the same secret and rules write the same bytes for a session: masters, playlists,
MPDs, patches, plain and gzipped, before and after a restart (MP-45, MP-46, MP-62, P5, HLS-M8).
"""

import gzip
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from proxy_rigs.channel import Channel

import cat
from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.http import Answer, Entity, Request, serve

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])
RULES = """[[rules]]
name = "r"
paths = ["/live/c/*"]
playlists = "proxy"
carrier = "query"
bumper = { folder = "/vod/b", reference = "v0/media.m3u8" }
[rules.video]
height = "..90"
"""
PATCH = b"""<Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" mpdId="c"
 originalPublishTime="2026-01-01T00:00:00Z" publishTime="2026-01-01T00:00:01Z">
<replace sel="/MPD/PatchLocation[1]"><PatchLocation ttl="60">/live/d/manifest-2.mpp</PatchLocation>
</replace></Patch>"""


class Nodes:
    """Proxies that share rules, secret and origin, and nothing in memory."""

    def __init__(self, settings: Settings, client: aiohttp.ClientSession) -> None:
        self._settings, self._client = settings, client
        self._running: list[Listener] = []

    async def start(self, stack: AsyncExitStack) -> None:
        running = parts(self._settings, KEYS, issuers=("me",))
        for part in running:
            await part.start()
            stack.push_async_callback(part.stop)
        listener = running[-1]
        assert isinstance(listener, Listener)
        self._running.append(listener)

    async def all(self, path: str) -> bytes:
        """The body that every node gives, plain and gzipped."""
        bodies = set()
        for node in self._running:
            for coding in ("identity", "gzip"):
                url = f"http://127.0.0.1:{node.port}{path}"
                async with self._client.get(url, headers={"Accept-Encoding": coding}) as answer:
                    body = await answer.read()
                    assert answer.status == 200, (path, body)
                    packed = answer.headers.get("Content-Encoding") == "gzip"
                    bodies.add(gzip.decompress(body) if packed else body)
        assert len(bodies) == 1, path
        return bodies.pop()


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[tuple[Nodes, AsyncExitStack, Channel]]:
    channel = Channel(time.time() - 100)
    channel.silent_s = channel.began_s + 90

    def origin(request: Request) -> Answer:
        if request.path.endswith(".mpp"):
            return Entity(PATCH, content_type="text/plain", cache_control="max-age=0")
        return channel(request)

    (tmp_path / "r.toml").write_text(RULES)
    async with AsyncExitStack() as stack:
        server = await serve(origin, host="127.0.0.1", port=0)
        stack.push_async_callback(server.close)
        settings = Settings(
            port=0,
            origin_url=f"http://127.0.0.1:{server.port}",
            rules_file=tmp_path / "r.toml",
            session_secret="s3cret",  # type: ignore[arg-type]
            stale_while_revalidate_s=0,
        )
        client = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        found = Nodes(settings, client)
        for _ in range(2):
            await found.start(stack)
        yield found, stack, channel


def token(lives_s: int = 600) -> str:
    claims = {"iss": "me", "exp": int(time.time()) + lives_s, "cti": b"ses_1"}
    return cat.issue(claims, KEYS.signer())


def playlists(master: bytes) -> list[str]:
    """Paths of what a master names, as a viewer asks this proxy for them."""
    return re.findall(r"^http://localhost:8003(\S+)", master.decode(), re.M)


async def test_every_form_is_the_same_on_every_node_and_after_a_restart(
    nodes: tuple[Nodes, AsyncExitStack, Channel],
) -> None:
    found, stack, channel = nodes
    mine = token()
    first = f"/p/CDN-A~CDN-B/live/c/%s?filter=audio.languages%%3Dde&CAT={mine}"
    master, mpd = await found.all(first % "master.m3u8"), await found.all(first % "manifest.mpd")
    children = playlists(master)
    assert len(children) == 2 and all("/s:" in one and "/live/c/v0/" in one for one in children)
    (there,) = re.findall(rb"<Location>http://localhost:8003([^<]+)", mpd)
    again = there.decode().replace("&amp;", "&")
    before = [await found.all(url) for url in (*children, again)]
    assert before[2] == mpd, "a session's MPD is the same at its Location"
    await found.start(stack)
    assert [await found.all(url) for url in (*children, again)] == before
    assert channel.silent_s is not None
    channel.silent_s += 3
    await found.start(stack)
    after = [await found.all(url) for url in (*children, again)]
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert numbered(before[0]).items() <= numbered(after[0]).items(), "HLS-M8"


async def test_another_token_changes_nothing_but_itself(
    nodes: tuple[Nodes, AsyncExitStack, Channel],
) -> None:
    """MP-60: paths as written stay; a session is the viewer's, not the token's."""
    found, _, _ = nodes
    one, other = token(), token(lives_s=900)
    path = "/p/CDN-A/live/c/master.m3u8?CAT="
    (child,) = playlists(await found.all(path + one))
    renewed = child.replace(one, other)
    assert child != renewed
    text = await found.all(child)
    assert text.count(one.encode()) > 3
    assert text.replace(one.encode(), other.encode()) == await found.all(renewed)


async def test_patches_are_the_same(nodes: tuple[Nodes, AsyncExitStack, Channel]) -> None:
    found, _, _ = nodes
    path = f"/p/CDN-A/live/d/manifest-1.mpp?CAT={token()}"
    body = await found.all(path)
    assert b"http://localhost:8003/p/CDN-A" in body and b"manifest-2.mpp" in body


def numbered(playlist: bytes) -> dict[int, str]:
    """The path of each number, without what a renewal changes."""
    found = re.search(rb"#EXT-X-MEDIA-SEQUENCE:([0-9]+)", playlist)
    assert found is not None
    lines = [line.partition("?")[0] for line in playlist.decode().splitlines()]
    uris = [line for line in lines if line and not line.startswith("#")]
    return dict(enumerate(uris, int(found[1])))
