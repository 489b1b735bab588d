"""What gauges tell of events that wait: all of them, whatever is away (CTL-170)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import insert

from control_api import ids
from control_api.outbox import relay
from control_api.outbox.relay import BATCH, LEASE, Relay
from control_api.outbox.tables import outbox
from runtime.clock import ManualClock
from runtime.sql import Database
from runtime.store import MemoryStore, StoreError

NOW_MS = 1_700_000_000_000
OLDEST_MS = NOW_MS - 90_000
MANY = 3 * BATCH + 7


def told() -> tuple[float, float]:
    """Events that wait, and for how many seconds the oldest does."""
    return relay.WAITING._value.get(), relay.LAG._value.get()


async def wait(database: Database, count: int) -> None:
    rows = [
        {
            "id": ids.new("event"),
            "topic": "account.created",
            "key": "acc_a",
            "payload": "{}",
            "created_ms": OLDEST_MS + number,
        }
        for number in range(count)
    ]
    async with database.write() as connection:
        await connection.execute(insert(outbox), rows)


def one(database: Database, store: Any) -> Relay:
    return Relay(database, store, owner="one", clock=ManualClock(NOW_MS))


async def test_more_than_a_batch_is_told(migrated: Database) -> None:
    await wait(migrated, MANY)
    steps = one(migrated, MemoryStore()).steps()
    await anext(steps)
    assert told() == (MANY, 90.0)


async def test_a_store_that_is_away_hides_nothing(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = MemoryStore(), asyncio.Event()

    async def away(*_: Any) -> bool:
        if told() == (3, 90.0):
            asked.set()
        raise StoreError("unavailable", "test")

    monkeypatch.setattr(store, "renew", away)
    await wait(migrated, 3)
    running = asyncio.create_task(one(migrated, store).run())
    async with asyncio.timeout(60):
        await asked.wait()
    running.cancel()


async def test_who_does_not_relay_tells_of_nothing(migrated: Database) -> None:
    """Else the last word of who once did would stand for ever."""
    store = MemoryStore()
    await wait(migrated, 3)
    await store.put_if_absent(LEASE, b"another", 60_000)
    relay.WAITING.set(9)
    relay.LAG.set(9)
    assert not await one(migrated, store).turn()
    assert told() == (0, 0)
