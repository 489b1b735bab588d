"""Several questions in one round trip: what becomes of each does not hang on the others."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import asyncio as driver

from runtime.clock import ManualClock
from runtime.store import RedisStore, SessionPolicy
from runtime.store.keys import account_keys, live_key, live_keys

pytestmark = pytest.mark.twin


@pytest.fixture(params=["redis_url", "redis_cluster_url"])
async def store(
    request: pytest.FixtureRequest, clock: ManualClock, policy: SessionPolicy
) -> AsyncIterator[RedisStore]:
    url = request.getfixturevalue(request.param)
    made = RedisStore(url, timeout_ms=10_000, clock=clock, policy=policy)
    await made.start()
    await made._quick.flushall()
    yield made
    await made.stop()


async def admitted(store: RedisStore, account: str, session: str) -> list[tuple[str, str]]:
    """Who had to go."""
    done = await store.admit(account, session, device="d", detail=b"", limit=5)
    return [(ended.id, ended.reason) for ended in done.ended]


async def test_who_was_replaced_is_told_of_whichever_server_forgot_its_scripts(
    redis_cluster_url: str, clock: ManualClock, policy: SessionPolicy
) -> None:
    """CTL-104: a replica that took over knows no script; no admission is carried out twice."""
    store = RedisStore(redis_cluster_url, timeout_ms=10_000, clock=clock, policy=policy)
    await store.start()
    await store._quick.flushall()

    def at(key: str) -> Any:
        return store._quick.get_node_from_key(key)

    try:
        account = next(
            name
            for name in (f"acc{n}" for n in range(10_000))
            if at(account_keys(name)[0]).name != at(live_key(name)).name
        )
        await admitted(store, account, "one")
        for before, after, key in (
            ("one", "two", live_key(account)),
            ("two", "three", account_keys(account)[0]),
        ):
            server = driver.Redis(host=at(key).host, port=at(key).port)
            await server.script_flush()
            await server.aclose()
            assert await admitted(store, account, after) == [(before, "replaced")]
    finally:
        await store.stop()


async def test_one_account_that_cannot_be_read_fails_nobody_else(
    store: RedisStore, clock: ManualClock
) -> None:
    """CTL-107, CTL-188: it alone is as good as lost, and what is to be indexed is so."""
    names = ["good", "bad", "back", "lost"]
    for name in names:
        await admitted(store, name, "one")
    clock.advance(100)
    await store.reap()
    await admitted(store, "good", "one")
    await store.put(account_keys("bad")[1], b"something else")
    shard = next(key for key in live_keys() if key == live_key("lost"))
    assert shard not in {live_key(name) for name in names if name != "lost"}
    await store.put(shard, b"something else")
    told = await store.heartbeats([(name, "one", 5) for name in names])
    assert [each.beat for each in told] == ["live", "unknown", "readmitted", "readmitted"]
    assert [each.beat for each in await store.heartbeats([("good", "one", 5)])] == ["live"]


async def test_an_account_that_cannot_be_read_keeps_nobody_from_being_reaped(
    store: RedisStore, clock: ManualClock
) -> None:
    """CTL-108: what was ended before it is told of, and what comes after it is ended."""
    names = [f"acc{n}" for n in range(200)]
    shard = [name for name in names if live_key(name) == live_key(names[0])]
    assert len(shard) >= 3
    for name in shard:
        await admitted(store, name, "one")
    await store.put(account_keys(shard[1])[1], b"something else")
    clock.advance(100)
    told = {ended.account for ended in await store.reap(count=1_000)}
    assert told == {*shard} - {shard[1]}
