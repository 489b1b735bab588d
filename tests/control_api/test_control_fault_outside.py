"""From outside: what was acknowledged is there whatever died, and nobody is told 500 (CTL-189).

Real processes of the API under viewers who write down what they were told. CI kills one process on
its embedded engines; HEADWATER_LONG_FAULTS=1 kills, freezes and restarts PostgreSQL, Redis and
processes singly and together, fails over a Redis Cluster, and sets clocks wrong.
"""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from redis import asyncio as driver
from twins import engines
from twins.failing_cluster import failing_cluster
from twins.nodes import Node
from twins.process import needs
from twins.stranger import SETTINGS, Ear, Stranger, plant

pytestmark = [pytest.mark.twin, pytest.mark.serial, pytest.mark.timeout(600)]
long = pytest.mark.skipif(
    os.environ.get("HEADWATER_LONG_FAULTS") != "1", reason="HEADWATER_LONG_FAULTS=1 runs it"
)
VIEWERS = 4
DOWN_S = 5.0
BACK_S = 120.0
QUICK = SETTINGS | {"control__timeouts": {"breaker_s": 2}, "control__session_ttl_s": 5}


async def until(true: Callable[[], Any], what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + BACK_S
    while not true():
        assert time.monotonic() < deadline, what()
        await asyncio.sleep(0.1)


@asynccontextmanager
async def watched(nodes: Sequence[Node], url: str) -> AsyncIterator[tuple[Stranger, Ear]]:
    """Viewers at work; afterwards everything that they were told is looked for."""
    async with AsyncExitStack() as stack:
        for node in nodes:
            stack.callback(node.kill)
            node.start()
            await asyncio.to_thread(node.wait)
        await plant(url, VIEWERS)
        ear = await stack.enter_async_context(Ear())
        stranger = await stack.enter_async_context(Stranger(nodes, VIEWERS))
        await stranger.listen(ear)
        stranger.go()
        await until(lambda: len(stranger.stopped) > VIEWERS, lambda: stranger.answers)
        yield stranger, ear
        await back(stranger)
        await stranger.rest()
        assert not stranger.odd, stranger.odd[:5]
        missed = await stranger.missed(url)
        deadline = time.monotonic() + BACK_S
        while missed and time.monotonic() < deadline:  # what is owed is paid now and then
            await asyncio.sleep(0.5)
            missed = await stranger.missed(url)
        assert not missed, missed[:5]
        await until(lambda: not stranger.untold(ear), lambda: stranger.untold(ear)[:5])


async def back(stranger: Stranger) -> None:
    """Everything succeeds again, by itself."""
    before = stranger.answers.copy()

    def again() -> bool:
        gained = stranger.answers - before
        good = {kind for kind, status in gained if status in (200, 201, 204)}
        return good >= {"mark", "wish", "record", "start", "beat", "stop", "buy"}

    await until(again, lambda: stranger.answers - before)


async def test_a_process_that_is_killed_has_written_what_it_acknowledged(tmp_path: Path) -> None:
    """On SQLite and its own store."""
    node = Node(tmp_path, **SETTINGS)
    url = f"sqlite:///{tmp_path}/data/control/headwater.sqlite"
    async with watched([node], url):
        node.restart()
        await asyncio.to_thread(node.wait)


FAULTS = [
    ("kill", ["postgresql"]),
    ("kill", ["redis"]),
    ("kill", ["postgresql", "redis"]),
    ("freeze", ["postgresql"]),
    ("freeze", ["redis"]),
    ("freeze", ["postgresql", "redis"]),
    ("kill", ["one"]),
    ("kill", ["redis", "one"]),
]


@long
@pytest.mark.parametrize(
    ("how", "whom"), FAULTS, ids=lambda each: "-".join(each) if isinstance(each, list) else each
)
async def test_two_processes_on_engines_that_fail(
    how: str, whom: list[str], tmp_path: Path
) -> None:
    """Redis has no file here: what it forgets costs no event (CTL-170), no session, no limit."""
    with engines.postgresql() as postgresql, engines.redis() as redis:
        postgresql.wait()
        redis.wait()
        shared = QUICK | {"sql__url": postgresql.url, "store__url": redis.url}
        nodes = [Node(tmp_path, name, **shared) for name in ("one", "two")]
        parts: dict[str, Any] = {"postgresql": postgresql, "redis": redis, "one": nodes[0]}
        async with watched(nodes, postgresql.url) as (stranger, _), read(redis.url) as tail:
            for name in whom:
                await asyncio.to_thread(getattr(parts[name], how))
            await asyncio.sleep(DOWN_S)
            for name in whom:
                parts[name].start() if how == "kill" else parts[name].thaw()
            for name in whom:
                if how == "kill":
                    await asyncio.to_thread(parts[name].wait)
            await back(stranger)
            await stranger.rest()
            await until(lambda: not stranger.untold(tail), lambda: stranger.untold(tail)[:5])
            stranger.go()


@asynccontextmanager
async def read(url: str) -> AsyncIterator[Ear]:
    """A slow reader of the streams, who misses what a store forgets before it looks."""
    tail = Ear()

    async def follow() -> None:
        last: dict[str, Any] = {"evt:playback": "0", "evt:recording": "0"}
        while True:
            with suppress(driver.RedisError, OSError):
                async with driver.Redis.from_url(url, socket_timeout=5) as client:
                    while True:
                        for stream, entries in await client.xread(last, count=1_000):
                            last[stream.decode()] = entries[-1][0]
                            for _, fields in entries:
                                tail.note(json.loads(fields[b"b"]))
                        await asyncio.sleep(1.5)
            await asyncio.sleep(0.1)

    reading = asyncio.create_task(follow())
    yield tail
    reading.cancel()


@long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_primary_of_the_cluster_fails(number: signal.Signals, tmp_path: Path) -> None:
    with engines.postgresql() as postgresql, failing_cluster() as cluster:
        postgresql.wait()
        shared = QUICK | {"sql__url": postgresql.url, "store__url": cluster.url}
        nodes = [Node(tmp_path, name, **shared) for name in ("one", "two")]
        async with watched(nodes, postgresql.url) as (stranger, _):
            for _ in range(2):
                port = cluster.primary()
                cluster.tell(port, number)
                await asyncio.sleep(DOWN_S)
                await back(stranger)
                if number is signal.SIGKILL:
                    cluster.serve(port)
                else:
                    cluster.tell(port, signal.SIGCONT)
                await back(stranger)


@long
@pytest.mark.parametrize("of", ["one", "both"])
async def test_clocks_that_are_set_wrong_and_right_again(of: str, tmp_path: Path) -> None:
    """An hour ahead, and an hour behind: sessions, slots, limits, tokens and events go on."""
    loaded, told = tmp_path / "wall_clock.so", tmp_path / "ahead"
    source = Path(engines.__file__).with_name("wall_clock.c")
    subprocess.run(
        [needs("cc"), "-shared", "-fPIC", "-O2", "-o", str(loaded), str(source)], check=True
    )
    told.write_text("0\n")
    with engines.postgresql() as postgresql, engines.redis() as redis:
        postgresql.wait()
        redis.wait()
        shared = QUICK | {"sql__url": postgresql.url, "store__url": redis.url}
        nodes = [Node(tmp_path, name, **shared) for name in ("one", "two")]
        for node in nodes if of == "both" else nodes[:1]:
            node.environ |= {"LD_PRELOAD": str(loaded), "WALL_CLOCK": str(told)}
        async with watched(nodes, postgresql.url) as (stranger, _):
            for ahead_s in (3_600, 0, -3_600, 0):
                stranger.steps(ahead_s, everywhere=of == "both")
                told.write_text(f"{ahead_s}\n")
                await back(stranger)
                await asyncio.sleep(DOWN_S)


@long
async def test_a_frozen_router_costs_its_budget_then_nothing(tmp_path: Path) -> None:
    """CTL-187, CTL-188: the static order with its reason, five times late, then at once."""
    router = Node(tmp_path, "router", service="router")
    node = Node(tmp_path, **QUICK, control__router_url=router.url)
    url = f"sqlite:///{tmp_path}/data/control/headwater.sqlite"
    router.start()
    try:
        await asyncio.to_thread(router.wait)
        async with watched([node], url) as (stranger, _):
            await until(lambda: stranger.reasons[-1:] == ["priority"], lambda: stranger.reasons)
            router.freeze()
            late = ["router_timeout"] * 5
            await until(lambda: "router_unavailable" in stranger.reasons, lambda: stranger.reasons)
            assert stranger.reasons.count("router_timeout") >= len(late)
            await back(stranger)
            router.thaw()
            await until(lambda: stranger.reasons[-1:] == ["priority"], lambda: stranger.reasons)
            assert not {status for kind, status in stranger.answers if kind == "start"} - {201}
    finally:
        router.thaw()
        router.kill()
