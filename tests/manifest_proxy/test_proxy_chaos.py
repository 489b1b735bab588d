"""Faults on purpose, by rung, number and share (MP-22)."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import m3u8
import pytest

from manifest_proxy.errors import ManifestError
from manifest_proxy.hls_chaos import is_unlucky, spoiled
from manifest_proxy.rulebook import Chaos
from manifest_proxy.selection import Span
from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.http import Answer, Entity, Refusal, Request, serve

HEAD = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/media.m3u8\n"
RULES = """[[rules]]
name = "r"
paths = ["/live/*"]
[[rules.chaos]]
playlists = ["*/v1/*"]
numbers = "3..4"
status = 503
[[rules.chaos]]
playlists = ["*/x.mpd"]
delay_s = 0.2
"""


def media(first: int, count: int = 8) -> bytes:
    body = "".join(f"#EXTINF:1,\r\n{n}.m4s\r\n" for n in range(first, first + count))
    return HEAD + b"#EXT-X-MEDIA-SEQUENCE:%d\n" % first + body.encode()


def test_the_bytes_of_a_spoiled_playlist() -> None:
    chaos = [Chaos(numbers=Span(6, 7), status=404), Chaos(numbers=Span(7, 8), status=503)]
    wanted = media(5)
    for number, status in ((6, 404), (7, 404), (8, 503)):
        wanted = wanted.replace(b"\n%d.m4s" % number, b"\nhttp://p/c/%d/%d" % (status, number))
    assert spoiled(media(5), chaos, "http://p/c") == wanted
    assert spoiled(media(5), [Chaos(delay_s=1)], "http://p/c") == media(5)
    with pytest.raises(ManifestError, match="delta"):
        spoiled(HEAD + b"#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n", chaos, "http://p/c")


def test_a_share_is_drawn_by_seed_alike_everywhere() -> None:
    def drawn(seed: int) -> list[int]:
        chaos = Chaos(share=0.25, seed=seed, status=500)
        return [number for number in range(2000) if is_unlucky(chaos, number)]

    assert 400 < len(drawn(1)) < 600 and drawn(1) == drawn(1) != drawn(2)


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[tuple[int, str]]]]:
    pages = {"master.m3u8": MASTER, "v1/media.m3u8": media(1), "v2/media.m3u8": media(1)}
    pages["x.mpd"] = b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period id="1"/></MPD>'

    def origin(request: Request) -> Answer:
        body = pages.get(request.path.split("/", 3)[3])
        if body is None:
            return Refusal(404, "not_found")
        return Entity(body, content_type="text/plain", cache_control="max-age=60")

    (tmp_path / "r.toml").write_text(RULES)
    async with AsyncExitStack() as stack:
        server = await serve(origin, host="127.0.0.1", port=0)
        stack.push_async_callback(server.close)
        settings = Settings(
            port=0,
            origin_url=f"http://127.0.0.1:{server.port}",
            steering_url="",
            require_token=False,
            rules_file=tmp_path / "r.toml",
        )
        running = parts(settings, None)
        for part in running:
            await part.start()
            stack.push_async_callback(part.stop)
        listener = running[-1]
        assert isinstance(listener, Listener)
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def get(path: str) -> tuple[int, str]:
            path = path.replace("http://localhost:8003", "")
            async with session.get(f"http://127.0.0.1:{listener.port}{path}") as answer:
                return answer.status, await answer.text()

        yield get


async def test_segments_of_a_rung_fail_with_their_status(ask: Any) -> None:
    _, master = await ask("/p/CDN-A/live/c/master.m3u8")
    _, text = await ask(master.splitlines()[-1])
    uris = [segment.uri for segment in m3u8.loads(text).segments]
    assert [uri.startswith("http://localhost:8003/chaos/503/") for uri in uris] == [
        *[False] * 2,
        *[True] * 2,
        *[False] * 4,
    ]
    assert await ask(uris[2]) == (503, (await ask(uris[3]))[1])
    assert (await ask("/chaos/200/1"))[0] == (await ask("/chaos/x"))[0] == 404
    for path in ("/p/CDN-A/live/c/v2/media.m3u8", "/p/CDN-A/vod/c/v1/media.m3u8"):
        assert "/chaos/" not in (await ask(path))[1], "off where no rule asks for it"


async def test_an_mpd_comes_late(ask: Any) -> None:
    for _ in range(2):
        begun = time.monotonic()
        assert (await ask("/p/CDN-A/live/c/x.mpd"))[0] == 200
        assert time.monotonic() - begun >= 0.2
