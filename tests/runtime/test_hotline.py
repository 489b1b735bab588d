"""Short questions over kept connections: each gets its own answer, whatever the other side does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from runtime.fetch import Fetched, FetchError
from runtime.hotline import IDLE_S, Hotline

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\n%b"
CHUNKED = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab"
WAIT_S = 60.0
LATE_S = 2.0  # long enough for the question to come through a busy machine


class Service:
    """Says what it is told to for each question, the question's own last two octets for `%b`;
    a piece of None hangs up, an empty one says nothing.
    """

    def __init__(self, *pieces: bytes | None) -> None:
        self.pieces = pieces or (OK,)
        self.connections = 0
        self.questions: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
                body = await reader.readexactly(size)
                self.questions.append(head + body)
                for piece in self.pieces:
                    if piece is None:
                        return
                    writer.write(piece.replace(b"%b", body[-2:]))
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()


@asynccontextmanager
async def serving(service: Service, path: str = "") -> AsyncIterator[Hotline]:
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Hotline(f"http://127.0.0.1:{port}{path}", name="test") as line:
        yield line
    server.close()
    for writer in service.writers:
        writer.close()


async def ask(line: Hotline, body: bytes = b"01", **limits: float) -> Fetched:
    timeout_s, max_bytes = limits.get("timeout_s", WAIT_S), int(limits.get("max_bytes", 100))
    return await line.post("/v1/q", body, timeout_s=timeout_s, max_bytes=max_bytes)


async def test_questions_share_connections_one_at_a_time() -> None:
    service = Service()
    async with serving(service, "/below/") as line:
        for _ in range(3):
            answer = await ask(line)
        assert (answer.status, answer.body, answer.headers["x-a"]) == (200, b"01", "1, 2")
        assert service.connections == 1
        bodies = [b"%02d" % n for n in range(20)]
        found = await asyncio.gather(*(ask(line, body) for body in bodies))
        assert [each.body for each in found] == bodies
        before = service.connections
        await ask(line)
        assert service.connections == before <= 20
    head = service.questions[0]
    assert head.startswith(b"POST /below/v1/q HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nContent-Type: application/json\r\n" in head


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        ((b"HTTP/1.1 503 No\r\nContent-", b"Length: 3\r\n\r\na", b"bc"), b"abc"),
        (
            (b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab", b"\r\n0\r\n\r\n"),
            b"ab",
        ),
        ((b"HTTP/1.1 103 X\r\nA: b\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",), b""),
    ],
)
async def test_answers_come_in_any_pieces(pieces: tuple[bytes, ...], body: bytes) -> None:
    service = Service(*pieces)
    async with serving(service) as line:
        for _ in range(2):
            answer = await ask(line)
            assert (answer.status, answer.body) == (503, body)
            assert "a" not in answer.headers, "what came before the answer is none of it"
    assert service.connections == 1


@pytest.mark.parametrize(
    "pieces",
    [
        (OK.replace(b"X-A: 1", b"Connection: close"),),
        (OK + OK,),
        (OK + b"HTTP/1.1 500",),
        (OK, None),
    ],
)
async def test_a_connection_that_is_not_as_it_was_is_not_taken_again(
    pieces: tuple[bytes | None, ...],
) -> None:
    service = Service(*pieces)
    async with serving(service) as line:
        assert (await ask(line, b"01")).body == b"01"
        async with asyncio.timeout(WAIT_S):
            while line._idle and line._idle[0].fit:
                await asyncio.sleep(0.001)
        assert (await ask(line, b"02")).body == b"02"
    assert service.connections == 2


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ((b"",), "timeout"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",), "timeout"),
        ((None,), "unreachable"),
        ((b"SMTP ready\r\n\r\n",), "unreachable"),
        ((b"HTTP/1.1 200 OK\r\n\r\nno end of its own", None), "unreachable"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + 101 * b"x",), "too_large"),
    ],
)
async def test_what_is_no_answer_has_a_code_and_costs_its_connection(
    pieces: tuple[bytes | None, ...], code: str
) -> None:
    service = Service(*pieces)
    async with serving(service) as line:
        with pytest.raises(FetchError) as caught:
            await ask(line, timeout_s=LATE_S if code == "timeout" else WAIT_S)
        assert caught.value.code == code
        async with asyncio.timeout(WAIT_S):
            await service.gone.wait()
        service.pieces = (OK,)
        assert (await ask(line)).body == b"01"
    assert (service.connections, len(service.questions)) == (2, 2)


async def test_connections_of_a_busier_time_do_not_pile_up() -> None:
    """Those used last are taken again, so the others are idle however many questions come."""
    service = Service()
    async with serving(service) as line:
        await asyncio.gather(*(ask(line) for _ in range(10)))
        busier = list(line._idle)
        assert len(busier) > 1
        wire = busier[-1]
        for each in busier[:-1]:
            each.answered_s -= IDLE_S
        await ask(line)
        assert list(line._idle) == [wire]
        wire.answered_s -= IDLE_S
        await ask(line)
        assert wire not in line._idle and len(line._idle) == 1


async def test_nobody_there_is_refused() -> None:
    async with Hotline("http://127.0.0.1:9", name="test") as line:
        with pytest.raises(FetchError, match="refused"):
            await ask(line)
    with pytest.raises(FetchError, match="bad_url"):
        Hotline("unix:///x", name="test")
