"""A cluster of Redis, beside the contract of every store: where commands go, and what the servers
say of it (Redis Cluster specification, "Redirection and resharding").
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import asyncio as driver

from runtime.store import RedisStore, StoreError
from runtime.store.cluster import Lanes

pytestmark = pytest.mark.twin
KEYS = [f"{{{n}}}:k" for n in range(12)]


@pytest.fixture
async def store(redis_cluster_url: str) -> AsyncIterator[RedisStore]:
    made = RedisStore(redis_cluster_url, timeout_ms=20_000)
    await made.start()
    await made._quick.flushall()
    yield made
    await made.stop()


def servers(store: RedisStore) -> Any:
    return store._quick.nodes_manager


async def test_who_asks_while_it_starts_is_told_so(redis_cluster_url: str) -> None:
    """No server answers for another's keys before it is known that there are several."""
    store = RedisStore(redis_cluster_url, timeout_ms=20_000)
    starting = asyncio.create_task(store.start())
    try:
        while not starting.done():
            for key in KEYS:
                if not starting.done():
                    with pytest.raises(StoreError, match="unavailable: not started"):
                        await store.get(key)
            await asyncio.sleep(0)
        await starting
        assert [await store.get(key) for key in KEYS] == [None] * len(KEYS)
    finally:
        await store.stop()


async def test_who_does_not_know_better_is_told_where_keys_are(store: RedisStore) -> None:
    first, *_ = store._quick.get_primaries()
    known = servers(store).slots_cache
    servers(store).slots_cache = {slot: [first] for slot in known}
    for key in KEYS:
        await store.put(key, key.encode())
    assert [await store.get(key) for key in KEYS] == [key.encode() for key in KEYS]
    assert len({store._quick.get_node_from_key(key).name for key in KEYS}) == 3
    right = {slot: nodes[0].name for slot, nodes in known.items()}
    learnt = {slot: nodes[0].name for slot, nodes in servers(store).slots_cache.items()}
    asked = {store._quick.keyslot(key) for key in KEYS}
    assert {slot: learnt[slot] for slot in asked} == {slot: right[slot] for slot in asked}


async def test_a_slot_on_its_way_is_asked_for_at_both_ends(store: RedisStore) -> None:
    """What is there already is new; the old server goes on to own the slot."""
    slot = store._quick.keyslot("moving")
    owner = store._quick.get_node_from_key("moving")
    other = next(node for node in store._quick.get_primaries() if node.name != owner.name)
    ends = [driver.Redis(host=node.host, port=node.port) for node in (owner, other)]
    old, new = ends
    ids = [(await end.cluster("MYID")).decode() for end in ends]
    try:
        await new.cluster("SETSLOT", slot, "IMPORTING", ids[0])
        await old.cluster("SETSLOT", slot, "MIGRATING", ids[1])
        await store.put("moving", b"new")
        assert await store.get("moving") == b"new"
        assert [await end.dbsize() for end in ends] == [0, 1]
        assert store._quick.get_node_from_key("moving") is owner
    finally:
        for end in ends:
            await end.cluster("SETSLOT", slot, "STABLE")
            await end.aclose()


async def test_a_lost_server_is_looked_for(store: RedisStore) -> None:
    """Nothing is sent twice; the next question finds whoever has the key by then."""
    await store.put("k", b"1")
    nobody = driver.cluster.ClusterNode("127.0.0.1", 9)
    known = servers(store).slots_cache
    servers(store).slots_cache = {slot: [nobody] for slot in known}
    with pytest.raises(StoreError, match="unavailable"):
        await store.get("k")
    await store._lane._looking
    assert await store.get("k") == b"1"


async def test_who_is_sent_elsewhere_after_the_end_opens_no_lane() -> None:
    lanes = Lanes("redis://127.0.0.1:1", 1.0, None)
    lanes._at("127.0.0.1:1")
    await lanes.close()
    with pytest.raises(StoreError, match="closed"):
        lanes._at("127.0.0.1:2")
