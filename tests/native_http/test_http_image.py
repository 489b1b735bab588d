"""Hot answers that leave in one call look like all others (HT-76, HT-77, HT-130, HT-132)."""

import asyncio
import os
import socket
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from native_http.port_rig import DEADLINE_S, Site, dateless, run

from native.http import Entity, Hot, Limits
from native.http.entity import IMAGE_BYTES, IMAGE_HITS

SMALL, MIDDLE, LARGE = 2000, 20_000, 300_000  # octets in memory; memfd; memfd that blocks


def entity(size: int) -> Entity:
    body = bytes(n * n % 251 for n in range(size // 100)) * 100
    return Entity(body, content_type="video/mp4", cache_control="max-age=1")


def request(field: str = "", method: str = "GET", version: str = "1.1") -> bytes:
    return f"{method} / HTTP/{version}\r\nHost: a\r\n{field}\r\n".encode()


async def answer(site: Site, client: socket.socket, data: bytes) -> tuple[bytes, bytes]:
    """Head and body, until nothing more can come."""
    got = await site.ask(client, data)
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    while len(body) < length and not data.startswith(b"HEAD"):
        body += await site.take(client)
    return head, body


def memfds() -> int:
    """Images in files, of this process."""
    names = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
    return sum("memfd:headwater" in name for name in names)


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE])
def test_every_answer_of_a_hot_object_is_the_same(size: int) -> None:
    hot, made = Hot(), entity(size)
    hot.put("/", made)

    async def scenario(site: Site) -> None:
        client = await site.connect()
        first = await answer(site, client, request())
        assert first[1] == made.body
        for _ in range(2 * (IMAGE_HITS + size // IMAGE_BYTES)):
            head, body = await answer(site, client, request())
            assert (dateless(head), body) == (dateless(first[0]), made.body)
            assert head.count(b"Date: ") == 1
        head, body = await answer(site, client, request("Range: bytes=1000-1899\r\n"))
        assert (head.split()[1], body) == (b"206", made.body[1000:1900])
        head, body = await answer(site, client, request("Connection: close\r\n"))
        assert (b"Connection: close" in head, body) == (True, made.body)
        client = await site.connect()
        head, body = await answer(site, client, request(method="HEAD"))
        assert (dateless(head), body) == (dateless(first[0]), b"")
        head, body = await answer(
            site, client, request("Connection: keep-alive\r\n", version="1.0")
        )
        assert (b"Connection: keep-alive" in head, body) == (True, made.body)

    assert run(scenario, hot=hot) == []


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
def test_the_date_moves_on(size: int) -> None:
    """HT-76: no answer tells a second that is over."""
    hot, made = Hot(), entity(size)
    hot.put("/", made)

    async def scenario(site: Site) -> None:
        client = await site.connect()
        dates = set()
        async with asyncio.timeout(DEADLINE_S):
            while len(dates) < 3:
                before = int(time.time())
                head, body = await answer(site, client, request())
                told = parsedate_to_datetime(head.partition(b"Date: ")[2].decode()).timestamp()
                assert before <= told <= time.time()
                assert body == made.body
                dates.add(told)

    assert run(scenario, hot=hot) == []


def test_what_a_slow_reader_still_gets_is_of_one_image() -> None:
    """A rest in the queue outlives the image, the object and the second."""
    hot, made = Hot(), entity(LARGE)
    hot.put("/", made)

    async def scenario(site: Site) -> None:
        client = await site.connect()
        for _ in range(IMAGE_HITS + LARGE // IMAGE_BYTES + 1):
            await answer(site, client, request())
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        site.clients.append(slow)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, ("127.0.0.1", site.server.port))
        slow.send(request())
        hits = site.server.counters()["hot_hits"]
        async with asyncio.timeout(DEADLINE_S):
            while site.server.counters()["hot_hits"] == hits:
                await asyncio.sleep(0.001)
        hot.put("/", entity(MIDDLE))
        assert memfds() >= 1
        got = b""
        while len(got.partition(b"\r\n\r\n")[2]) < LARGE:
            got += await site.take(slow)
        assert got.endswith(made.body)

    assert run(scenario, hot=hot, limits=Limits(per_address=0)) == []


def test_ranges_of_a_large_object_make_no_image_of_it() -> None:
    """An image holds the whole body, so only bodies that fit get one."""
    hot, made = Hot(), entity(2_000_000)
    hot.put("/", made)

    async def scenario(site: Site) -> None:
        client = await site.connect()
        before = memfds()
        for _ in range(300):
            _, body = await answer(site, client, request("Range: bytes=100-20099\r\n"))
            assert body == made.body[100:20100]
        assert memfds() <= before

    assert run(scenario, hot=hot) == []
