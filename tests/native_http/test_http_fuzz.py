"""Seeded mutations of request heads over real sockets, in random pieces, left in every way."""

import asyncio
import contextlib
import os
import random
import re
import socket
from collections.abc import AsyncIterator, Awaitable

import pytest
from native_http.port_rig import DEADLINE_S, GET, GOOD, Site, run

from native.http import Answer, Entity, Hot, Limits, Request, Stream

CONNECTIONS = 4000
TEXT = Entity(b"text" * 9000, content_type="a/b", cache_control="max-age=1", gzip=b"coded")
MEDIA = Entity(bytes(40_000), content_type="a/b", cache_control="max-age=1", last_modified=10**9)
SEEDS = [
    b'GET /hot HTTP/1.1\r\nHost: a.example:80\r\nRange: bytes=5-90\r\nIf-Range: "x"\r\n\r\n',
    b"GET /text?a=1&_HLS_msn=4 HTTP/1.1\r\nHost: [::1]:8\r\nAccept-Encoding: gzip;q=0.5\r\n\r\n",
    b'HEAD /late HTTP/1.1\r\nHost: a\r\nIf-None-Match: W/"a", *\r\nConnection: close\r\n\r\n',
    b"GET http://a/stream%41 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
    b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    b"GET /raise HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
]
PARTS = [b"\r", b"\n", b"\0", b" ", b":", b"%2f", b"\xff", b",", b'"', b"HTTP/1.1", b"a" * 9000]


def mutate(chance: random.Random) -> bytes:
    """One to five requests, with up to four changes."""
    data = bytearray(b"".join(chance.choices(SEEDS, k=chance.randint(1, 5))))
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at:at] = chance.choice(PARTS)
            case 2:
                del data[at : at + chance.randint(1, 20)]
            case _:
                data[at:at] = data[at : at + chance.randint(1, 300)]
    return bytes(data)


async def chunks() -> AsyncIterator[bytes]:
    for _ in range(3):
        await asyncio.sleep(0)
        yield b"chunk" * 4000


async def late() -> Answer:
    await asyncio.sleep(0)
    return MEDIA


def answer(request: Request) -> Answer | Awaitable[Answer]:
    match request.path:
        case "/late":
            return late()
        case "/raise":
            raise LookupError(request.header("host"))
        case "/text":
            return TEXT
    if request.path.startswith("/stream"):
        return Stream(chunks(), content_type="a/b", cache_control="no-store")
    return GOOD


async def play(site: Site, chance: random.Random) -> None:
    """Send one mutated stream and leave: behind a FIN, with an RST, or not reading at all."""
    loop, data, at = asyncio.get_running_loop(), mutate(chance), 0
    client = await site.connect()
    way = chance.randrange(3)
    with client, contextlib.suppress(ConnectionError):
        while at < len(data):
            size = chance.choice((1, 7, 100, 20_000))
            await loop.sock_sendall(client, data[at : at + size])
            at += size
        if way == 0:
            client.shutdown(socket.SHUT_WR)
            got = await site.take(client)
            assert not got or re.match(rb"HTTP/1\.1 [2-5]\d\d [A-Z]", got), (data, got)
        elif way == 1:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    site.clients.remove(client)


@pytest.mark.slow
def test_mutated_requests_leave_a_sound_port() -> None:
    hot = Hot()
    hot.put("/hot", MEDIA)
    chance = random.Random(20261121)

    async def scenario(site: Site) -> None:
        await site.ask(await site.connect(), GET)
        site.clients.pop().close()
        await site.counted("connections_open", 0)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(CONNECTIONS // 10):
            await asyncio.gather(*[play(site, chance) for _ in range(10)])
        async with asyncio.timeout(DEADLINE_S):
            while site.server.counters()["connections_open"]:
                site.tick(1)
                await asyncio.sleep(0.001)
        assert len(os.listdir("/proc/self/fd")) <= before + 2  # bodies that became hot
        assert (await site.ask(await site.connect(), GET)).endswith(b"good")
        assert site.server.counters()["requests"] > CONNECTIONS // 4

    faults = run(scenario, answer, hot, limits=Limits(per_address=0, hold_s=2.0))
    assert {type(fault) for fault in faults} == {LookupError}
