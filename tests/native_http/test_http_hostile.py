"""The delivery port against faults: forks, raising callbacks, crowds, slow clocks, statuses."""

import asyncio
import contextlib
import os
import resource
from collections.abc import AsyncIterator

import pytest
import uvloop
from native_http.port_rig import DEADLINE_S, GET, GOOD, Site, run

from native.http import Answer, Entity, HeadError, Limits, Refusal, Request, Stream, serve


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


def test_a_raising_access_log_ends_no_connection() -> None:
    def failing(_: bytes) -> None:
        raise RuntimeError("log is full")

    async def scenario(site: Site) -> None:
        client = await site.connect()
        for _ in range(3):
            assert (await site.ask(client)).endswith(b"good")
            site.tick(0.5)

    faults = run(scenario, access_log=failing)
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


def test_a_process_without_a_limit_of_files_is_not_a_small_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)

    async def scenario(site: Site) -> None:
        for _ in range(70):
            await site.connect()
        await site.counted("connections_open", 70)

    run(scenario)


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
