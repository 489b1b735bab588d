"""Clients that go while their answer is in the making: sources, futures and seats are let go."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable

import pytest
from native_http.growing_rig import until
from native_http.port_rig import DEADLINE_S, GET, GOOD, Site, run

from native.http import Answer, Request, Stream


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
    order: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        for number in range(200):
            if number == 10:
                asyncio.get_running_loop().call_soon(order.append, "other")
            yield b"x"
            order.append("chunk")

    def handler(_: Request) -> Answer:
        return Stream(endless(), content_type="a/b", cache_control="no-store")

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(GET)
        await until(site, client, b"0\r\n\r\n")
        assert order.index("other") < 100

    assert run(scenario, handler) == []
