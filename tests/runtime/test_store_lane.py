"""One connection for many commands: every answer to its own question, whatever happens between
(CTL-188).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import ResponseError

from runtime.store import StoreError
from runtime.store.lane import STALL_S, Lane
from runtime.store.replies import AWAY

GREETINGS = (b"CLIENT", b"HELLO", b"SELECT")


class Server:
    """Echoes last words; `hold` says nothing, `fail` is refused, `leave` hangs up, `-X` is an
    error reply. While it is `hung` it says nothing at all."""

    def __init__(self) -> None:
        self.connections = 0
        self.hung = False
        self.serving: set[asyncio.Task[None]] = set()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await self._answer(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2])
            if self.hung:
                continue
            match words[-1]:
                case b"leave":
                    return
                case b"hold":
                    pass
                case b"fail":
                    writer.write(b"-ERR no\r\n")
                case reply if reply.startswith(b"-"):
                    writer.write(reply + b"\r\n")
                case _ if words[0] in GREETINGS:
                    writer.write(b"+OK\r\n")
                case word:
                    writer.write(b"$%d\r\n%b\r\n" % (len(word), word))


@asynccontextmanager
async def laned(timeout_s: float = 60.0) -> AsyncIterator[tuple[Server, Lane]]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    lane = Lane(f"redis://127.0.0.1:{port}/1", timeout_s)
    try:
        yield server, lane
    finally:
        await lane.close()
        listener.close()
        await asyncio.gather(*server.serving)


async def test_answers_find_their_questions_on_one_connection() -> None:
    async with laned() as (server, lane):
        asked = [lane.ask("ECHO", number) for number in range(500)]
        assert await asyncio.gather(*asked) == [b"%d" % number for number in range(500)]
        assert await lane.ask_all([("ECHO", "a"), ("ECHO", b"\x00\r\n"), ("ECHO", 1.5)]) == [
            b"a",
            b"\x00\r\n",
            b"1.5",
        ]
        assert server.connections == 1


async def test_an_error_is_one_questions_and_who_left_takes_no_answer() -> None:
    async with laned() as (_, lane):
        await lane.ask("ECHO", "warm")
        left = asyncio.create_task(lane.ask("ECHO", "left"))
        bad = asyncio.create_task(lane.ask("fail"))
        good = asyncio.create_task(lane.ask("ECHO", "good"))
        await asyncio.sleep(0)
        left.cancel()
        assert await good == b"good"
        with pytest.raises(ResponseError, match="ERR no"):
            await bad
        with pytest.raises(ResponseError):
            await lane.ask_all([("ECHO", "x"), ("fail",)])
        assert await lane.ask("ECHO", "after") == b"after"


async def test_a_lost_connection_fails_what_waits_and_is_made_anew() -> None:
    async with laned() as (server, lane):
        waiting = [asyncio.create_task(lane.ask(word)) for word in ("hold", "leave", "ECHO")]
        for each in waiting:
            with pytest.raises(StoreError) as caught:
                await each
            assert caught.value.code == "unavailable"
        assert await lane.ask("ECHO", "again") == b"again"
        assert server.connections == 2


async def test_a_silent_server_is_late_and_its_connection_given_up() -> None:
    async with laned(timeout_s=0.05) as (server, lane):
        await _ready(lane)
        with pytest.raises(StoreError) as caught:
            await lane.ask("hold")
        assert caught.value.code == "timeout"
        made = server.connections
        await _ready(lane)
        assert server.connections > made


async def test_a_loop_that_stood_still_reads_before_it_judges() -> None:
    async with laned(timeout_s=1.0) as (_, lane):
        await lane.ask("ECHO", "warm")
        asked = asyncio.create_task(lane.ask("ECHO", "here"))
        await asyncio.sleep(0)
        time.sleep(1.0 + 3 * STALL_S)  # the loop's own time stands still with it
        assert await asked == b"here"


async def test_a_loop_that_always_lags_still_judges() -> None:
    """Every turn of the loop takes longer than a stall."""
    loop = asyncio.get_running_loop()
    lags = True

    def lag() -> None:
        time.sleep(3 * STALL_S)
        if lags:
            loop.call_soon(lag)

    async with laned(timeout_s=1.0) as (_, lane):
        await lane.ask("ECHO", "warm")
        asked = asyncio.create_task(lane.ask("hold"))
        lag()
        try:
            done, _ = await asyncio.wait([asked], timeout=20)
        finally:
            lags = False
            asked.cancel()
        assert done, "nobody judged"
        error = asked.exception()
        assert isinstance(error, StoreError) and error.code == "timeout"


@pytest.mark.parametrize("word", AWAY)
async def test_a_server_that_does_not_serve_is_unavailable(word: str) -> None:
    """Such an answer is one question's; the connection is left where another may serve."""
    async with laned() as (server, lane):
        with pytest.raises(StoreError) as caught:
            await lane.ask(f"-{word} some reason")
        assert (caught.value.code, str(caught.value)) == ("unavailable", f"unavailable: {word}")
        with pytest.raises(StoreError):
            await lane.ask_all([("ECHO", "x"), (f"-{word}",)])
        await _ready(lane)
        assert (server.connections > 1) == AWAY[word]


async def test_other_error_replies_are_the_questions() -> None:
    async with laned() as (_, lane):
        for text in ("ERR LOADING", "BUSYGROUP exists", "NOSCRIPT none", "WRONGTYPE"):
            with pytest.raises(ResponseError, match=text):
                await lane.ask(f"-{text}")


async def test_all_wait_for_one_attempt_to_connect() -> None:
    """Of many askers none waits for the attempts of the others; who leaves stops nobody."""
    async with laned(timeout_s=0.5) as (server, lane):
        server.hung = True
        asked = [asyncio.create_task(lane.ask("ECHO", number)) for number in range(300)]
        await asyncio.sleep(0)
        asked.pop(0).cancel()
        async with asyncio.timeout(60):
            errors = await asyncio.gather(*asked, return_exceptions=True)
        assert {error.code for error in errors if isinstance(error, StoreError)} == {"timeout"}
        assert len(errors) == 299 and server.connections <= 1
        server.hung = False
        await _ready(lane)


async def test_who_closed_stays_closed() -> None:
    async with laned() as (server, lane):
        await lane.ask("ECHO", "warm")
        await lane.close()
        with pytest.raises(StoreError, match="unavailable: closed"):
            await lane.ask("ECHO", "late")
        assert server.connections == 1


async def test_an_attempt_under_way_ends_with_the_lane() -> None:
    async with laned(timeout_s=0.5) as (server, lane):
        server.hung = True
        asked = asyncio.create_task(lane.ask("ECHO", "x"))
        await asyncio.sleep(0)
        await lane.close()
        with pytest.raises(StoreError):
            await asked
        server.hung = False
        with pytest.raises(StoreError, match="closed"):
            await lane.ask("ECHO", "late")


async def test_nobody_there_is_unavailable() -> None:
    lane = Lane("redis://127.0.0.1:9/0", 5.0)
    with pytest.raises(StoreError) as caught:
        await lane.ask("PING")
    assert caught.value.code == "unavailable"
    await lane.close()


async def _ready(lane: Lane) -> None:
    """Asked until a busy machine answers in time."""
    deadline = time.monotonic() + 60
    while True:
        try:
            assert await lane.ask("ECHO", "x") == b"x"
            return
        except StoreError:
            assert time.monotonic() < deadline
