"""A router that is told to end under load: no answer is an error or cut off, and what was
acknowledged is in the archive.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from twins.ports import free_port

from cdn_router.archive.journal import frames
from cdn_router.archive.reading import dataset

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 16
TYPES = {"Content-Type": "application/cmcd"}


class Load:
    """Clients that poll and report over connections of their own, until nobody listens."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.polls: set[int] = set()
        self.acknowledged: set[str] = set()
        self.refused: set[int] = set()

    async def client(self, name: int) -> None:
        async with aiohttp.ClientSession(self.url) as http:
            for number in range(1 << 30):
                sid = f"c{name}-{number}"
                body = f'e=t,sid="{sid}",ts={number},v=2'
                try:
                    async with http.get(f"/steer/hls?sid={sid}") as answer:
                        self.polls.add(answer.status)
                        assert (await answer.json())["VERSION"] == 1
                    async with http.post("/cmcd", data=body, headers=TYPES) as answer:
                        if answer.status == 204:
                            self.acknowledged.add(sid)
                        else:
                            self.refused.add(answer.status)
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                    return  # closed between two requests, or nobody listens

    async def ready(self) -> None:
        async with aiohttp.ClientSession(self.url) as http:
            while True:
                try:
                    async with http.get("/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)


@pytest.mark.serial
async def test_nobody_sees_an_error_when_a_router_ends(tmp_path: Path) -> None:
    port = free_port(twin_at=100)
    load = Load(port)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT}/token",
        "HEADWATER_ROUTER__PORT": str(port),
        "HEADWATER_ROUTER__CMCD_PER_PEER": "1000000",
    }
    command = [sys.executable, "-m", "headwater.cli", "router", "--data", str(tmp_path)]
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, env=environ, stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(180):
            await load.ready()
            clients = asyncio.gather(*(load.client(name) for name in range(CLIENTS)))
            while len(load.acknowledged) < 100 * CLIENTS and not clients.done():
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            await clients
            assert await process.wait() == 0, (tmp_path / "log").read_text()[-2_000:]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert load.polls == {200} and load.refused == set()
    kept = set(dataset(str(tmp_path / "objects")).to_table().column("sid").to_pylist())
    for path in (tmp_path / "router" / "journal").iterdir():
        kept |= {frame.body.split(b'"')[1].decode() for frame in frames(path.read_bytes())}
    assert load.acknowledged <= kept
