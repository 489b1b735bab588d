"""Whatever is killed, and wherever: no event is lost, none overtakes another of its subject."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from control_api import events
from control_api.outbox import emit
from control_api.outbox.relay import LEASE, LIVE, Relay
from control_api.outbox.tables import outbox
from control_api.times import now_ms
from runtime.clock import ManualClock
from runtime.sql import Database, SqlError
from runtime.store import MemoryStore, RedisStore, Store, StoreError

NOW_MS = 1_700_000_000_000


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.twin)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    shared = RedisStore(request.getfixturevalue("redis_url"), timeout_ms=10_000)
    await shared.start()
    await shared._quick.flushall()
    yield shared
    await shared.stop()


async def tell(database: Database, *names: str) -> list[str]:
    """One event each; "a2" is the second of subject a."""
    ids = []
    for name in names:
        async with database.write() as connection:
            data = {"account_id": f"acc_{name[0]}", "state": name}
            ids.append(await emit(connection, "account.created", data, NOW_MS))
    return ids


async def heard(store: Store) -> list[events.Event]:
    found = await store.read("evt:account", "test", "one", count=1_000)
    return [events.decode(message.body) for message in found]


def once(told: list[events.Event]) -> list[events.Event]:
    """Without repeats, as a consumer sees them."""
    return list({event.id: event for event in told}.values())


async def waiting(database: Database) -> int:
    async with database.read() as connection:
        query = select(outbox).where(outbox.c.published_ms.is_(None))
        return len((await connection.execute(query)).all())


def relay(database: Database, store: Store, **options: Any) -> Relay:
    return Relay(database, store, owner="one", clock=ManualClock(NOW_MS), **options)


async def test_a_death_between_any_two_steps_loses_nothing(
    migrated: Database, store: Store
) -> None:
    """Steps of three events: read, appended, marked; then as many deaths in a row."""
    names = ("a1", "b1", "a2")
    for deaths in range(4):
        ids = await tell(migrated, *names)
        for step in range(deaths):
            steps = relay(migrated, store).steps()
            for _ in range(step + 1):
                await anext(steps, None)
            await steps.aclose()  # type: ignore[attr-defined]
        async for _ in relay(migrated, store).steps():
            pass
        told = once(await heard(store))
        assert [event.id for event in told] == ids, "each once, in order"
        assert await waiting(migrated) == 0
        if deaths > 1:
            assert [event.data["state"] for event in told] == list(names)


async def test_what_is_written_with_the_mark_shares_its_fate(migrated: Database) -> None:
    store = MemoryStore()
    await tell(migrated, "a1")
    seen: list[str] = []

    async def spread(connection: Any, rows: Any, now_ms: int) -> None:
        seen.extend(row.id for row in rows)
        if len(seen) == 1:
            raise StoreError("unavailable", "killed")

    killed = relay(migrated, store, spread=[spread])
    with pytest.raises(StoreError):
        await killed.turn()
    assert await waiting(migrated) == 1
    await killed.turn()
    assert len(seen) == 2 and await waiting(migrated) == 0


async def test_a_store_that_is_away_is_waited_for(migrated: Database) -> None:
    class Away(MemoryStore):
        gone = True

        async def append_all(
            self, stream: str, bodies: Sequence[bytes], *, max_len: int = 100_000
        ) -> None:
            if self.gone:
                raise StoreError("unavailable", "ConnectionError")
            return await super().append_all(stream, bodies, max_len=max_len)

    store = Away()
    ids = await tell(migrated, "a1", "a2")
    running = asyncio.create_task(relay(migrated, store).run())
    await asyncio.sleep(0)
    assert await heard(store) == []
    store.gone = False
    async with asyncio.timeout(60):
        while await waiting(migrated):
            await asyncio.sleep(0.01)
    running.cancel()
    assert [event.id for event in once(await heard(store))] == ids


async def test_one_relay_works_at_a_time(migrated: Database, store: Store) -> None:
    ids = await tell(migrated, "a1")
    second = Relay(migrated, store, owner="two", clock=ManualClock(NOW_MS))
    assert await store.put_if_absent(LEASE, b"one", 60_000)
    await second.turn()
    assert await waiting(migrated) == 1
    await store.delete(LEASE)
    await second.turn()
    assert [event.id for event in await heard(store)] == ids


async def test_listeners_of_the_moment_are_told(migrated: Database, store: Store) -> None:
    (told,) = await tell(migrated, "a1")
    async with store.subscribe(LIVE) as messages:
        await relay(migrated, store).turn()
        async with asyncio.timeout(60):
            assert events.decode(await anext(messages)).id == told


async def test_a_forgetful_store_is_told_the_last_minute_again(migrated: Database) -> None:
    """One that ends with its process."""
    clock = ManualClock(NOW_MS)
    first = Relay(migrated, MemoryStore(), owner="one", clock=clock)
    await tell(migrated, "a1")
    await first.turn()
    clock.advance(120)
    ids = await tell(migrated, "b1", "b2")
    await first.turn()
    clock.advance(7_200)
    store = MemoryStore()
    await Relay(migrated, store, owner="two", clock=clock).turn()
    assert [event.id for event in await heard(store)] == ids, "and nothing older"


@pytest.mark.parametrize("kept", [0, 1, 2])
async def test_a_store_that_loses_the_end_of_its_streams_is_told_it_again(
    migrated: Database, store: Store, kept: int
) -> None:
    """Started anew on an empty disk or an old one, its lease with it or not (CTL-170)."""
    clock = ManualClock(NOW_MS)
    first = Relay(migrated, store, owner="one", clock=clock)
    ids = await tell(migrated, "a1", "b1")
    await first.turn()
    bodies = [message.body for message in await store.read("evt:account", "old", "one")]
    clock.advance(5)
    ids += await tell(migrated, "a2")
    await first.turn()
    lease = await store.get(LEASE) if kept else None
    if isinstance(store, RedisStore):
        await store._quick.flushall()
    else:
        store = first._store = MemoryStore()
    await store.append_all("evt:account", bodies[:kept])
    if lease is not None:
        await store.put(LEASE, lease, 60_000)
    clock.advance(2)
    await first.turn()
    told = await heard(store)
    assert [event.id for event in told] == ids[:kept] + ids
    clock.advance(2)
    await first.turn()
    await Relay(migrated, store, owner="one", clock=clock).turn()
    assert await heard(store) == [], "nothing was lost since"


async def test_times_of_publication_go_on_where_another_relay_was(migrated: Database) -> None:
    """Listeners go on by them (CTL-170), whatever became of the clock meanwhile."""
    clock = ManualClock(NOW_MS)
    store = MemoryStore()
    await tell(migrated, "a1")
    await Relay(migrated, store, owner="one", clock=clock).turn()
    await tell(migrated, "a2")
    await store.delete(LEASE)
    late = ManualClock(NOW_MS - 3_600_000)
    await Relay(migrated, store, owner="two", clock=late).turn()
    async with migrated.read() as connection:
        query = select(outbox.c.published_ms).order_by(outbox.c.seq)
        first, second = (await connection.execute(query)).scalars()
    assert first < second


async def test_who_took_over_while_the_database_was_away_learns_later(
    migrated: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is its own by then."""
    clock = ManualClock(NOW_MS)
    ids = await tell(migrated, "a1")
    await Relay(migrated, store, owner="one", clock=clock).turn()
    assert [event.id for event in await heard(store)] == ids
    (message,) = await store.claim("evt:account", "test", "two", min_idle_ms=0)
    await store.drop("evt:account", [message.id])
    await store.delete(LEASE)
    heir = Relay(migrated, store, owner="two", clock=clock)

    async def away(*_: Any) -> Any:
        raise SqlError("unavailable", "killed")

    with monkeypatch.context() as patch, pytest.raises(SqlError):
        patch.setattr(migrated, "ask", away)
        await heir.turn()
    await heir.turn()
    assert [event.id for event in await heard(store)] == ids


