"""The delivery port against faults: forks, raising callbacks, crowds, slow clocks, gone clients."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from native.http import (
    Answer,
    Answered,
    Entity,
    HeadError,
    Hot,
    Limits,
    Refusal,
    Request,
    Server,
    Stream,
    serve,
)
from native.http.listener import Listener
from native.http.port import Port
from native.http.worker import Worker

DEADLINE_S = 10.0
GOOD = Entity(b"good", content_type="text/plain", cache_control="max-age=1")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Handler = Callable[[Request], Answer | Awaitable[Answer]]


def good(_: Request) -> Answer:
    return GOOD


class Skewed:
    """A loop whose time the test moves; ticks come when the test says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now_s = 1000.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)

    def time(self) -> float:
        return self.now_s

    def call_later(self, _delay: float, _call: object) -> asyncio.Handle:
        return self.loop.call_soon(lambda: None)


class Site:
    """One port whose faults, worker and clock a test can see."""

    def __init__(self, server: Server, worker: Worker, clock: Skewed, faults: list[Any]) -> None:
        self.server, self.worker, self.clock, self.faults = server, worker, clock, faults
        self.clients: list[socket.socket] = []

    async def connect(self) -> socket.socket:
        client = socket.socket()
        client.setblocking(False)
        self.clients.append(client)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", self.server.port))
        return client

    async def ask(self, client: socket.socket, data: bytes = GET) -> bytes:
        """What comes back first, b"" at the end of the connection."""
        await asyncio.get_running_loop().sock_sendall(client, data)
        return await self.take(client)

    async def take(self, client: socket.socket) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.get_running_loop().sock_recv(client, 1 << 20)

    async def counted(self, name: str, value: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.server.counters()[name] != value:
                await asyncio.sleep(0.005)

    def tick(self, seconds: float) -> None:
        """Let time pass for the wheel, no more than half a second at once."""
        while seconds > 0:
            self.clock.now_s += 0.5
            seconds -= 0.5
            self.worker.on_tick()


def run(
    scenario: Callable[[Site], Awaitable[None]],
    handler: Handler = good,
    hot: Hot | None = None,
    on_answer: Callable[[Answered], None] | None = None,
    limits: Limits | None = None,
) -> list[Any]:
    """Play `scenario` on a port with a skewed clock; what went to the loop's exception handler."""
    faults: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: faults.append(context.get("exception")))
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        listening.setblocking(False)
        number = listening.getsockname()[1]
        clock: Any = Skewed(loop)
        worker = Worker(clock)
        chosen = limits or Limits(per_address=0)
        port = Port(clock, worker, handler, hot, chosen, on_answer)
        server = Server(port, worker, Listener(worker, port, listening.detach()), number)
        site = Site(server, worker, clock, faults)
        try:
            await scenario(site)
        finally:
            for client in site.clients:
                client.close()
            await server.close()

    uvloop.run(main())
    return faults


def test_a_socket_that_a_child_still_holds_is_out_of_the_set() -> None:
    """Closing does not take a socket out of epoll while a forked child has it (epoll(7))."""

    async def scenario(site: Site) -> None:
        before = set(os.listdir("/proc/self/fd"))
        for _ in range(20):
            client = await site.connect()
            await site.ask(client)
            ours = client.fileno()
            held = []
            for name in set(os.listdir("/proc/self/fd")) - before - {str(ours)}:
                with contextlib.suppress(OSError):
                    held.append(os.dup(int(name)))
            await site.ask(client, b"?\r\n")
            client.close()
            await site.counted("connections_open", 0)
            for fd in held:
                os.close(fd)
        assert (await site.ask(await site.connect())).startswith(b"HTTP/1.1 200")

    assert run(scenario) == []


def test_a_raising_on_answer_ends_no_connection() -> None:
    def failing(_: Answered) -> None:
        raise RuntimeError("log is full")

    async def late(_: Request) -> Answer:
        await asyncio.sleep(0)
        return GOOD

    async def scenario(site: Site) -> None:
        client = await site.connect()
        for _ in range(3):
            assert (await site.ask(client)).endswith(b"good")

    for handler in (good, late):
        faults = run(scenario, handler, on_answer=failing)
        assert [str(fault) for fault in faults] == ["log is full"] * 3


