"""Requests parked at a gate: one release answers all, as each head asks (O19, HT-63, HT-65)."""

import asyncio
import gzip
import resource
import socket

import pytest
from native_http.port_rig import DEADLINE_S, GET, Site, run

from native.http import Answer, Entity, Gate, Growing, Limits, Parked, Refusal, Request

TEXT = b"#EXTM3U\n" * 400
CODED = gzip.compress(TEXT, mtime=0)
LATE = Refusal(503, "late", headers=[("Retry-After", "1")])
PLAYLIST = Entity(
    TEXT,
    content_type="application/vnd.apple.mpegurl",
    cache_control="max-age=6",
    last_modified=1767225600,
    etag="v7",
    gzip=CODED,
)
MEDIA = Entity(bytes(range(256)), content_type="video/mp4", cache_control="max-age=6", etag="m")
RESET = b"\1\0\0\0\0\0\0\0"


class Door:
    """A handler that parks every path but /free."""

    def __init__(self, limit_s: float = 5.0) -> None:
        self.gate = Gate(limit_s, LATE)
        self.asked = 0

    def __call__(self, request: Request) -> Answer:
        self.asked += 1
        return MEDIA if request.path == "/free" else self.gate.park()

    async def holds(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.gate) != count:
                await asyncio.sleep(0.001)


async def read(site: Site, client: socket.socket, until: bytes) -> bytes:
    got = b""
    while not got.endswith(until):
        piece = await site.take(client)
        if not piece:
            break
        got += piece
    return got


def request(path: bytes = b"/", *fields: bytes, method: bytes = b"GET") -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    return method + b" " + path + b" HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n"


@pytest.mark.parametrize(
    ("asked", "status", "ending"),
    [
        (request(), b"200", TEXT),
        (request(b"/", b"Accept-Encoding: gzip"), b"200", CODED),
        (request(b"/", method=b"HEAD"), b"200", b"\r\n\r\n"),
        (request(b"/", b'If-None-Match: "v7"'), b"304", b"\r\n\r\n"),
        (request(b"/", b'If-None-Match: "v6"'), b"200", TEXT),
        (request(b"/", b'If-None-Match: "v7-gz"', b"Accept-Encoding: gzip"), b"304", b"\r\n\r\n"),
        (request(b"/", b"If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT"), b"304", b"\r\n\r\n"),
        (request(b"/", b'If-Match: "v6"'), b"412", b'{"error":"precondition_failed"}'),
        (b"GET / HTTP/1.0\r\n\r\n", b"200", TEXT),
    ],
)
def test_each_request_is_judged_at_the_release(asked: bytes, status: bytes, ending: bytes) -> None:
    door = Door()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(asked)
        await door.holds(1)
        assert door.gate.release(PLAYLIST) == 1
        answer = await read(site, client, ending)
        assert answer.split()[1] == status
        assert answer.endswith(ending)
        assert answer.count(b"HTTP/1.1 ") == 1

    assert run(scenario, door) == []


def test_a_range_of_a_parked_segment() -> None:
    door = Door()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(request(b"/", b"Range: bytes=10-12"))
        await door.holds(1)
        door.gate.release(MEDIA)
        answer = await read(site, client, b"\r\n\r\n\x0a\x0b\x0c")
        assert answer.startswith(b"HTTP/1.1 206 ")

    assert run(scenario, door) == []


def test_one_render_wakes_all_and_the_gate_is_free_again() -> None:
    """O19: the body is the same object for all, made once."""
    door = Door()

    async def scenario(site: Site) -> None:
        clients = [await site.connect() for _ in range(20)]
        for turn in range(3):
            for client in clients:
                client.send(GET)
            await door.holds(20)
            assert door.gate.release(PLAYLIST) == 20
            assert len(door.gate) == 0
            for client in clients:
                assert (await read(site, client, TEXT)).endswith(TEXT)
            counters = site.server.counters()
            assert counters["gates_parked"] == counters["gates_released"] == 20 * (turn + 1)
        assert door.gate.release(PLAYLIST) == 0

    assert run(scenario, door) == []


def test_a_request_that_is_too_long_at_the_gate_is_late() -> None:
    """The gate's limit, not the port's (HT-123); the next release has nothing for it."""
    door = Door(limit_s=3)

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(GET)
        await door.holds(1)
        site.tick(2)
        assert len(door.gate) == 1
        site.tick(2.5)
        assert len(door.gate) == 0
        answer = await read(site, client, LATE.body)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in answer
        assert door.gate.release(PLAYLIST) == 0
        client.send(GET)  # the connection lives
        await door.holds(1)
        door.gate.release(PLAYLIST)
        assert (await read(site, client, TEXT)).startswith(b"HTTP/1.1 200 ")
        assert site.server.counters()["gates_late"] == 1
        assert site.server.counters()["timeouts_hold"] == 0

    limits = Limits(per_address=0, hold_s=1)
    assert run(scenario, door, limits=limits) == []


