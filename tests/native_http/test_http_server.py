"""The delivery port over real sockets: framing, order, limits, drain (specs/http1.md)."""

import asyncio
import contextlib
import gzip
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from native.http import Answer, Entity, Hot, Limits, Refusal, Request, Server, Stream, serve

SHARED = Path(__file__).resolve().parents[3] / "shared/vectors"
DEADLINE_S = 60.0
MODIFIED_S = 1767225600
GOOD = Entity(
    bytes(range(256)) * 8,
    content_type="video/mp4",
    cache_control="max-age=1209600, immutable",
    last_modified=MODIFIED_S,
)
TEXT = b"#EXTM3U\n" * 200
PLAYLIST = Entity(
    TEXT,
    content_type="application/vnd.apple.mpegurl",
    cache_control="max-age=1",
    last_modified=MODIFIED_S,
    gzip=gzip.compress(TEXT, mtime=0),
)
BIG = Entity(bytes(16 << 20), content_type="video/mp4", cache_control="max-age=10")
OBJECTS = {"/v/a.m4s": GOOD, "/t/a.m3u8": PLAYLIST, "/big": BIG}
MISSING = Refusal(404, "not_found")
GET = b"GET /v/a.m4s HTTP/1.1\r\nHost: a\r\n\r\n"


def objects(request: Request) -> Answer:
    return OBJECTS.get(request.path, MISSING)


async def later(request: Request) -> Answer:
    await asyncio.sleep(0)
    return objects(request)


class Client:
    """A raw connection with deadlines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def answer(self) -> tuple[bytes, bytes]:
        head = await self.head()
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0] or 0)
        async with asyncio.timeout(DEADLINE_S):
            return head, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """Everything until the end; ConnectionResetError when it is an RST."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


CLIENTS: list[Client] = []


async def connect(server: Server) -> Client:
    """A connection that hang_up() closes."""
    client = Client(*await asyncio.open_connection("127.0.0.1", server.port))
    CLIENTS.append(client)
    return client


async def hang_up() -> None:
    """Close every client connection of the test."""
    while CLIENTS:
        writer = CLIENTS.pop().writer
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def counted(server: Server, name: str, value: int = 1) -> None:
    """Wait until a counter has reached `value`."""
    async with asyncio.timeout(DEADLINE_S):
        while server.counters().get(name, 0) < value:
            await asyncio.sleep(0.01)


def run(
    scenario: Callable[[Server], Awaitable[None]],
    handler: Callable[[Request], Answer | Awaitable[Answer]] = objects,
    hot: Hot | None = None,
    **limits: float,
) -> None:
    async def main() -> None:
        server = await serve(
            handler,
            host="127.0.0.1",
            port=0,
            hot=hot,
            limits=Limits(per_address=0, **limits),  # type: ignore[arg-type]
        )
        try:
            await scenario(server)
        finally:
            await hang_up()
            await server.close()

    uvloop.run(main())


@pytest.mark.skipif(not SHARED.exists(), reason="shared vectors are not beside the checkout")
@pytest.mark.parametrize("way", ["hot", "handler", "task"])
def test_shared_vectors(way: str) -> None:
    """HT-170 over the hot table, plain returns and awaited ones."""
    hot = Hot()
    if way == "hot":
        for path, entity in OBJECTS.items():
            hot.put(path, entity)

    async def scenario(server: Server) -> None:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, str(SHARED / "http1_check.py"), "127.0.0.1", str(server.port)],
            *[str(SHARED / "http1.json"), "--good-path", "/v/a.m4s", "--jobs", "8"],
            *["--text-path", "/t/a.m3u8", "--big-path", "/big"],
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        assert b" 0 failed" in out

    run(scenario, later if way == "task" else objects, hot)