def test_a_handler_that_raises_what_is_no_exception_ends_its_connection_only() -> None:
    """The head that was half done must not be read on with other octets."""
    raising = [True]

    def handler(_: Request) -> Answer:
        if raising.pop() if raising else False:
            raise asyncio.CancelledError
        return GOOD

    async def scenario(site: Site) -> None:
        first, second = await site.connect(), await site.connect()
        assert await site.ask(first, GET + b"x") == b""
        assert (await site.ask(second)).endswith(b"good")

    assert [type(fault) for fault in run(scenario, handler)] == [asyncio.CancelledError]


def test_a_handler_may_shut_the_port_in_the_middle_of_a_pass() -> None:
    sites: list[Site] = []

    def handler(_: Request) -> Answer:
        sites[0].worker.shut()
        return GOOD

    async def scenario(site: Site) -> None:
        sites.append(site)
        clients = [await site.connect() for _ in range(20)]
        await site.counted("connections_open", 20)
        for client in clients:
            client.send(GET)
        with contextlib.suppress(ConnectionResetError):
            while await site.take(clients[0]):
                pass
        assert site.server.counters()["connections_open"] == 0

    assert run(scenario, handler) == []


def test_a_full_port_refuses_a_greedy_address_before_it_sheds_others() -> None:
    async def scenario(site: Site) -> None:
        clients = [await site.connect() for _ in range(2)]
        for client in clients:
            await site.ask(client)
        for _ in range(3):
            assert await site.take(await site.connect()) == b""
        counters = site.server.counters()
        assert (counters["connections_open"], counters["connections_shed"]) == (2, 3)
        for client in clients:
            assert (await site.ask(client)).endswith(b"good")

    run(scenario, limits=Limits(connections=2, per_address=2))


def test_ipv4_addresses_on_a_dual_stack_socket_are_counted_apart() -> None:
    """HT-127: mapped addresses are IPv4, not one /64 of everybody."""
    peers: list[str] = []

    def handler(request: Request) -> Answer:
        peers.append(request.peer)
        return GOOD

    async def main() -> None:
        limits = Limits(per_address=1)
        server = await serve(handler, host="::", port=0, limits=limits)
        try:
            for last in (1, 2, 3):
                source = (f"127.0.0.{last}", 0)
                to = "127.0.0.1", server.port
                reader, writer = await asyncio.open_connection(*to, local_addr=source)
                writer.write(GET)
                async with asyncio.timeout(DEADLINE_S):
                    assert await reader.readuntil(b"good")
                writers.append(writer)
        finally:
            for writer in writers:
                writer.close()
            await server.close()

    writers: list[asyncio.StreamWriter] = []
    try:
        uvloop.run(main())
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert peers == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


@pytest.mark.parametrize("status", [-5, 0, 100, 199, 600, 1 << 20])
def test_only_final_statuses_are_answers(status: int) -> None:
    with pytest.raises(HeadError, match="status"):
        Entity(b"", content_type="a/b", cache_control="no-store", status=status)
    with pytest.raises(HeadError, match="status"):
        Refusal(status, "no")


