"""Many listen, one subscription hears: to the embedded store and to Redis (CTL-170)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from control_api import events
from control_api.outbox import hearing
from control_api.outbox.relay import LIVE
from runtime.store import MemoryStore, RedisStore, Store, StoreError

NOW_MS = 1_700_000_000_000


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.twin)])
async def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    """One that counts its subscriptions."""
    made: Any = MemoryStore()
    if request.param == "redis":
        made = RedisStore(request.getfixturevalue("redis_url"), timeout_ms=10_000)
        await made.start()
    subscribe = type(made).subscribe
    made.subscriptions = []

    def counted(self: Any, channel: str) -> Any:
        self.subscriptions.append(channel)
        return subscribe(self, channel)

    monkeypatch.setattr(type(made), "subscribe", counted)
    yield made
    if request.param == "redis":
        await made.stop()


def event(state: str = "x", kind: str = "account.created") -> bytes:
    data = {"account_id": "acc_1", "state": state}
    return events.encode(events.make(kind, data, NOW_MS, event_id=f"msg_{state}"))


async def test_a_thousand_listeners_cost_one_subscription(store: Any) -> None:
    async with AsyncExitStack() as stack:
        ears = [
            await stack.enter_async_context(hearing.listen(store, "account.")) for _ in range(1_000)
        ]
        other = await stack.enter_async_context(hearing.listen(store, "epg.event."))
        await store.publish(LIVE, event("a"))
        await store.publish(LIVE, event("b"))
        async with asyncio.timeout(60):
            assert {await anext(ear) for ear in ears} == {event("a")}
            assert {await anext(ear) for ear in ears} == {event("b")}
        assert store.subscriptions == [LIVE]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(other), 0.01)
    async with hearing.listen(store, "") as again:
        await store.publish(LIVE, event("c"))
        async with asyncio.timeout(60):
            assert await anext(again) == event("c")
    assert store.subscriptions == [LIVE] * 2, "the last listener ends it"


async def test_who_reads_too_slowly_is_sent_away_and_nobody_else(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has what waited for it, in order, and knows that there was more."""
    monkeypatch.setattr(hearing, "MAX_UNREAD", 3)
    async with hearing.listen(store, "") as slow, hearing.listen(store, "") as quick:
        async with asyncio.timeout(60):
            for n in range(5):
                await store.publish(LIVE, event(str(n)))
                assert await anext(quick) == event(str(n))
            assert [await anext(slow) for _ in range(3)] == [event(str(n)) for n in range(3)]
            with pytest.raises(StoreError):
                await anext(slow)
            await store.publish(LIVE, event("5"))
            assert await anext(quick) == event("5")


async def test_a_store_that_goes_ends_all_and_comes_back(store: Any) -> None:
    async with AsyncExitStack() as stack:
        ears = [await stack.enter_async_context(hearing.listen(store, "")) for _ in range(3)]
        hearing._ROUNDS[store].task.cancel()
        async with asyncio.timeout(60):
            for ear in ears:
                with pytest.raises(StoreError):
                    await anext(ear)
        async with hearing.listen(store, "") as again:
            await store.publish(LIVE, event())
            async with asyncio.timeout(60):
                assert await anext(again) == event()
