"""Two router nodes and a real Redis over HTTP: nodes, Redis, links may go (RT-15, RT-16, ST-53)."""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from twins.process import needs

from cdn_router import upkeep
from cdn_router.cells import keeper, state
from cdn_router.server import parts
from cdn_router.settings import Settings
from runtime.service import Part, Web
from runtime.store import RedisStore

KEY = SecretStr("k" * 32)


class Clock:
    """Stands until it is put forward."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return self.now / 1000


@asynccontextmanager
async def node(store: RedisStore | None = None, **more: Any) -> AsyncIterator[str]:
    settings = Settings(port=0, host="127.0.0.1", state_key=KEY, policy="headwater")
    running: list[Part] = parts(settings, store=store, **more)
    for part in running:
        await part.start()
    listener = running[-1]
    assert isinstance(listener, Web)
    try:
        yield listener.url
    finally:
        for part in reversed(running):
            await part.drain()
            await part.stop()


class Viewer:
    """A session that polls any node with what the last one gave it."""

    def __init__(self, http: aiohttp.ClientSession, session_id: str) -> None:
        self._http, self._path = http, f"/steer/hls?sid={session_id}"
        self.order: list[str] = []

    async def poll(self, url: str) -> None:
        async with self._http.get(url + self._path) as answer:
            assert answer.status == 200
            manifest = json.loads(await answer.text())
        assert manifest["VERSION"] == 1 and len(manifest["PATHWAY-PRIORITY"]) == 2
        self.order = manifest["PATHWAY-PRIORITY"]
        self._path = manifest["RELOAD-URI"].removeprefix("http://localhost:8004")


async def known(http: aiohttp.ClientSession, url: str, session_id: str) -> Any:
    async with http.get(f"{url}/v1/sessions/{session_id}") as answer:
        return json.loads(await answer.text())


@pytest.mark.twin
async def test_sessions_survive_nodes_redis_and_partitions(tmp_path: Path) -> None:
    """Every poll is answered, on any node, with the session's place: nothing waits for Redis."""
    socket = tmp_path / "r.sock"
    command = [needs("redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    redis = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        async with aiohttp.ClientSession() as http, asyncio.timeout(60):
            viewers = [Viewer(http, f"s{number}") for number in range(20)]
            async with node(RedisStore(f"unix://{socket}")) as one:
                async with node(RedisStore(f"unix://{socket}")) as two:
                    for viewer in viewers:
                        await viewer.poll(one)
                    leads = [viewer.order[0] for viewer in viewers]
                    for viewer in viewers:
                        await viewer.poll(two)
                    assert [viewer.order[0] for viewer in viewers] == leads, "no node moves them"
                    assert (await known(http, two, "s3"))["issues"] == []
                    redis.send_signal(signal.SIGSTOP)
                    for viewer in viewers:
                        await viewer.poll(one)
                    redis.kill()
                    redis.wait()
                    for viewer in viewers:
                        await viewer.poll(two)
                for viewer in viewers:
                    await viewer.poll(one)
                assert [viewer.order[0] for viewer in viewers] == leads
    finally:
        redis.kill()
        redis.wait()


class Link:
    """A way to Redis that can be cut: connections stay, what is sent over them is lost."""

    def __init__(self, redis: Path) -> None:
        self.cut = False
        self._redis = redis
        self._ends: list[asyncio.StreamWriter] = []

    async def joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_unix_connection(self._redis)
        self._ends += [writer, there_writer]
        await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(1 << 16):
                if not self.cut:
                    sink.write(data)
        sink.close()

    @asynccontextmanager
    async def store(self) -> AsyncIterator[RedisStore]:
        server = await asyncio.start_server(self.joined, "127.0.0.1", 0)
        try:
            yield RedisStore(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        finally:
            server.close()
            for end in self._ends:
                end.close()


async def failing(url: str, country: str, http: aiohttp.ClientSession) -> None:
    """Four viewers in four networks of a country tell a node that CDN-A fails them."""
    for number in range(4):
        session_id = f"{country}{number}"
        await http.post(f"{url}/v1/decisions", json={"session_id": session_id, "country": country})
        lines = [
            f'e=rr,rc=503,sid="{session_id}",sn={at},ts=1700000000000,'
            f'url="http://localhost:8011/{at}.m4s",v=2'
            for at in range(3)
        ]
        network = aiohttp.TCPConnector(local_addr=(f"127.0.{number + 1}.1", 0))
        async with aiohttp.ClientSession(connector=network) as player:
            headers = {"Content-Type": "application/cmcd"}
            report = player.post(f"{url}/cmcd", data="\n".join(lines), headers=headers)
            async with report as answer:
                assert answer.status == 204


async def until(
    http: aiohttp.ClientSession, url: str, holds: Callable[[dict[str, Any]], bool]
) -> float:
    """Seconds until a node's screen says so; what it decides upon is never beyond its bound."""
    begun_s = time.monotonic()
    while time.monotonic() - begun_s < 60:
        async with http.get(f"{url}/v1/screen") as answer:
            screen = json.loads(await answer.text())
        assert screen["snapshot"]["age_ms"] <= screen["snapshot"]["bound_ms"]
        if holds(screen):
            return time.monotonic() - begun_s
        await asyncio.sleep(0.05)
    pytest.fail("not within 60 s")


def knows(country: str) -> Callable[[dict[str, Any]], bool]:
    return lambda screen: country in {row["region"] for row in screen["heat"]}


def opened(country: str) -> Callable[[dict[str, Any]], bool]:
    return lambda screen: (
        (country, "CDN-A", "open") in {tuple(b.values()) for b in screen["breakers"]}
    )


@pytest.mark.twin
@pytest.mark.serial
async def test_a_cut_node_forgets_the_others_and_finds_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RT-15: what a silent peer knew counts for `SILENT_S`, here two seconds, and then no more."""
    monkeypatch.setattr(state, "SILENT_S", 2.0)
    monkeypatch.setattr(keeper, "DEAF_S", 1.0)
    socket = tmp_path / "r.sock"
    command = [needs("redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    redis = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    link = Link(socket)
    try:
        async with (
            aiohttp.ClientSession() as http,
            link.store() as away,
            node(RedisStore(f"unix://{socket}")) as one,
            node(away) as two,
        ):
            viewer = Viewer(http, "seen")
            await failing(one, "DE", http)
            agreed_s = await until(http, two, opened("DE"))
            link.cut = True
            forgot_s = await until(http, two, lambda screen: not knows("DE")(screen))
            await viewer.poll(two)
            plan = {"generation": 1, "policy": "headwater"}
            async with http.put(f"{two}/v1/plan", json=plan) as answer:
                assert answer.status == 200, "an operator reaches each side of a cut"
            await failing(one, "FR", http)
            await until(http, one, opened("FR"))
            await viewer.poll(one)
            await until(http, two, lambda screen: not knows("FR")(screen))
            link.cut = False
            back_s = await until(http, two, knows("FR"))
            await until(http, one, lambda screen: screen["plan"]["generation"] == 1)
            await viewer.poll(two)
            print(f"\nagreed {agreed_s:.1f} s, forgot {forgot_s:.1f} s, back {back_s:.1f} s")
    finally:
        redis.kill()
        redis.wait()


@pytest.mark.twin
async def test_two_nodes_do_not_both_accept_one_generation(tmp_path: Path) -> None:
    """RT-14: whoever is told 200 has changed what holds; the other is told 409, and what does."""
    socket = tmp_path / "r.sock"
    command = [needs("redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    redis = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        async with (
            asyncio.timeout(120),
            aiohttp.ClientSession() as http,
            node(RedisStore(f"unix://{socket}", timeout_ms=30_000), clock=Clock()) as one,
            node(RedisStore(f"unix://{socket}", timeout_ms=30_000), clock=Clock()) as two,
        ):

            async def put(url: str, generation: int) -> int:
                plan = {"generation": generation, "policy": "headwater", "note": url}
                async with http.put(f"{url}/v1/plan", json=plan) as answer:
                    return answer.status

            async def note(url: str) -> str:
                async with http.get(f"{url}/v1/plan") as answer:
                    return str((await answer.json())["current"]["note"])

            assert await put(one, 1) == 200
            await until(http, two, lambda screen: screen["plan"]["generation"] == 1)
            for generation in range(2, 21):
                told = await asyncio.gather(put(one, generation), put(two, generation))
                assert sorted(told) == [200, 409], generation
                winner = one if told[0] == 200 else two
                assert [await note(one), await note(two)] == [winner, winner]
    finally:
        redis.kill()
        redis.wait()


@pytest.mark.twin
@pytest.mark.serial
async def test_a_redis_that_comes_back_empty_is_told_again(tmp_path: Path) -> None:
    """Nobody waits for it, and the plan outlives it."""
    socket = tmp_path / "r.sock"
    command = [needs("redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    redis = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        async with (
            asyncio.timeout(180),
            aiohttp.ClientSession() as http,
            node(RedisStore(f"unix://{socket}")) as one,
        ):
            viewer = Viewer(http, "seen")
            plan = {"generation": 7, "policy": "headwater", "note": "kept"}
            async with http.put(f"{one}/v1/plan", json=plan) as answer:
                assert answer.status == 200
            await viewer.poll(one)
            redis.kill()
            redis.wait()
            await viewer.poll(one)
            redis = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
            async with node(RedisStore(f"unix://{socket}")) as two:
                await until(http, two, lambda screen: screen["plan"]["generation"] == 7)
                await failing(one, "DE", http)
                await until(http, two, opened("DE"))
                await viewer.poll(two)
    finally:
        redis.kill()
        redis.wait()


async def test_a_snapshot_beyond_its_bound_decides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RT-15: when upkeep hangs, the static order answers, with the reason and the short TTL."""
    monkeypatch.setattr(upkeep, "ROUND_S", 3600)
    clock = Clock()
    async with aiohttp.ClientSession() as http, node(clock=clock) as url:
        viewer = Viewer(http, "s")
        await viewer.poll(url)
        assert (await known(http, url, "s"))["decision"]["policy"] == "headwater"
        clock.now += 10_001
        async with http.get(f"{url}/steer/hls?sid=t") as answer:
            ttl_s = json.loads(await answer.text())["TTL"]
        decision = (await known(http, url, "t"))["decision"]
    assert (decision["reason"], decision["policy"]) == ("stale", "static-priority")
    assert ttl_s <= 11