def test_an_answer_without_body_cannot_have_one() -> None:
    """RFC 9112 6.3: behind a 204 or 304 the next octet is the next answer."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b""

    for status in (204, 304):
        with pytest.raises(HeadError, match="no body"):
            Entity(b"x", content_type="a/b", cache_control="no-store", status=status)
        with pytest.raises(HeadError, match="no body"):
            Stream(chunks(), content_type="a/b", cache_control="no-store", status=status)
    assert Entity(b"", content_type="a/b", cache_control="no-store", status=204).status == 204


def test_a_pipelining_client_leaves_turns_to_others() -> None:
    """HT-63: 16 answers, then somebody else."""
    order: list[str] = []

    def handler(request: Request) -> Answer:
        order.append(request.path)
        return GOOD

    async def scenario(site: Site) -> None:
        greedy, modest = await site.connect(), await site.connect()
        await site.counted("connections_open", 2)
        greedy.send(GET.replace(b"/ ", b"/g ") * 400)
        modest.send(GET)
        await site.take(modest)
        assert order.index("/") <= 32
        got = b""
        while got.count(b"good") < 400:
            got += await site.take(greedy)
        assert len(order) == 401

    run(scenario, handler)


def test_every_head_has_its_own_time() -> None:
    """HT-120: requests that always end in the middle of a segment are no slow head."""

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(GET[:9])
        for _ in range(40):
            assert (await site.ask(client, GET[9:] + GET[:9])).endswith(b"good")
            site.tick(1)
        assert site.server.counters()["timeouts_head"] == 0
        site.tick(12)
        assert b"408" in await site.take(client)

    run(scenario)


def test_a_loop_that_stood_still_times_nobody_out() -> None:
    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(GET[:9])
        await site.counted("connections_accepted", 1)
        site.tick(1)
        site.clock.now_s += 3600
        site.worker.on_tick()
        assert (await site.ask(client, GET[9:])).endswith(b"good")
        site.tick(140)
        assert await site.take(client) == b""
        assert site.server.counters()["timeouts_idle"] == 1

    run(scenario)


class Source:
    """Chunks that a test holds back; knows whether it was closed."""

    def __init__(self, chunks: int) -> None:
        self.left = chunks
        self.closed = asyncio.Event()

    def __aiter__(self) -> "Source":
        return self

    async def __anext__(self) -> bytes:
        if self.left == 0:
            await asyncio.Event().wait()
        self.left -= 1
        return b"chunk"

    async def aclose(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("request_line", [b"GET / HTTP/1.1", b"HEAD / HTTP/1.1", b"GET / HTTP/1.0"])
def test_a_source_is_closed_when_its_client_has_gone(request_line: bytes) -> None:
    sources: list[Source] = []

    def handler(_: Request) -> Answer:
        sources.append(Source(1))
        return Stream(sources[-1], content_type="a/b", cache_control="no-store")

    async def scenario(site: Site) -> None:
        client = await site.connect()
        await site.ask(client, request_line + b"\r\nHost: a\r\n\r\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        async with asyncio.timeout(DEADLINE_S):
            await sources[0].closed.wait()

    assert run(scenario, handler) == []


def test_a_silent_stream_is_not_held_for_a_client_behind_its_fin() -> None:
    """HT-65: parked behind a FIN, here in the middle of a body."""
    sources: list[Source] = []

    def handler(_: Request) -> Answer:
        sources.append(Source(1))
        return Stream(sources[-1], content_type="a/b", cache_control="no-store")

    async def scenario(site: Site) -> None:
        client = await site.connect()
        await site.ask(client)
        client.shutdown(socket.SHUT_WR)
        for _ in range(20):
            await asyncio.sleep(0)
        async with asyncio.timeout(DEADLINE_S):
            while site.server.counters()["connections_open"]:
                site.tick(1)
                await asyncio.sleep(0.001)
            await sources[0].closed.wait()
        assert site.server.counters()["aborts_client_gone"] == 1

    run(scenario, handler)


def test_a_failing_source_is_reported() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        raise LookupError("segment lost")

    async def scenario(site: Site) -> None:
        client = await site.connect()
        await site.ask(client)
        while await site.take(client):
            pass
        await site.counted("aborts_source_cut", 1)

    def handler(_: Request) -> Answer:
        return Stream(chunks(), content_type="a/b", cache_control="no-store")

    assert [str(fault) for fault in run(scenario, handler)] == ["segment lost"]


def test_a_client_that_goes_cancels_no_future_of_others() -> None:
    shared: list[asyncio.Future[Answer]] = []

    def handler(_: Request) -> Awaitable[Answer]:
        if not shared:
            shared.append(asyncio.get_running_loop().create_future())
        return shared[0]

    async def scenario(site: Site) -> None:
        first, second = await site.connect(), await site.connect()
        first.send(GET)
        second.send(GET)
        await site.counted("requests", 2)
        first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        first.close()
        await site.counted("connections_open", 1)
        assert not shared[0].done()
        shared[0].set_result(GOOD)
        assert (await site.take(second)).endswith(b"good")

    assert run(scenario, handler) == []


def test_a_source_that_never_waits_leaves_the_loop_to_others() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for number in range(200):
            if number == 10:
                clients[1].send(GET)
            yield b"x"
            order.append("chunk")

    order: list[str] = []
    clients: list[socket.socket] = []

    def handler(request: Request) -> Answer:
        if request.path == "/s":
            return Stream(endless(), content_type="a/b", cache_control="no-store")
        order.append("other")
        return GOOD

    async def scenario(site: Site) -> None:
        clients.extend([await site.connect(), await site.connect()])
        await site.counted("connections_open", 2)
        clients[0].send(GET.replace(b"/ ", b"/s "))
        await site.take(clients[1])
        while b"0\r\n\r\n" not in await site.take(clients[0]):
            pass
        assert order.index("other") < 100

    run(scenario, handler)