async def test_who_lost_the_lease_moves_nothing_that_was_published(migrated: Database) -> None:
    """Listeners go on behind what they heard last: its place stays (CTL-170)."""
    store, ahead = MemoryStore(), ManualClock(NOW_MS + 60_000)
    ids = await tell(migrated, "a1")
    frozen = Relay(migrated, store, owner="one", clock=ahead).steps()
    while await anext(frozen) != "appended":
        pass
    heir = Relay(migrated, store, owner="two", clock=ManualClock(NOW_MS))
    await heir.turn()
    ids += await tell(migrated, "a2")
    await heir.turn()
    async for _ in frozen:
        pass
    async with migrated.read() as connection:
        query = select(outbox.c.id).order_by(outbox.c.published_ms, outbox.c.seq)
        assert list((await connection.execute(query)).scalars()) == ids


async def test_what_was_sent_long_ago_is_forgotten(migrated: Database) -> None:
    clock = ManualClock(NOW_MS)
    tidy = Relay(migrated, MemoryStore(), owner="one", clock=clock, kept_ms=3_600_000)
    await tell(migrated, "a1")
    await tidy.turn()
    clock.advance(3_700)
    (young,) = await tell(migrated, "a2")
    await tidy.turn()
    async with migrated.read() as connection:
        assert [row.id for row in await connection.execute(select(outbox))] == [young]


async def test_a_relay_that_is_days_ahead_forgets_nothing_for_all(migrated: Database) -> None:
    store, clock = MemoryStore(), ManualClock(now_ms())
    (told,) = await tell(migrated, "a1")
    await Relay(migrated, store, owner="one", clock=clock).turn()
    await store.delete(LEASE)
    ahead = ManualClock(clock.now_ms() + 10 * 86_400_000)
    await Relay(migrated, store, owner="two", clock=ahead).turn()
    async with migrated.read() as connection:
        assert [row.id for row in await connection.execute(select(outbox))] == [told]
