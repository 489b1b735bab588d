"""Stores of every kind, as two processes have them (CMP-1, CMP-2)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from runtime.clock import ManualClock
from runtime.store import MemoryStore, RedisStore, SessionPolicy, Store

POLICY = SessionPolicy(ttl_ms=90_000, late_ms=600_000, kept_ms=86_400_000)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(
    params=[
        "memory",
        pytest.param("redis_url/2", marks=pytest.mark.twin),
        pytest.param("redis_url/3", marks=pytest.mark.twin),
        pytest.param("valkey_url/3", marks=pytest.mark.twin),
        pytest.param("redis_cluster_url/3", marks=pytest.mark.twin),
    ]
)
async def pair(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[list[Store]]:
    """Two clients of one store, as two processes would be; the clock moves sessions and limits."""
    if request.param == "memory":
        alone = MemoryStore(policy=POLICY)
        alone._clock = _Half(clock)
        yield [alone, alone]
        return
    fixture, protocol = request.param.split("/")
    url = request.getfixturevalue(fixture)
    stores = [
        RedisStore(url, timeout_ms=20_000, protocol=int(protocol), clock=clock, policy=POLICY)
        for _ in range(2)
    ]
    for each in stores:
        await each.start()
    await stores[0]._quick.flushall()
    yield list(stores)
    for each in stores:
        await each.stop()


class _Half:
    """Wall time by hand, TTLs by the real clock, as a server has it."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()


@pytest.fixture
def policy() -> SessionPolicy:
    return POLICY


@pytest.fixture
def store(pair: list[Store]) -> Store:
    return pair[0]
