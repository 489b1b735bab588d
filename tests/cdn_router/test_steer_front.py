"""The short way of polls: what it answers, what it hands on, how its connections end."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn_router import polls, report
from cdn_router.front import Front
from cdn_router.server import parts
from cdn_router.settings import Settings
from runtime.service import Web
from runtime.shortway import ShortWay

HOST = b"Host: r\r\n"
KNOWN = {"CDN-A", "alpha"}


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.ended = ""
        self.heir: Heir | None = None

    def get_extra_info(self, _name: str) -> None:
        return None

    def write(self, data: bytes) -> None:
        self.written += data

    def set_protocol(self, heir: "Heir") -> None:
        self.heir = heir

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = "closed"


class Heir(asyncio.Protocol):
    def __init__(self) -> None:
        self.got = b""

    def data_received(self, data: bytes) -> None:
        self.got += data


async def told(*chunks: bytes) -> tuple[Wire, ShortWay]:
    reader = Front(lambda protocol, query: f"{protocol} {query}".encode(), {"A": "b"}, lambda: 0)
    front, wire = ShortWay(reader), Wire()
    connection = front.before(Heir)()
    connection.connection_made(wire)  # type: ignore[arg-type]
    for chunk in chunks:
        (wire.heir or connection).data_received(chunk)
    front.close()
    if wire.heir is None:
        connection.connection_lost(None)
    return wire, front


async def test_polls_in_a_row_are_answered_in_one_write() -> None:
    ask = b"GET /steer/hls?ss=1 HTTP/1.1\r\n" + HOST + b"Connection: keep-alive\r\n\r\n"
    wire, front = await told(ask + ask.replace(b"hls?ss=1", b"dash"))
    assert wire.written == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: headwater\r\nA: b\r\n"
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 8\r\n\r\nhls ss=1"
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: headwater\r\nA: b\r\n"
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 5\r\n\r\ndash "
    )
    assert wire.ended == "closed" and wire.heir is None and not front.connections


@pytest.mark.parametrize(
    "octets",
    [
        b"POST /steer/hls HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /v1/moves HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /steer/hls HTTP/1.0\r\n" + HOST + b"\r\n",
        b"GET /steer/hls HTTP/1.1\r\n\r\n",
        b"GET /steer/hls HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
        b"GET /steer/hls HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
        b"GET /steer/hls HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n",
        b"GET /steer/hls HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
        b"GET /steer/hls HTTP/1.1\r\n" + HOST + b"connection: keep-alive, upgrade\r\n\r\n",
        b"GET /steer/hls HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\n\r\n",
        b"GET /steer/hls HTTP/1.1\r\n" + HOST + b" folded\r\n\r\n",
        b"GET /steer/hls HTTP/1.1\n" + HOST + b"\r\n",
        b"GET /steer/hls?" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /other HTTP/1.1\n" + HOST.replace(b"\r", b"") + b"\n",
    ],
)
async def test_everything_else_is_the_servers_for_good(octets: bytes) -> None:
    poll = b"GET /steer/hls HTTP/1.1\r\n" + HOST + b"\r\n"
    wire, front = await told(poll, poll + octets, b"more")
    assert wire.written.count(b"200 OK") == 2
    assert wire.heir is not None and wire.heir.got == octets + b"more"
    assert not front.connections


@pytest.mark.parametrize("path", [b"/steer/hls", b"/other"])
async def test_a_head_may_come_in_pieces(path: bytes) -> None:
    poll = b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    wire, _ = await told(poll[:1], *(poll[n : n + 1] for n in range(1, len(poll))))
    if path == b"/other":
        assert wire.heir is not None and (wire.heir.got, wire.written) == (poll, b"")
    else:
        assert wire.heir is None and wire.written.count(b"200 OK") == 1


async def test_a_fault_of_ours_is_told_and_leaves_the_connection() -> None:
    """ST-20, ST-21: players poll again after a 500."""

    def fail(*_: object) -> bytes:
        raise KeyError("hunter2")

    front, wire = ShortWay(Front(fail, {}, lambda: 0, fail)), Wire()
    connection = front.before(Heir)()
    connection.connection_made(wire)  # type: ignore[arg-type]
    for ask in (
        b"GET /steer/hls HTTP/1.1\r\n" + HOST + b"\r\n",
        b"POST /cmcd HTTP/1.1\r\nContent-Type: text/cmcd\r\nContent-Length: 1\r\n"
        + HOST
        + b"\r\nx",
    ):
        wire.written = b""
        connection.data_received(ask)
        assert wire.written.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert wire.written.endswith(b'\r\n\r\n{"error": "internal"}')
    assert not wire.ended and wire.heir is None
    connection.connection_lost(None)
    front.close()


@given(
    st.tuples(
        st.sampled_from(["ss=v1.a.b", "ss=", "sid=s", "SS=x"]),
        st.sampled_from(["", "&_HLS_pathway=", "&_HLS_pathway=%22", "&_DASH_pathway="]),
        st.sampled_from(["CDN-A", "alpha", ".", "", "no such", "%43DN-A", "x" * 65, "a+b"]),
        st.sampled_from(["", "%22"]),
        st.sampled_from(["", "&_HLS_throughput=", "&_DASH_throughput="]),
        st.sampled_from(["", "0", "500000", "1.5", "-3", "9" * 17, "1,2"]),
    )
)
def test_the_usual_form_is_read_as_any_other(pieces: tuple[str, ...]) -> None:
    """ST-30..ST-33: one pass over the usual query says what the patient reader says."""
    query = "".join(pieces)
    poll = polls.read(query, KNOWN)
    assert poll == polls._any(query, KNOWN) and poll.told == report.parse(query, KNOWN)


@pytest.fixture
async def listener() -> AsyncIterator[Web]:
    found = [part for part in parts(Settings(port=0, host="127.0.0.1")) if isinstance(part, Web)]
    [web] = found
    await web.start()
    yield web
    await web.drain()
    await web.stop()


async def test_one_connection_polls_and_then_posts(listener: Web) -> None:
    """The public port is one: an HTTP/1.1 connection may change its mind."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"GET /steer/hls?sid=s1 HTTP/1.1\r\nHost: r\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    first = json.loads(await reader.readexactly(size))
    assert first["PATHWAY-PRIORITY"] == ["CDN-A", "CDN-B"] and b"no-store" in head
    body = b'{"session_id":"s1"}'
    writer.write(
        b"POST /v1/decisions HTTP/1.1\r\nHost: r\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
