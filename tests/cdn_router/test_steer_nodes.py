"""Two router nodes and a real Redis over HTTP: nodes, Redis, links may go (RT-15, RT-16, ST-53)."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from twins.process import needs

from cdn_router import upkeep
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
        async with aiohttp.ClientSession() as http, asyncio.timeout(30):
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
