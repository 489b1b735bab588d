"""Growing objects: each append at once to all open answers (HT-97, HT-110 to HT-115, O10)."""

import asyncio
import socket
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_http.port_rig import DEADLINE_S, GET, GOOD, Site, run

from native.http import Answer, EndedError, Entity, Growing, HeadError, Limits, Request

ENDLESS = b"9007199254740991"  # RFC 8673 2.2: what players send
RESET = b"\1\0\0\0\0\0\0\0"


def growing() -> Growing:
    return Growing("video/mp4", cache_control="max-age=1", headers=[("X-Track", "v1")])


class Channel:
    """A handler with one object in the making; /free is an entity."""

    def __init__(self) -> None:
        self.segment = growing()

    def __call__(self, request: Request) -> Answer:
        return GOOD if request.path == "/free" else self.segment

    async def read_by(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.segment.readers != count:
                await asyncio.sleep(0.001)


def request(field: bytes = b"", method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    return method + b" / HTTP/" + version + b"\r\nHost: a\r\n" + field + b"\r\n"


async def until(site: Site, client: socket.socket, ending: bytes) -> bytes:
    got = b""
    while not got.endswith(ending):
        piece = await site.take(client)
        if not piece:
            raise EOFError(got)
        got += piece
    return got


async def rest(site: Site, client: socket.socket) -> bytes:
    got = b""
    while piece := await site.take(client):
        got += piece
    return got


def test_every_append_is_one_chunk_at_once() -> None:
    """HT-110: also what was there before, and nothing is held back."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        channel.segment.append(b"old")
        clients = [await site.connect() for _ in range(5)]
        for client in clients:
            client.send(GET)
        for client in clients:
            head = await until(site, client, b"\r\n3\r\nold\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            for line in (b"Transfer-Encoding: chunked", b"Accept-Ranges: bytes", b"X-Track: v1"):
                assert line + b"\r\n" in head
            assert b"\r\nContent-Length:" not in head
        for size in (1, 16, 70_000):
            channel.segment.append(b"x" * size)
            for client in clients:
                await until(site, client, b"%x\r\n" % size + b"x" * size + b"\r\n")
        channel.segment.append(b"")
        channel.segment.finish()
        assert channel.segment.readers == 0
        for client in clients:
            assert await site.take(client) == b"0\r\n\r\n"
            assert (await site.ask(client)).endswith(channel.segment.body)  # and goes on

    assert run(scenario, channel) == []


def test_the_last_chunk_and_the_end_leave_together() -> None:
    """HT-110."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        assert (await site.ask(client)).endswith(b"\r\n\r\n")
        channel.segment.finish(data=b"all")
        assert await site.take(client) == b"3\r\nall\r\n0\r\n\r\n"

    assert run(scenario, channel) == []


def test_pipelined_requests_follow_the_end() -> None:
    channel = Channel()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(GET + GET.replace(b"/ ", b"/free ") + GET)
        await channel.read_by(1)
        channel.segment.append(b"a")
        await until(site, client, b"1\r\na\r\n")
        channel.segment.finish()
        got = await until(site, client, b"a")
        assert got.startswith(b"0\r\n\r\nHTTP/1.1 200 OK\r\n")
        assert got.count(b"HTTP/1.1 200 OK\r\n") == 2
        assert b"good" in got

    assert run(scenario, channel) == []


def test_head_has_the_fields_of_get_and_nothing_else() -> None:
    """HT-113."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        channel.segment.append(b"there")
        get, head = await site.connect(), await site.connect()
        got = await site.ask(get)
        told = await site.ask(head, request(method=b"HEAD"))
        assert told == got.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        assert channel.segment.readers == 1
        assert (await site.ask(head, GET.replace(b"/ ", b"/free "))).endswith(b"good")

    assert run(scenario, channel) == []


def test_old_peers_get_octets_until_the_end_of_the_connection() -> None:
    """HT-112."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        channel.segment.append(b"one")
        client = await site.connect()
        first = await site.ask(client, request(b"Connection: keep-alive\r\n", version=b"1.0"))
        assert b"Connection: close\r\n" in first
        assert b"Transfer-Encoding" not in first
        channel.segment.append(b"two")
        channel.segment.finish(data=b"three")
        body = (first + await rest(site, client)).partition(b"\r\n\r\n")[2]
        assert body == b"onetwothree"

    assert run(scenario, channel) == []


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_an_abort_is_never_a_clean_end(version: bytes) -> None:
    """HT-114: no last chunk to 1.1 and what was sent stays readable, RST to 1.0; later ones 503."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        channel.segment.append(b"one")
        client, later = await site.connect(), await site.connect()
        first = await site.ask(client, request(version=version))
        channel.segment.append(b"two")
        await site.take(client)
        channel.segment.abort()
        if version == b"1.0":
            with pytest.raises(ConnectionResetError):
                await rest(site, client)
        else:
            assert not (first + await rest(site, client)).endswith(b"0\r\n\r\n")
        assert channel.segment.readers == 0
        assert site.server.counters()["aborts_source_cut"] == 1
        answer = await site.ask(later)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert answer.endswith(b'{"error":"source_cut"}')
        assert (await site.ask(later, GET.replace(b"/ ", b"/free "))).endswith(b"good")

    assert run(scenario, channel) == []


def test_nothing_is_added_to_what_has_ended() -> None:
    finished, aborted = growing(), growing()
    finished.append(b"a")
    finished.finish()
    finished.abort()
    aborted.abort()
    aborted.abort()
    for ended in (finished, aborted):
        assert ended.ended
        with pytest.raises(EndedError):
            ended.append(b"b")
        with pytest.raises(EndedError):
            ended.finish()
    assert (finished.body, finished.size_bytes, aborted.body) == (b"a", 1, b"")
    with pytest.raises(TypeError):
        growing().append("text")  # type: ignore[arg-type]
    with pytest.raises(HeadError):
        Growing("video/mp4", cache_control="a\r\nb")


def test_a_finished_object_is_the_entity_it_names_or_its_own_octets() -> None:
    """HT-97: length and tag are known now, ranges clamp."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        channel.segment.append(b"0123")
        channel.segment.finish(data=b"4567")
        client = await site.connect()
        answer = await site.ask(client)
        assert answer.endswith(b"\r\n\r\n01234567")
        assert b"Content-Length: 8\r\n" in answer
        assert b"X-Track: v1\r\n" in answer
        twin = Entity(b"01234567", content_type="video/mp4", cache_control="max-age=1")
        assert f'ETag: "{twin.etag}"\r\n'.encode() in answer
        field = b"Range: bytes=2-" + ENDLESS + b"\r\n"
        answer = await site.ask(client, request(field))
        assert answer.endswith(b"\r\n\r\n234567")
        assert b"Content-Range: bytes 2-7/8\r\n" in answer
        channel.segment = growing()
        channel.segment.finish(GOOD)
        assert (await site.ask(client)).endswith(b"good")

    assert run(scenario, channel) == []


@pytest.mark.parametrize(
    ("field", "status", "content_range", "body"),
    [
        (b"bytes=2-", b"206", b"2-9/*", b"23456789"),
        (b"bytes=0-", b"206", b"0-9/*", b"0123456789"),
        (b"bytes=9-", b"206", b"9-9/*", b"9"),
        (b"bytes=2-4", b"206", b"2-4/*", b"234"),
        (b"bytes=4-6", b"206", b"4-6/*", b"456"),
        (b"bytes=8-99", b"206", b"8-9/*", b"89"),
        (b"bytes=8-1099511627775", b"206", b"8-9/*", b"89"),
        (b"bytes=10-", b"416", b"*/10", b'{"error":"range_not_satisfiable"}'),
        (b"bytes=10-12", b"416", b"*/10", b'{"error":"range_not_satisfiable"}'),
        (b"bytes=11-" + ENDLESS, b"416", b"*/10", b'{"error":"range_not_satisfiable"}'),
    ],
)
def test_ranges_of_what_is_there(
    field: bytes, status: bytes, content_range: bytes, body: bytes
) -> None:
    """HT-97, RFC 8673 2.1."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        for piece in (b"01234", b"56789"):
            channel.segment.append(piece)
        client = await site.connect()
        answer = await site.ask(client, request(b"Range: " + field + b"\r\n"))
        assert answer.split()[1] == status
        assert b"Content-Range: bytes " + content_range + b"\r\n" in answer
        assert b"Content-Length: %d\r\n" % len(body) in answer
        assert answer.endswith(b"\r\n\r\n" + body)
        assert channel.segment.readers == 0

    assert run(scenario, channel) == []


@pytest.mark.parametrize("first", [0, 3, 5, 7, 10])
@pytest.mark.parametrize("last", [1 << 40, 2**53 - 1, 10**30])
def test_a_range_without_an_end_streams(first: int, last: int) -> None:
    """RFC 8673 2.2: from any position up to the edge, in the middle of a chunk too."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        for piece in (b"01234", b"56789"):
            channel.segment.append(piece)
        client = await site.connect()
        client.send(request(b"Range: bytes=%d-%d\r\n" % (first, last)))
        await channel.read_by(1)
        channel.segment.append(b"abc")
        channel.segment.finish()
        answer = await until(site, client, b"0\r\n\r\n")
        head, _, coded = answer.partition(b"\r\n\r\n")
        told = min(last, 2**63 - 1)
        assert b"Content-Range: bytes %d-%d/*\r\n" % (first, told) in head
        assert b"Transfer-Encoding: chunked\r\n" in head
        assert dechunked(coded) == b"0123456789abc"[first:]

    assert run(scenario, channel) == []


@pytest.mark.parametrize(
    "field", [b"Range: bytes=-3", b"Range: bytes=0-1,3-4", b'Range: bytes=0-1\r\nIf-Range: "x"']
)
def test_ranges_that_are_ignored_stream_the_whole(field: bytes) -> None:
    channel = Channel()

    async def scenario(site: Site) -> None:
        channel.segment.append(b"0123456789")
        client = await site.connect()
        client.send(request(field + b"\r\n"))
        answer = await until(site, client, b"a\r\n0123456789\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")

    assert run(scenario, channel) == []


def dechunked(coded: bytes) -> bytes:
    body = b""
    while coded:
        size, _, coded = coded.partition(b"\r\n")
        length = int(size, 16)
        assert coded[length : length + 2] == b"\r\n"
        body, coded = body + coded[:length], coded[length + 2 :]
    return body


Steps = st.lists(
    st.one_of(st.binary(min_size=1, max_size=40), st.integers(0, 300)), max_size=60
)  # an append, or a reader from there


@settings(max_examples=30, deadline=None)
@given(Steps)
def test_readers_of_any_start_get_the_same_octets(steps: list[bytes | int]) -> None:
    channel = Channel()

    async def scenario(site: Site) -> None:
        expected: list[tuple[socket.socket, int]] = []
        for step in steps:
            if isinstance(step, bytes):
                channel.segment.append(step)
                continue
            first = step % (channel.segment.size_bytes + 1)
            client = await site.connect()
            client.send(request(b"Range: bytes=%d-%s\r\n" % (first, ENDLESS)))
            expected.append((client, first))
            await channel.read_by(len(expected))
        channel.segment.finish()
        whole = channel.segment.body
        for client, first in expected:
            answer = await until(site, client, b"0\r\n\r\n")
            assert dechunked(answer.partition(b"\r\n\r\n")[2]) == whole[first:]

    assert run(scenario, channel) == []


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


def test_a_closing_port_cuts_what_grows() -> None:
    """HT-67, HT-114."""
    channel = Channel()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        first = await site.ask(client)
        await site.server.drain(0.1)
        assert not (first + await rest(site, client)).endswith(b"0\r\n\r\n")
        assert channel.segment.readers == 0
        channel.segment.append(b"nobody")

    assert run(scenario, channel) == []
