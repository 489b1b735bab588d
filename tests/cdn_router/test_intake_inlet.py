"""Reports on the short way: whole, in pieces, refused, and those that are the application's."""

import asyncio

import pytest

from cdn_router.inlet import CMCD_HEADERS
from cdn_router.inlet import read as inlet
from cdn_router.server import parts
from cdn_router.settings import Settings
from runtime.service import Web

BODY = b'e=t,sid="s",sn=%d,ts=5,v=2'
HEAD = b"POST /cmcd HTTP/1.1\r\nHost: r\r\nContent-Type: application/cmcd\r\n"


def report(body: bytes, more: bytes = b"") -> bytes:
    return HEAD + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    "request_",
    [
        report(b"x", b"Transfer-Encoding: chunked\r\n"),
        report(b"x", b"Content-Encoding: gzip\r\n"),
        report(b"x", b"Content-Length: 1\r\n"),
        report(b"x", b"Host: s\r\n"),
        report(b"x", b"Connection: close\r\n"),
        report(b"x", b"Expect: 100-continue\r\n"),
        report(b"x").replace(b"application/cmcd", b"text/plain"),
        report(b"x").replace(b"Length: 1", b"Length: +1"),
        report(b"x").replace(b"Length: 1", b"Length: 101"),
        report(b"x").replace(b"Length: 1", b"Length : 1"),
        report(b"x").replace(b"Host: r\r\n", b""),
        report(b"x").replace(b"/cmcd", b"/cmcd?a"),
        report(b"x").replace(b"1.1", b"1.0"),
        report(b"x").replace(b"POST", b"PUT"),
    ],
)
def test_the_unusual_is_the_applications(request_: bytes) -> None:
    assert inlet(report(b"x"), 0, 8192, 100) is not None
    assert inlet(request_, 0, 8192, 100) is None


async def test_reports_over_one_connection_whole_in_pieces_and_refused() -> None:
    listener = parts(Settings(port=0, cmcd_per_peer=1))[-1]
    assert isinstance(listener, Web)
    await listener.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)

    async def answer() -> tuple[bytes, bytes]:
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.find(b"Content-Length: ")
        size = 0 if at < 0 else int(head[at + 16 :].split(b"\r\n")[0])
        return head, await reader.readexactly(size)

    writer.write(report(BODY % 0) + report(BODY % 1))
    for _ in range(2):
        head, body = await answer()
        assert head.startswith(b"HTTP/1.1 204 ") and body == b""
        for name, value in CMCD_HEADERS.items():
            assert f"{name}: {value}\r\n".encode() in head
    whole = report(BODY % 2)
    for at in range(len(whole) - 20, len(whole)):
        writer.write(whole[:at] if at == len(whole) - 20 else b"")
        writer.write(whole[at : at + 1])
        await writer.drain()
        await asyncio.sleep(0)
    assert (await answer())[0].startswith(b"HTTP/1.1 204 ")
    writer.write(report(b"=") + report(b"\n".join([BODY % 9] * 50)))
    assert b'"no_record"' in (await answer())[1]
    head, body = await answer()
    assert head.startswith(b"HTTP/1.1 429 ") and b"Retry-After: 5" in head and b'"rate"' in body
    writer.write(b"GET /v1/sessions/s HTTP/1.1\r\nHost: r\r\n\r\n")
    head, body = await answer()
    assert head.startswith(b"HTTP/1.1 200 ") and b'"reports": 3' in body
    writer.close()
    await listener.drain()
    await listener.stop()