def test_pipelined_answers_keep_their_order_however_slow() -> None:
    """HT-63: an awaited answer holds the line."""

    async def handler(request: Request) -> Answer:
        await asyncio.sleep(0.05 if request.path == "/1" else 0)
        return Refusal(404, f"n{request.path[1:]}")

    async def scenario(server: Server) -> None:
        client = await connect(server)
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(20)))
        for n in range(20):
            assert (await client.answer())[1] == b'{"error":"n%d"}' % n

    run(scenario, handler)


def test_known_parameters_pass_the_hot_table() -> None:
    """HT-56: `start` may change the answer, CMCD may not."""
    hot = Hot()
    hot.put("/v/a.m4s", GOOD)

    async def scenario(server: Server) -> None:
        client = await connect(server)
        for query, status in ((b"CMCD=x", b"200"), (b"start=1", b"410"), (b"cat=x", b"410")):
            client.send(b"GET /v/a.m4s?%s HTTP/1.1\r\nHost: a\r\n\r\n" % query)
            assert (await client.answer())[0].split()[1] == status
        client.send(b"GET /v/a.m4s?start=1&start=2 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer())[1] == b'{"error":"bad_query"}'

    run(scenario, lambda request: Refusal(410, "gone"), hot)


@pytest.mark.parametrize("size", [20_000, 200_000, 3_000_000])
def test_bodies_are_whole_from_memory_and_from_memfd(size: int) -> None:
    """HT-130, HT-131: every octet, also once the entity is hot enough for sendfile."""
    body = bytes(n * n % 251 for n in range(size // 100)) * 100
    entity = Entity(body, content_type="video/mp4", cache_control="max-age=1")

    async def scenario(server: Server) -> None:
        client = await connect(server)
        for _ in range(5):
            client.send(GET)
            assert (await client.answer())[1] == body
        client.send(GET[:-2] + b"Range: bytes=17000-18999\r\n\r\n")
        assert (await client.answer())[1] == body[17000:19000]

    run(scenario, lambda request: entity)


def test_handler_faults_are_500_and_the_connection_lives() -> None:
    def handler(request: Request) -> Answer:
        if request.path == "/bad":
            raise RuntimeError("boom")
        return GOOD

    async def scenario(server: Server) -> None:
        seen: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))
        client = await connect(server)
        client.send(b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
        assert (await client.answer())[0].startswith(b"HTTP/1.1 500 ")
        assert (await client.answer())[0].startswith(b"HTTP/1.1 200 ")
        assert len(seen) == 1

    run(scenario, handler)


def test_fin_while_parked_releases_the_seat() -> None:
    """HT-65."""
    cancelled = asyncio.Event()

    async def handler(request: Request) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return MISSING

    async def scenario(server: Server) -> None:
        client = await connect(server)
        client.send(GET)
        await counted(server, "requests")
        client.writer.write_eof()
        await asyncio.wait_for(cancelled.wait(), DEADLINE_S)
        assert await client.rest() == b""
        assert server.counters()["aborts_client_gone"] == 1

    run(scenario, handler)


def test_hold_expires_with_503_and_the_next_request_is_answered() -> None:
    """HT-123."""

    async def handler(request: Request) -> Answer:
        if request.path == "/park":
            await asyncio.Event().wait()
        return GOOD

    async def scenario(server: Server) -> None:
        client = await connect(server)
        client.send(b"GET /park HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
        head, body = await client.answer()
        assert b"Retry-After: 1" in head
        assert body == b'{"error":"hold_expired"}'
        assert (await client.answer())[1] == GOOD.body

    run(scenario, handler, hold_s=0.5)


def test_reader_that_stalls_is_reset() -> None:
    """HT-124: an answer that is not taken must not look complete."""

    async def scenario(server: Server) -> None:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", server.port))
            client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            await counted(server, "aborts_stall")

            def drain() -> None:
                client.settimeout(DEADLINE_S)
                while client.recv(1 << 20):
                    pass

            with pytest.raises(ConnectionResetError):
                await asyncio.to_thread(drain)

    run(scenario, stall_s=0.5)


async def two_then_cut() -> AsyncIterator[bytes]:
    yield b"first"
    await asyncio.sleep(0)
    yield b"second!"
    raise OSError("source cut")


async def two_then_end() -> AsyncIterator[bytes]:
    yield b"first"
    await asyncio.sleep(0)
    yield b""
    yield b"second!"


def test_stream_ends_with_its_last_chunk_and_goes_on() -> None:
    """HT-110, HT-111: an empty item does not end the body."""

    async def scenario(server: Server) -> None:
        client = await connect(server)
        client.send(GET + GET)
        for _ in range(2):
            head = await client.head()
            assert b"Transfer-Encoding: chunked\r\n" in head
            assert b"\r\nContent-Length:" not in head
            async with asyncio.timeout(DEADLINE_S):
                whole = await client.reader.readuntil(b"0\r\n\r\n")
            assert whole == b"5\r\nfirst\r\n7\r\nsecond!\r\n0\r\n\r\n"

    def handler(request: Request) -> Answer:
        return Stream(two_then_end(), content_type="video/mp4", cache_control="no-store")

    run(scenario, handler)


def test_truncation_is_never_clean() -> None:
    """HT-114: no last chunk to 1.1, RST to 1.0."""

    def handler(request: Request) -> Answer:
        return Stream(two_then_cut(), content_type="video/mp4", cache_control="no-store")

    async def scenario(server: Server) -> None:
        client = await connect(server)
        client.send(GET)
        body = (await client.rest()).partition(b"\r\n\r\n")[2]
        assert body.startswith(b"5\r\nfirst\r\n")
        assert not body.endswith(b"0\r\n\r\n")
        client = await connect(server)
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await client.rest()
        assert server.counters()["aborts_source_cut"] == 2

    run(scenario, handler)


def test_drain_finishes_what_runs() -> None:
    """HT-67: idle ones close, the running answer says close, the parked one gets 503."""
    gate = asyncio.Event()

    async def handler(request: Request) -> Answer:
        if request.path == "/run":
            await gate.wait()
        elif request.path == "/park":
            await asyncio.Event().wait()
        return GOOD

    async def scenario(server: Server) -> None:
        idle, running, parked = [await connect(server) for _ in range(3)]
        idle.send(GET)
        await idle.answer()
        running.send(b"GET /run HTTP/1.1\r\nHost: a\r\n\r\n")
        parked.send(b"GET /park HTTP/1.1\r\nHost: a\r\n\r\n")
        await counted(server, "requests", 3)
        draining = asyncio.create_task(server.drain(2.5))
        await asyncio.sleep(0)
        gate.set()  # in the turn in which the drain begins: who is late would be answered 503 too
        assert await idle.rest() == b""
        head, body = await running.answer()
        assert b"Connection: close" in head
        assert body == GOOD.body
        head, body = await parked.answer()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert body == b'{"error":"draining"}'
        for client in (running, parked):
            client.close()
        await asyncio.wait_for(draining, DEADLINE_S)
        with pytest.raises(OSError):
            await connect(server)

    run(scenario, handler)


def test_connections_of_one_address_are_capped() -> None:
    """HT-127: the second one is closed without an octet, trusted ranges are exempt."""

    async def main(trusted: tuple[str, ...]) -> bytes:
        limits = Limits(per_address=1, trusted=trusted)
        server = await serve(objects, host="127.0.0.1", port=0, limits=limits)
        first = await connect(server)
        first.send(GET)
        await first.answer()
        second = await connect(server)
        second.send(GET[:-2] + b"Connection: close\r\n\r\n")
        try:
            return await second.rest()
        except ConnectionResetError:
            return b""
        finally:
            await hang_up()
            await server.close()

    assert uvloop.run(main(())) == b""
    assert uvloop.run(main(("127.0.0.0/8",))).endswith(GOOD.body)
