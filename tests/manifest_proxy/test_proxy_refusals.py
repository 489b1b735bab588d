"""Over sockets: every way to a forbidden address and every hostile manifest is one clean refusal
with a reason, quick, and counted (MP-34, MP-80..MP-83, DASH-M20, HLS-M1).
"""

import gzip
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from prometheus_client import REGISTRY

from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from native.http import Answer, Entity, Refusal, Request, serve

Ask = Callable[[str], Awaitable[tuple[int, dict[str, Any], bytes]]]
CAP_BYTES = 2 << 20
HTTP_LIMIT_S = 5  # of processor time: squared work on a megabyte takes minutes
LONG = b"x" * (1 << 20)
BOMB = gzip.compress(b"#EXTM3U\n" + bytes(32 << 20), 1)

# What the origin sends, and the code that a viewer's 502 carries.
HOSTILE = {
    "xxe.mpd": (
        b'<!DOCTYPE M [<!ENTITY x SYSTEM "http://169.254.169.254/">]><MPD>&x;</MPD>',
        "xml_doctype",
    ),
    "laughs.mpd": (
        b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "%b">]><MPD>&b;</MPD>' % (b"&a;" * 9999),
        "xml_doctype",
    ),
    "nul.mpd": (b"<MPD>\0</MPD>", "xml_malformed"),
    "deep.mpd": (b"<a>" * 99_999, "xml_malformed"),
    "cut.mpd": (b"<MPD><Period", "xml_malformed"),
    "page.mpd": (b"<html><body>login</body></html>", "not_an_mpd"),
    "utf16.mpd": ("<MPD/>".encode("utf-16"), "xml_encoding"),
    "page.m3u8": (b"<html><body>login</body></html>", "not_a_playlist"),
    "empty.m3u8": (b"", "not_a_playlist"),
    "nul.m3u8": (b"\0" * 999, "not_a_playlist"),
    "null.m3u8": (b"#EXTM3U\n#EXTINF:1,\0\nhttp://x/1.ts\n", "control_character"),
    "both.m3u8": (
        b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n#EXTINF:1,\n1\n",
        "mixed_playlist",
    ),
    "large.m3u8": (b"#EXTM3U\n" + b"#" * CAP_BYTES, "origin_too_large"),
}
# What is no playlist of this world but well-formed: it passes, with every byte that no URI is in.
ODD = {
    "crlf.m3u8": b"#EXTM3U\r\n#EXTINF:1,\r\nhttp://x/1.ts\r\n\r\n",
    "line.m3u8": b"#EXTM3U\n#EXT-X-LONG:" + LONG + b"\n#EXTINF:1,\nhttp://x/1.ts\n",
}
REDIRECTS = (
    "http://169.254.169.254/x.m3u8",
    "http://[fd00:ec2::254]/x.m3u8",
    "http://[::ffff:127.0.0.1]/x.m3u8",
    "http://2130706433/x.m3u8",
    "http://0x7f.1/x.m3u8",
    "http://0177.0.0.1/x.m3u8",
    "//evil.example/x.m3u8",
    "http://media.example@evil.example/x.m3u8",
    "http://media.example.evil.example/x.m3u8",
    "file:///etc/passwd",
    "gopher://evil.example/",
)


class Origin:
    """Pages by name; every path that was asked for is noted."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.redirect = ""

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request.path)
        name = request.path.rpartition("/")[2]
        if name == "moved.m3u8":
            headers = [("Location", self.redirect)]
            return Entity(
                b"", content_type="t/p", cache_control="no-store", status=302, headers=headers
            )
        if name == "bomb.m3u8":
            coding = [("Content-Encoding", "gzip")]
            return Entity(BOMB, content_type="t/p", cache_control="no-store", headers=coding)
        body = HOSTILE[name][0] if name in HOSTILE else ODD.get(name)
        if body is None:
            return Refusal(404, "not_found")
        return Entity(body, content_type="t/p", cache_control="no-store")


class Names(AbstractResolver):
    """A name server of ours that changes its mind: each question gets the next answer."""

    def __init__(self, *answers: str) -> None:
        self.answers = [*answers]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        family = socket.AF_INET6 if ":" in found else socket.AF_INET
        return [
            ResolveResult(hostname=host, host=found, port=port, family=family, proto=0, flags=0)
        ]

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as stack:
        origin = Origin()
        server = await serve(origin, host="127.0.0.1", port=0)
        stack.push_async_callback(server.close)
        client = await stack.enter_async_context(aiohttp.ClientSession())

        async def run(*answers: str, host: str = "127.0.0.1") -> tuple[Origin, Ask]:
            if answers:
                monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: Names(*answers))
            settings = Settings(
                port=0,
                origin_url=f"http://{host}:{server.port}",
                steering_url="",
                require_token=False,
                max_manifest_bytes=CAP_BYTES,
            )
            running = parts(settings, None)
            for part in running:
                await part.start()
                stack.push_async_callback(part.stop)
            listener = running[-1]
            assert isinstance(listener, Listener)

            async def ask(leaf: str) -> tuple[int, dict[str, Any], bytes]:
                url = f"http://127.0.0.1:{listener.port}/p/CDN-A/live/c/{leaf}"
                async with client.get(url) as answer:
                    body = await answer.read()
                    told = json.loads(body) if answer.status >= 400 else {}
                    return answer.status, told, body

            return origin, ask

        yield run


def counted(code: str) -> float:
    """Fetches that ended so."""
    return REGISTRY.get_sample_value("headwater_proxy_origin_fetches_total", {"outcome": code}) or 0


async def test_hostile_manifests_are_one_reason_each(proxy: Any) -> None:
    _, ask = await proxy()
    begun_s = time.process_time()
    for name, (_, code) in HOSTILE.items():
        status, told, _ = await ask(name)
        assert (status, told["error"]) == (502, code), name
    assert time.process_time() - begun_s < HTTP_LIMIT_S


async def test_a_bomb_ends_at_the_size_limit(proxy: Any) -> None:
    _, ask = await proxy()
    status, told, _ = await ask("bomb.m3u8")
    assert (status, told["error"]) == (502, "origin_too_large")


async def test_odd_but_well_formed_ones_keep_their_bytes(proxy: Any) -> None:
    _, ask = await proxy()
    for name, data in ODD.items():
        assert await ask(name) == (200, {}, data), name


async def test_redirects_away_are_refused_and_counted(proxy: Any) -> None:
    origin, ask = await proxy()
    before = counted("origin_redirect")
    for at, there in enumerate(REDIRECTS, 1):
        origin.redirect = there
        status, told, _ = await ask("moved.m3u8")
        assert (status, told["error"]) == (502, "origin_redirect"), there
        assert counted("origin_redirect") == before + at
    assert {path.rpartition("/")[2] for path in origin.asked} == {"moved.m3u8"}


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "169.254.169.254", "10.0.0.1", "100.100.100.200", "192.0.0.192", "0.0.0.0"),
        *(
            "::1",
            "::ffff:127.0.0.1",
            "fd00:ec2::254",
            "fe80::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ),
    ],
)
async def test_names_of_forbidden_addresses_are_refused_and_counted(
    proxy: Any, address: str
) -> None:
    """Also when a good answer came first: it is the one that is connected to that counts."""
    origin, ask = await proxy(address, host="media.example")
    before = counted("origin_address_refused")
    status, told, _ = await ask("crlf.m3u8")
    assert (status, told["error"]) == (502, "origin_address_refused")
    assert counted("origin_address_refused") == before + 1
    assert origin.asked == []
