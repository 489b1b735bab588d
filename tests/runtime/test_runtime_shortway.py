"""Plain requests by the short way, all others by aiohttp, on one port over loopback."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

import runtime.web
from runtime import metrics, shortway
from runtime.plain import Answer, Plain, Way, Ways
from runtime.plain_http import PlainHttp
from runtime.service import Web
from runtime.shortway import ShortWay

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
WAIT_S = 60
LARGE = b"x" * (16 << 20)  # more than sockets hold
HOST = b"Host: x\r\n"


class Room:
    """Ways that tell what they were asked, beside an application that says that it is one."""

    def __init__(self) -> None:
        self.asked: list[Plain] = []
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

    def ways(self) -> Ways:
        return Ways(
            [
                Way("GET", "/told/{name}", 0, self.tell),
                Way("POST", "/told/{name}", 40, self.tell),
                Way("GET", "/slow", 0, self.wait),
                Way("GET", "/broken", 0, self.fail),
                Way("GET", "/split", 0, self.split),
                Way("GET", "/empty", 0, self.nothing),
                Way("GET", "/large", 0, self.large),
            ]
        )

    async def tell(self, request: Plain) -> Answer:
        self.asked.append(request)
        body = await request.read(100)
        ids = get_contextvars()
        assert ids["request_id"] == request.request_id
        said = f"{request.names['name']} {request.query} {body.decode()}"
        return Answer(200, "text/plain", {"X-Parent": ids.get("traceparent", "")}, said.encode())

    async def wait(self, _: Plain) -> Answer:
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return Answer(200, "text/plain", {}, b"waited")

    async def fail(self, _: Plain) -> Answer:
        raise RuntimeError("a secret detail")

    async def split(self, _: Plain) -> Answer:
        return Answer(200, "text/plain", {"X": "a\r\nSet-Cookie: b"}, b"")

    async def large(self, _: Plain) -> Answer:
        self.begun.set()
        return Answer(200, "text/plain", {}, LARGE)

    async def nothing(self, _: Plain) -> Answer:
        return Answer(204, "", {}, b"")


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def front(room: Room) -> ShortWay:
    return ShortWay(PlainHttp("short", room.ways()))


@pytest.fixture
async def server(front: ShortWay) -> AsyncIterator[Web]:
    async def other(request: web.Request) -> web.Response:
        return web.Response(text=f"aiohttp {len(await request.read())}")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", other)
    listener = Web("short", app, host="127.0.0.1", front=front)
    await listener.start()
    yield listener
    await listener.stop()


class Peer:
    """A client that counts octets itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> tuple[bytes, dict[bytes, bytes], bytes]:
        """Status line, fields and body of the next answer."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WAIT_S)
        first, *lines = head[:-4].split(b"\r\n")
        fields = dict(line.split(b": ", 1) for line in lines)
        body = await self.reader.readexactly(int(fields.get(b"Content-Length", b"0")))
        return first, fields, body

    async def ask(self, octets: bytes) -> bytes:
        self.writer.write(octets)
        return (await self.answer())[2]

    async def ended(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), WAIT_S)


@pytest.fixture
async def connect(server: Web) -> AsyncIterator[Any]:
    peers = []

    async def made() -> Peer:
        peers.append(Peer(*await asyncio.open_connection(server.host, server.port)))
        return peers[-1]

    yield made
    for peer in peers:
        peer.writer.close()


async def test_a_plain_request_is_told_as_ever(room: Room, connect: Any) -> None:
    peer = await connect()
    with capture_logs() as lines:
        peer.writer.write(
            b"POST /told/a?b=%20c&token=hunter2 HTTP/1.1\r\n" + HOST + b"X-Request-Id: req_1\r\n"
            b"traceparent:" + PARENT.encode() + b" \r\nEmpty:\r\nContent-Length: 4\r\n\r\nbody"
        )
        first, fields, body = await peer.answer()
    assert first == b"HTTP/1.1 200 OK"
    assert body == b"a b=%20c&token=hunter2 body"
    assert fields[b"X-Request-Id"] == b"req_1" and fields[b"Server"] == b"headwater"
    assert fields[b"Content-Type"] == b"text/plain" and b"GMT" in fields[b"Date"]
    assert PARENT.split("-")[1].encode() in fields[b"X-Parent"]
    [line] = [each for each in lines if each["event"] == "request"]
    assert (line["listener"], line["route"], line["status"]) == ("short", "/told/{name}", 200)
    assert line["sent_bytes"] == len(body)
    assert line["path"] == "/told/a?b=%20c&token=[redacted]"
    assert line["traceparent"].encode() == fields[b"X-Parent"]
    assert (line["peer"], line["request_id"]) == ("127.0.0.1", "req_1")
    [asked] = room.asked
    assert asked.headers["EMPTY"] == "" and asked.headers["traceparent"] == PARENT
    counted = 'request_seconds_count{listener="short",method="POST",route="/told/{name}"'
    assert counted in metrics.exposition().decode()
    assert b"req_1" not in await peer.ask(b"GET /told/a HTTP/1.1\r\n" + HOST + b"\r\n")
    assert room.asked[1].request_id != "req_1" and len(room.asked[1].request_id) == 32


UNUSUAL = {
    "old": b"GET /told/a HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
    "other path": b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n",
    "other method": b"DELETE /told/a HTTP/1.1\r\nHost: x\r\n\r\n",
    "no name": b"GET /told/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "coded path": b"GET /told/%61 HTTP/1.1\r\nHost: x\r\n\r\n",
    "fragment": b"GET /told/a?b#c HTTP/1.1\r\nHost: x\r\n\r\n",
    "absolute": b"GET http://x/told/a HTTP/1.1\r\nHost: x\r\n\r\n",
    "given twice": b"GET /told/a HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
    "not ASCII": b"GET /told/a HTTP/1.1\r\nHost: x\r\nX-A: \xc3\xa9\r\n\r\n",
    "long body": b"POST /told/a HTTP/1.1\r\nHost: x\r\nContent-Length: 41\r\n\r\n" + b"x" * 41,
    "pieces": b"POST /told/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "upgrade": b"GET /told/a HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n",
    "no way": b"OPTIONS /told/a HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", UNUSUAL)
async def test_what_is_unusual_is_the_applications_for_good(
    name: str, room: Room, connect: Any
) -> None:
    """Behind a plain one, in the same octets: the answers keep their order."""
    peer = await connect()
    plain = b"GET /told/a HTTP/1.1\r\n" + HOST + b"\r\n"
    peer.writer.write(plain + UNUSUAL[name])
    assert (await peer.answer())[2] == b"a  "
    assert (await peer.answer())[2].startswith(b"aiohttp"), name
    assert await peer.ask(plain) == b"aiohttp 0"
    assert len(room.asked) == 1


@pytest.mark.parametrize(
    "octets",
    [
        b"GET /told/a HTTP/1.1\r\n\r\n",
        b"GET /told/a HTTP/1.1\r\nX-A: 1\r\n\r\n",
        b"GET /told/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /told/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbodyx",
        b"POST /told/a HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nbody",
        b"GET /told/a HTTP/1.1\r\nHost: x\r\nX-A : 1\r\n\r\n",
        b"GET /told/a HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n folded\r\n\r\n",
        b"GET /told/a HTTP/1.1\nHost: x\n\n",
    ],
)
async def test_what_two_could_read_in_two_ways_is_not_answered_here(
    octets: bytes, room: Room, connect: Any
) -> None:
    """RFC 9112 sections 2.2, 5.1, 6.3."""
    peer = await connect()
    peer.writer.write(octets + b"\r\n\r\n")
    assert (await peer.answer())[0].startswith(b"HTTP/1.") and not room.asked


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():
            await asyncio.sleep(0.001)


async def test_a_body_may_come_in_pieces(room: Room, front: ShortWay, connect: Any) -> None:
    peer = await connect()
    peer.writer.write(b"POST /told/a HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbo")
    await until(lambda: any(each._needed_bytes for each in front.connections))
    assert not room.asked
    assert await peer.ask(b"dy") == b"a  body"


async def test_a_body_that_does_not_come_is_the_applications(
    front: ShortWay, connect: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(shortway, "WHOLE_S", 0.01)
    peer = await connect()
    peer.writer.write(b"POST /told/a HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbo")
    await until(lambda: bool(front.connections))
    await until(lambda: not front.connections)
    assert await peer.ask(b"dy") == b"aiohttp 4"


@pytest.mark.parametrize(("path", "answer"), [(b"/told/a", b"a  body"), (b"/other", b"aiohttp 4")])
async def test_a_head_may_come_in_pieces(
    path: bytes, answer: bytes, front: ShortWay, connect: Any
) -> None:
    peer = await connect()
    peer.writer.write(b"POST " + path + b" HTTP/1.1\r\n" + HOST)
    await until(lambda: any(each._patience for each in front.connections))
    assert await peer.ask(b"Content-Length: 4\r\n\r\nbody") == answer


@pytest.mark.parametrize("octets", [b"G", b"\x16\x03\x01", b"GET /other HTTP/1.1\r\n" + HOST])
async def test_a_head_that_does_not_come_closes(
    octets: bytes, connect: Any, monkeypatch: Any
) -> None:
    """Nobody keeps a connection for less than a request."""
    monkeypatch.setattr(shortway, "HEAD_S", 0.01)
    peer = await connect()
    peer.writer.write(octets)
    with suppress(ConnectionResetError):
        assert await peer.ended() == b""


async def test_who_was_handed_on_and_says_nothing_is_closed(room: Room, monkeypatch: Any) -> None:
    monkeypatch.setattr(runtime.web, "IDLE_S", 0.05)
    other = Web(
        "other", web.Application(), host="127.0.0.1", front=ShortWay(PlainHttp("o", room.ways()))
    )
    await other.start()
    peer = Peer(*await asyncio.open_connection(other.host, other.port))
    try:
        assert await peer.ask(b"GET /other HTTP/1.1\r\n" + HOST + b"\r\n")
        assert await peer.ended() == b""
    finally:
        peer.writer.close()
        await other.stop()


async def test_answers_keep_the_order_of_their_requests(room: Room, connect: Any) -> None:
    """RFC 9112 section 9.3.2, with more of them than may wait."""
    count = 3 * shortway.MAX_WAITING_BYTES // 60
    peer = await connect()
    peer.writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
    for number in range(count):
        peer.writer.write(b"GET /told/n%d HTTP/1.1\r\nHost: %b\r\n\r\n" % (number, b"x" * 20))
    await asyncio.wait_for(room.begun.wait(), WAIT_S)
    assert not room.asked
    room.go_on.set()
    assert (await peer.answer())[2] == b"waited"
    for number in range(count):
        assert (await peer.answer())[2] == b"n%d  " % number


async def test_who_goes_away_ends_the_work(room: Room, connect: Any) -> None:
    peer = await connect()
    peer.writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
    await asyncio.wait_for(room.begun.wait(), WAIT_S)
    peer.writer.close()
    await asyncio.wait_for(room.cancelled.wait(), WAIT_S)


async def test_who_goes_away_leaves_nothing_for_the_collector(
    room: Room, front: ShortWay, connect: Any
) -> None:
    """Its collections are rare where answers are quick (`runtime.heap`)."""
    gc.disable()
    try:
        peer = await connect()
        peer.writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        await asyncio.wait_for(room.begun.wait(), WAIT_S)
        [there] = [weakref.ref(each) for each in front.connections]
        peer.writer.close()
        await asyncio.wait_for(room.cancelled.wait(), WAIT_S)
        await until(lambda: there() is None)
    finally:
        gc.enable()


async def test_a_drain_answers_what_was_asked(server: Web, room: Room, connect: Any) -> None:
    idle, peer = await connect(), await connect()
    assert await idle.ask(b"GET /told/a HTTP/1.1\r\n" + HOST + b"\r\n") == b"a  "
    peer.writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
    await asyncio.wait_for(room.begun.wait(), WAIT_S)
    draining = asyncio.create_task(server.drain())
    assert await idle.ended() == b""
    assert not draining.done()
    room.go_on.set()
    _, fields, body = await peer.answer()
    assert (fields[b"Connection"], body) == (b"close", b"waited")
    assert await peer.ended() == b""
    await asyncio.wait_for(draining, WAIT_S)


async def test_a_drain_lets_an_answer_be_taken(server: Web, room: Room, connect: Any) -> None:
    peer = await connect()
    peer.writer.write(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
    await asyncio.wait_for(room.begun.wait(), WAIT_S)
    draining = asyncio.create_task(server.drain())
    assert (await peer.answer())[2] == LARGE
    assert await peer.ended() == b""
    await asyncio.wait_for(draining, WAIT_S)


async def test_no_answer_breaks_out_of_its_lines(connect: Any) -> None:
    peer = await connect()
    for path in (b"/split", b"/broken"):
        peer.writer.write(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        first, fields, body = await peer.answer()
        assert first == b"HTTP/1.1 500 Internal Server Error"
        assert body == b'{"error": "internal"}' and b"Set-Cookie" not in fields
    peer.writer.write(b"GET /empty HTTP/1.1\r\n" + HOST + b"\r\n")
    first, fields, _ = await peer.answer()
    assert first == b"HTTP/1.1 204 No Content"  # RFC 9110 section 15.3.5, 8.6
    assert not fields.keys() & {b"Content-Length", b"Content-Type"}


async def test_who_says_nothing_is_closed(connect: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(shortway, "IDLE_S", 0.05)
    front = ShortWay(PlainHttp("short", Ways([])))
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(front.before(asyncio.Protocol), "127.0.0.1", 0)
    try:
        port = listening.sockets[0].getsockname()[1]
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
        assert await peer.ended() == b""
        peer.writer.close()
    finally:
        front.close()
        listening.close()
