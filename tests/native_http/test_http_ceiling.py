"""What slow readers may hold in memory, each object counted once (HT-141), and states (HT-162)."""

import asyncio
import socket

from native_http.port_rig import DEADLINE_S, Site, run

from native.http import Answer, Entity, Gate, Growing, Hot, Limits, Refusal, Request

BIG_BYTES = 6_000_000
CEILING = Limits(per_address=0, worker_queue_bytes=1_000_000)


def entity(size: int) -> Entity:
    return Entity(bytes(size), content_type="video/mp4", cache_control="max-age=1")


async def stuck(site: Site, path: bytes = b"/big") -> socket.socket:
    """A client that asked and reads nothing, with little room in the kernel."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    site.clients.append(client)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", site.server.port))
    client.send(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    return client


async def status(site: Site, path: bytes, method: bytes = b"GET") -> bytes:
    client = await site.connect()
    answer = await site.ask(client, method + b" " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    client.close()
    return answer.split()[1] + answer.partition(b'{"error"')[2]


def test_cold_objects_are_refused_above_the_ceiling() -> None:
    objects = {"/big": entity(BIG_BYTES), "/cold": entity(200_000), "/small": entity(20_000)}
    hot = Hot()
    hot.put("/hot", entity(200_000))

    def handler(request: Request) -> Answer:
        return objects.get(request.path, Refusal(404, "none"))

    async def scenario(site: Site) -> None:
        readers = [await stuck(site) for _ in range(3)]
        await site.counted("state_writing", 3)
        assert site.server.counters()["queue_octets"] == BIG_BYTES
        assert await status(site, b"/cold") == b'503:"overloaded"}'
        assert await status(site, b"/cold", b"HEAD") == b"200"
        for path in (b"/big", b"/small", b"/hot"):  # no more memory for these
            assert await status(site, path) == b"200"
        readers[0].close()
        await site.counted("state_writing", 2)
        assert site.server.counters()["queue_octets"] == BIG_BYTES
        for reader in readers[1:]:
            reader.close()
        await site.counted("queue_octets", 0)
        assert await status(site, b"/cold") == b"200"
        assert site.server.counters()["refused_overloaded"] == 1

    assert run(scenario, handler, hot, limits=CEILING) == []


def test_a_queue_that_is_taken_is_no_longer_counted() -> None:
    big = entity(BIG_BYTES)

    async def scenario(site: Site) -> None:
        reader = await stuck(site)
        await site.counted("queue_octets", BIG_BYTES)
        taken = 0
        while taken < BIG_BYTES:
            taken += len(await site.take(reader))
        await site.counted("queue_octets", 0)
        await site.counted("state_idle", 1)

    assert run(scenario, lambda _: big, limits=CEILING) == []


def test_every_connection_is_in_one_state() -> None:
    gate, growing = Gate(5, Refusal(503, "late")), Growing("a/b", cache_control="no-store")
    never: list[asyncio.Future[Answer]] = []

    def handler(request: Request) -> Answer | asyncio.Future[Answer]:
        if request.path == "/gate":
            return gate.park()
        if request.path == "/grow":
            return growing
        never.append(asyncio.get_running_loop().create_future())
        return never[0]

    async def scenario(site: Site) -> None:
        await site.connect()
        for path in (b"/gate", b"/grow", b"/wait"):
            (await site.connect()).send(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        (await site.connect()).send(b"GET /half HT")
        expected = {"new": 1, "parked": 1, "streaming": 1, "making": 1, "reading": 1, "idle": 0}
        async with asyncio.timeout(DEADLINE_S):
            while True:
                counters = site.server.counters()
                if all(counters[f"state_{name}"] == n for name, n in expected.items()):
                    break
                await asyncio.sleep(0.001)
        assert sum(n for name, n in counters.items() if name.startswith("state_")) == 5

    assert run(scenario, handler) == []
