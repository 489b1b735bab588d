"""Readers of growing objects that are slow, stall or go (HT-115, HT-124, HT-131)."""

import asyncio
import socket
import tracemalloc

import pytest
from native_http.growing_rig import Channel, dechunked, until
from native_http.port_rig import GET, Site, run

from native.http import Limits

RESET = b"\1\0\0\0\0\0\0\0"


async def stuck(site: Site) -> socket.socket:
    """A client that asked and reads nothing, with little room in the kernel."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    site.clients.append(client)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", site.server.port))
    client.send(GET)
    return client


def test_a_slow_reader_holds_references_and_is_cut_in_the_end() -> None:
    """HT-115, HT-131: 50 of them cost no copies; others are not kept waiting."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        readers = [await stuck(site) for _ in range(50)]
        good = await site.connect()
        good.send(GET)
        await channel.read_by(51)
        chunk = bytes(100_000)
        channel.segment.append(chunk)
        await until(site, good, chunk + b"\r\n")
        tracemalloc.start()
        for _ in range(40):
            channel.segment.append(chunk)
            await until(site, good, chunk + b"\r\n")
        assert channel.segment.readers == 51
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2_000_000  # 50 readers are behind by 4 MB each
        while channel.segment.readers > 1:
            channel.segment.append(chunk)
            await until(site, good, chunk + b"\r\n")
            assert channel.segment.size_bytes < 9 << 20
        assert site.server.counters()["aborts_slow_reader"] == 50
        channel.segment.finish()
        assert await site.take(good) == b"0\r\n\r\n"
        del readers

    assert run(scenario, channel) == []


def test_a_slow_reader_that_wakes_up_gets_every_octet() -> None:
    channel = Channel()

    async def scenario(site: Site) -> None:
        client = await stuck(site)
        await channel.read_by(1)
        pieces = [bytes([n % 251]) * (1 + n * 97 % 9000) for n in range(500)]
        for piece in pieces:
            channel.segment.append(piece)
        channel.segment.finish()
        answer = await until(site, client, b"\r\n0\r\n\r\n")
        assert dechunked(answer.partition(b"\r\n\r\n")[2]) == b"".join(pieces)

    assert run(scenario, channel) == []


def test_a_reader_that_takes_nothing_stalls() -> None:
    """HT-124."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        await stuck(site)
        await channel.read_by(1)
        for _ in range(50):
            channel.segment.append(bytes(100_000))
        site.tick(4)
        assert channel.segment.readers == 0
        assert site.server.counters()["aborts_stall"] == 1

    assert run(scenario, channel, limits=Limits(per_address=0, stall_s=3)) == []


@pytest.mark.parametrize("way", ["fin", "reset"])
def test_a_reader_that_goes_is_forgotten(way: str) -> None:
    channel = Channel()

    async def scenario(site: Site) -> None:
        stays, goes = await site.connect(), await site.connect()
        stays.send(GET)
        goes.send(GET)
        await channel.read_by(2)
        if way == "reset":
            goes.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            goes.close()
            await channel.read_by(1)
        else:
            goes.shutdown(socket.SHUT_WR)  # half-close: what comes in time is still sent
            for _ in range(20):
                await asyncio.sleep(0)
            site.tick(4)
            assert channel.segment.readers == 1
        channel.segment.append(b"more")
        await until(site, stays, b"4\r\nmore\r\n")

    assert run(scenario, channel, limits=Limits(per_address=0, hold_s=3)) == []


def test_readers_that_go_during_an_append_do_not_stop_it() -> None:
    channel = Channel()

    async def scenario(site: Site) -> None:
        clients = [await site.connect() for _ in range(30)]
        for client in clients:
            client.send(GET)
        await channel.read_by(30)
        for client in clients[::2]:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()  # its RST is there before the port has been told
        for _ in range(3):
            channel.segment.append(b"next")
        for client in clients[1::2]:
            await until(site, client, b"4\r\nnext\r\n" * 3)
        await channel.read_by(15)

    assert run(scenario, channel) == []