def test_pipelined_requests_wait_behind_a_parked_one() -> None:
    """HT-63: order holds, also when the one behind is parked at the same gate."""
    door = Door()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(GET + request(b"/free") + request(b"/", method=b"HEAD") + request(b"/free"))
        await door.holds(1)
        assert door.asked == 1
        assert door.gate.release(PLAYLIST) == 1
        await door.holds(1)
        first = await read(site, client, MEDIA.body)
        assert first.count(b"HTTP/1.1 200 ") == 2
        assert TEXT in first
        assert door.asked == 3
        door.gate.release(PLAYLIST)
        second = await read(site, client, MEDIA.body)
        assert second.count(b"HTTP/1.1 200 ") == 2
        assert TEXT not in second

    assert run(scenario, door) == []


def test_what_parks_during_a_release_waits_for_the_next() -> None:
    door = Door()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(GET * 40)
        for _ in range(40):
            await door.holds(1)
            assert door.gate.release(MEDIA) == 1
        got = b""
        while got.count(b"HTTP/1.1 200 ") < 40:
            got += await site.take(client)
        assert len(door.gate) == 0

    assert run(scenario, door) == []


@pytest.mark.parametrize("way", ["fin", "reset"])
def test_a_client_that_goes_gives_its_place_back(way: str) -> None:
    """HT-65: by FIN or RST, at once; its neighbours stay."""
    door = Door()

    async def scenario(site: Site) -> None:
        stays, goes = await site.connect(), await site.connect()
        stays.send(GET)
        goes.send(GET)
        await door.holds(2)
        if way == "reset":
            goes.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            goes.close()
        else:
            goes.shutdown(socket.SHUT_WR)
        await door.holds(1)
        await site.counted("aborts_client_gone" if way == "fin" else "aborts_reset", 1)
        assert door.gate.release(PLAYLIST) == 1
        assert (await read(site, stays, TEXT)).endswith(TEXT)

    assert run(scenario, door) == []


def test_an_awaited_place_counts_as_one() -> None:
    door = Door()

    async def later(request: Request) -> Answer:
        await asyncio.sleep(0)
        return door(request)

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(GET + request(b"/free"))
        await door.holds(1)
        assert door.gate.release(PLAYLIST) == 1
        answers = await read(site, client, MEDIA.body)
        assert answers.count(b"HTTP/1.1 200 ") == 2

    assert run(scenario, later) == []


def test_a_release_may_give_a_growing_object() -> None:
    """A hinted part: parked until it begins, streamed from then on (HT-116)."""
    door = Door()

    async def scenario(site: Site) -> None:
        client = await site.connect()
        client.send(GET)
        await door.holds(1)
        part = Growing("video/mp4", cache_control="max-age=6")
        part.append(b"one")
        assert door.gate.release(part) == 1
        part.append(b"two")
        part.finish()
        answer = await read(site, client, b"0\r\n\r\n")
        assert answer.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")

    assert run(scenario, door) == []


def test_a_drain_lets_the_parked_go_in_time() -> None:
    """HT-67: released ones say close, the rest get 503 two seconds before the limit."""
    door, other = Door(), Door()

    async def scenario(site: Site) -> None:
        released, parked = await site.connect(), await site.connect()
        released.send(request(b"/one"))
        await door.holds(1)
        parked.send(request(b"/two"))
        await other.holds(1)
        draining = asyncio.create_task(site.server.drain(2.2))
        await asyncio.sleep(0)
        door.gate.release(MEDIA)
        answer = await read(site, released, MEDIA.body)
        assert b"Connection: close\r\n" in answer
        answer = await read(site, parked, b'{"error":"draining"}')
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in answer
        assert len(other.gate) == 0
        for client in (released, parked):
            client.close()
        await asyncio.wait_for(draining, DEADLINE_S)

    def handler(request: Request) -> Answer:
        return (door if request.path == "/one" else other)(request)

    assert run(scenario, handler) == []


def test_five_thousand_parked_are_all_answered() -> None:
    """Fewer where the machine allows fewer descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(5000, hard // 2 - 400)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * count + 400), hard))
    door = Door()

    async def scenario(site: Site) -> None:
        clients = []
        for _ in range(count):
            clients.append(await site.connect())
            clients[-1].send(GET)
        await door.holds(count)
        for gone in clients[::10]:
            gone.close()
        left = count - len(clients[::10])
        await door.holds(left)
        assert door.gate.release(MEDIA) == left
        assert site.server.counters()["gates_released"] == left
        for number, client in enumerate(clients):
            if number % 10:
                assert (await read(site, client, MEDIA.body)).endswith(MEDIA.body)

    try:
        assert run(scenario, door, limits=Limits(per_address=0, connections=count + 10)) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_gate_refuses_what_is_no_answer() -> None:
    gate = Gate(1, LATE)
    with pytest.raises(TypeError):
        gate.release(b"body")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Gate(1, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="negative"):
        Gate(-1, LATE)
    with pytest.raises(TypeError):
        Parked(None)  # type: ignore[arg-type]
    assert gate.park().gate is gate
    assert (gate.limit_s, gate.late, len(gate)) == (1, LATE, 0)
