"""One object in the making behind a port, and clients that read it."""

import asyncio
import socket

from native_http.port_rig import DEADLINE_S, GOOD, Site

from native.http import Answer, Growing, Request

ENDLESS = b"9007199254740991"  # RFC 8673 2.2: what players send


def growing() -> Growing:
    return Growing("video/mp4", cache_control="max-age=1", headers=[("X-Track", "v1")])


class Channel:
    """A handler with one object in the making; /free is an entity."""

    def __init__(self) -> None:
        self.segment = growing()

    def __call__(self, request: Request) -> Answer:
        return GOOD if request.path == "/free" else self.segment

    async def read_by(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.segment.readers != count:
                await asyncio.sleep(0.001)


def request(field: bytes = b"", method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    return method + b" / HTTP/" + version + b"\r\nHost: a\r\n" + field + b"\r\n"


async def until(site: Site, client: socket.socket, ending: bytes) -> bytes:
    got = b""
    while not got.endswith(ending):
        piece = await site.take(client)
        if not piece:
            raise EOFError(got)
        got += piece
    return got


async def rest(site: Site, client: socket.socket) -> bytes:
    got = b""
    while piece := await site.take(client):
        got += piece
    return got


def dechunked(coded: bytes) -> bytes:
    body = b""
    while coded:
        size, _, coded = coded.partition(b"\r\n")
        length = int(size, 16)
        assert coded[length : length + 2] == b"\r\n"
        body, coded = body + coded[:length], coded[length + 2 :]
    return body
