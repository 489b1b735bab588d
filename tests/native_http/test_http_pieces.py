"""Bodies in pieces look on the wire as their joined twins do (HT-91, HT-100, HT-131)."""

import asyncio
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_http.port_rig import Site, run

from native.http import Entity, HeadError, Hot

BIG = tuple(bytes([n % 251]) * (1 + n * 37 % 900) for n in range(3000))  # above one sendmsg, 1.3 MB


def twins(pieces: tuple[bytes, ...]) -> dict[str, Entity]:
    whole = b"".join(pieces)
    entities = {}
    for name, body in (("/whole", whole), ("/cut", pieces)):
        entities[name] = Entity(
            body, content_type="text/plain", cache_control="max-age=1", etag="one"
        )
        entities[f"{name}-gz"] = Entity(
            body, content_type="text/plain", cache_control="max-age=1", etag="one", gzip=body
        )
    return entities


async def answer(site: Site, path: str, field: str, method: str = "GET") -> bytes:
    """One whole answer, its Date aside."""
    client = await site.connect()
    lines = f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{field}\r\n"
    client.send(lines.encode())
    got = b""
    while piece := await site.take(client):
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    client.close()
    return b"\n".join(line for line in head.split(b"\r\n") if line[:5] != b"Date:") + body


def check(pieces: tuple[bytes, ...], fields: list[str]) -> None:
    hot = Hot()
    for path, entity in twins(pieces).items():
        hot.put(path, entity)

    async def scenario(site: Site) -> None:
        for field in fields:
            for tail in ("", "-gz"):
                cut = await answer(site, f"/cut{tail}", field)
                assert cut == await answer(site, f"/whole{tail}", field)

    assert run(scenario, hot=hot) == []


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.binary(max_size=9), max_size=90).map(tuple),
    st.tuples(st.integers(0, 500), st.integers(0, 500)),
)
def test_pieces_and_their_sum_answer_alike(
    pieces: tuple[bytes, ...], ends: tuple[int, int]
) -> None:
    check(pieces, ["", f"Range: bytes={ends[0]}-{ends[1]}\r\n", f"Range: bytes=-{ends[0]}\r\n"])


@pytest.mark.parametrize(
    "field",
    [
        "",
        "Accept-Encoding: gzip\r\n",
        "Range: bytes=700000-700100\r\n",
        "Range: bytes=5-1000000\r\n",
    ],
)
def test_more_pieces_than_one_write_takes(field: str) -> None:
    check(BIG, [field])


def test_a_slow_reader_gets_the_rest_of_a_piece_and_all_behind_it() -> None:
    """The kernel stops inside of a piece; what is queued begins there (HT-131)."""
    pieces = tuple(bytes([n]) * 100_003 for n in range(60))
    hot = Hot()
    hot.put("/", Entity(pieces, content_type="a/b", cache_control="no-store", etag="x"))

    async def scenario(site: Site) -> None:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        site.clients.append(client)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", site.server.port))
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await site.counted("state_writing", 1)
        got = b""
        while len(got.partition(b"\r\n\r\n")[2]) < 60 * 100_003:
            got += await site.take(client)
        assert got.endswith(b"".join(pieces))

    assert run(scenario, hot=hot) == []


def test_pieces_leave_by_sendfile_once_hot() -> None:
    """HT-130: the memfd has the sum."""
    pieces = tuple(bytes([n]) * 300 for n in range(200))
    hot = Hot()
    hot.put("/", Entity(pieces, content_type="a/b", cache_control="no-store", etag="x"))

    async def scenario(site: Site) -> None:
        for _ in range(5):
            assert (await answer(site, "/", "")).endswith(b"".join(pieces))

    assert run(scenario, hot=hot) == []


def test_pieces_are_octets_with_a_tag() -> None:
    with pytest.raises(HeadError, match="etag"):
        Entity([b"a"], content_type="a/b", cache_control="no-store")
    for wrong in (["a"], [b"a", 1], "text", 5):
        with pytest.raises(TypeError):
            Entity(wrong, content_type="a/b", cache_control="no-store", etag="x")  # type: ignore[arg-type]
    entity = Entity([b"a", b"", b"bc"], content_type="a/b", cache_control="no-store", etag="x")
    assert (entity.body, entity.size_bytes, entity.gzip) == (b"abc", 3, None)
