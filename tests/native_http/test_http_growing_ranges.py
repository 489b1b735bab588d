"""Ranges of growing objects, and what they are once they are whole (HT-97, RFC 8673)."""

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_http.growing_rig import ENDLESS, Channel, dechunked, growing, request, until
from native_http.port_rig import GOOD, Site, run

from native.http import Entity


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
