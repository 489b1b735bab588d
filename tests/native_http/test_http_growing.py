"""Growing objects: each append at once to all open answers (HT-97, HT-110 to HT-115, O10)."""

import pytest
from native_http.growing_rig import Channel, growing, request, rest, until
from native_http.port_rig import GET, Site, dateless, run

from native.http import EndedError, Growing, HeadError


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
        assert told.endswith(b"\r\n\r\n")
        assert dateless(told[:-4]) == dateless(got.partition(b"\r\n\r\n")[0])
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
