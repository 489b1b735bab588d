"""A store that lost its memory is cold for as long as a session may be silent, in its own time
whatever the clocks of the nodes say (CTL-102, CTL-188).
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control_api.guarded import Shelf
from control_api.ledger import Ledger
from control_api.sessions import Clockwork
from control_api.streams import SINCE, Streams
from runtime.clock import ManualClock
from runtime.store import MemoryStore, RedisStore, Store

TTL_S = 90
AHEAD_MS = (0, 120_000, -120_000)  # of each node's clock


@pytest.fixture
def hand() -> ManualClock:
    """The store's time."""
    return ManualClock()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.twin)])
async def store(request: pytest.FixtureRequest, hand: ManualClock) -> AsyncIterator[Store]:
    made: Any = MemoryStore(clock=hand)
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        made = RedisStore(url, timeout_ms=10_000, clock=hand)
    await made.start()
    await made.delete(SINCE)
    yield made
    await made.stop()


@pytest.fixture
def nodes(store: Store) -> list[Streams]:
    nothing: Any = None
    ledger = Ledger(nothing, flush_s=60)
    times = Clockwork(TTL_S, 86_400, 300)
    return [Streams(nothing, Shelf(store, 30), ledger, b"s" * 32, times) for _ in range(3)]


async def cold(nodes: list[Streams], hand: ManualClock) -> list[bool]:
    """To each node by its own clock."""
    clocks = zip(nodes, AHEAD_MS, strict=True)
    return [await node._cold(hand.now_ms() + by_ms) for node, by_ms in clocks]


@pytest.mark.parametrize("first", [0, 1, 2])
async def test_all_nodes_call_a_store_cold_for_as_long(
    nodes: list[Streams], hand: ManualClock, first: int
) -> None:
    """Whichever looks first."""
    await nodes[first]._cold(hand.now_ms() + AHEAD_MS[first])
    assert await cold(nodes, hand) == [True] * 3
    hand.advance(TTL_S - 1)
    assert await cold(nodes, hand) == [True] * 3
    hand.advance(2)
    assert await cold(nodes, hand) == [False] * 3


async def test_an_emptied_store_is_cold_again(
    nodes: list[Streams], hand: ManualClock, store: Store
) -> None:
    await cold(nodes, hand)
    hand.advance(TTL_S + 1)
    assert await cold(nodes, hand) == [False] * 3
    await store.delete(SINCE)
    hand.advance(2)
    assert await cold(nodes, hand) == [True] * 3


async def test_a_beginning_that_is_to_come_is_not_waited_for(
    nodes: list[Streams], hand: ManualClock, store: Store
) -> None:
    """A clock that is put right keeps nobody cold for as long as it was ahead."""
    await store.put(SINCE, b"%d" % (hand.now_ms() + 3_600_000))
    assert await cold(nodes, hand) == [True] * 3
    hand.advance(TTL_S + 1)
    assert await cold(nodes, hand) == [False] * 3
    hand._now_ms -= 3_600_000
    assert await cold(nodes, hand) == [True] * 3
    hand.advance(TTL_S + 1)
    assert await cold(nodes, hand) == [False] * 3
