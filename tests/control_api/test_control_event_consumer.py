"""Consumers: at least once, in order per subject, three retries, dead letters, replay (CTL-172)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from control_api import events
from control_api.outbox import dead, emit
from control_api.outbox.alone import Alone
from control_api.outbox.consumer import DELAYS_S, Consumer, Later
from control_api.outbox.relay import Relay
from runtime.clock import ManualClock
from runtime.sql import Database, SqlError
from runtime.store import MemoryStore, RedisStore, Store

NOW_MS = 1_700_000_000_000
CLOCK = ManualClock(NOW_MS)


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


class Handler:
    """Remembers what it was given; fails on what it is told to fail on."""

    def __init__(self, *poison: str) -> None:
        self.poison = set(poison)
        self.tried: Counter[str] = Counter()
        self.done: list[str] = []

    async def __call__(self, event: events.Event) -> None:
        name = event.data["state"]
        self.tried[name] += 1
        await asyncio.sleep(0)
        if name in self.poison:
            raise ValueError(f"cannot read {name}")
        self.done.append(name)


class Naps:
    """Sleeps that take no time and are remembered."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def running(
    database: Database, store: Store, handle: Any, naps: Any = None, **options: Any
) -> AsyncIterator[Consumer]:
    consumer = Consumer(
        database, store, "g", ["account"], handle, name="one", sleep=naps or Naps(), **options
    )
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        await ended(task)


async def ended(task: "asyncio.Task[None]") -> None:
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await true():
            await asyncio.sleep(0.01)


async def tell(database: Database, store: Store, *names: str) -> None:
    async with database.write() as connection:
        for name in names:
            data = {"account_id": f"acc_{name[0]}", "state": name}
            await emit(connection, "account.created", data, NOW_MS)
    await relayed(database, store)


async def relayed(database: Database, store: Store) -> None:
    async for _ in Relay(database, store, owner="r", clock=CLOCK).steps():
        pass


async def letters(database: Database) -> list[Any]:
    async with database.read() as connection:
        return list(await dead.letters(connection, None, 100))


async def test_a_poisonous_event_among_fifty(migrated: Database, store: Store) -> None:
    """CTL-172: 49 done, 4 tries, 1 dead letter, 0 pending; and operators are told once."""
    names = [f"{'abcde'[n % 5]}{n:02}" for n in range(1, 51)]
    handler, naps = Handler("b06"), Naps()
    async with running(migrated, store, handler, naps):
        await tell(migrated, store, *names)

        async def settled() -> bool:
            return len(handler.done) == 49 and await store.lag("evt:account", "g") == 0

        await until(settled)
    assert handler.tried["b06"] == 4 and naps.taken == list(DELAYS_S)
    assert await store.pending("evt:account", "g") == 0
    for subject in "abcde":
        mine = [name for name in handler.done if name[0] == subject]
        assert mine == [name for name in names if name[0] == subject and name != "b06"], "in order"
    (letter,) = await letters(migrated)
    assert (letter.topic, letter.consumer, letter.attempts) == ("evt:account", "g", 4)
    assert letter.error == "ValueError: cannot read b06"
    assert [m.body.decode() for m in await store.read("evt:account:dlq", "t", "t")] == [
        letter.payload
    ]
    await relayed(migrated, store)
    (told,) = await store.read("evt:dlq", "t", "t")
    event = events.decode(told.body)
    assert (event.type, event.data["dead_id"]) == ("dlq.message_added", letter.id)


async def test_a_poisonous_subject_holds_up_no_other(migrated: Database) -> None:
    store, handler = MemoryStore(), Handler("a1")
    asleep = asyncio.Event()

    async def nap(_: float) -> None:
        await asleep.wait()

    async with running(migrated, store, handler, nap):
        await tell(migrated, store, "a1", "a2", "b1", "c1")

        async def others() -> bool:
            return set(handler.done) == {"b1", "c1"}

        await until(others)
        asleep.set()

        async def all_but_one() -> bool:
            return "a2" in handler.done

        await until(all_but_one)


async def test_a_replayed_letter_is_handled_by_who_failed_only(
    migrated: Database, store: Store
) -> None:
    handler, other = Handler("a1"), Handler()
    async with running(migrated, store, handler):
        await tell(migrated, store, "a1")

        async def buried() -> bool:
            return len(await letters(migrated)) == 1

        await until(buried)
        second = Consumer(migrated, store, "other", ["account"], other, name="x", sleep=Naps())
        (message,) = await store.read("evt:account", "other", "x")
        assert await second.settle("evt:account", message) == "handled"
        handler.poison.clear()
        async with migrated.write() as connection:
            row = await dead.one(connection, (await letters(migrated))[0].id)
            await dead.again(connection, row, NOW_MS)
        await relayed(migrated, store)

        async def handled() -> bool:
            return handler.done == ["a1"]

        await until(handled)
        (message,) = await store.read("evt:account", "other", "x")
        assert await second.settle("evt:account", message) == "repeated"
    assert other.done == ["a1"] and await letters(migrated) == []


async def test_a_dead_consumers_messages_are_taken_over(migrated: Database, store: Store) -> None:
    handler = Handler()
    await tell(migrated, store, "a1", "a2")
    assert len(await store.read("evt:account", "g", "died")) == 2
    async with running(migrated, store, handler, idle_ms=1):

        async def all_done() -> bool:
            return await store.pending("evt:account", "g") == 0

        await until(all_done)
    assert handler.done == ["a1", "a2"]


async def test_nothing_is_given_up_while_the_database_is_away(migrated: Database) -> None:
    """A letter that cannot be written stays pending, and is tried again later."""
    store, handler = MemoryStore(), Handler("a1")
    await tell(migrated, store, "a1")

    class Away:
        def write(self) -> Any:
            raise SqlError("unavailable", "killed")

    lame = Consumer(
        Away(),  # type: ignore[arg-type]
        store,
        "g",
        ["account"],
        handler,
        name="x",
        sleep=Naps(),
    )
    (message,) = await store.read("evt:account", "g", "x")
    with pytest.raises(SqlError):
        await lame.settle("evt:account", message)
    assert await store.pending("evt:account", "g") == 1


async def test_what_a_handler_works_with_is_waited_for(migrated: Database) -> None:
    """More often than an event would be tried that fails by itself."""
    store, tried = MemoryStore(), 0

    async def handle(event: events.Event) -> None:
        nonlocal tried
        tried += 1
        if tried < 9:
            raise Later("away")

    await tell(migrated, store, "a1")
    consumer = Consumer(migrated, store, "g", ["account"], handle, name="x", sleep=Naps())
    (message,) = await store.read("evt:account", "g", "x")
    assert await consumer.settle("evt:account", message) == "handled" and tried == 9


async def test_nobody_overtakes_what_the_dead_one_had_in_hand(
    migrated: Database, store: Store
) -> None:
    """CTL-170: of two that work alone one does; its heir begins with what it left."""
    away, sent, leads = True, list[str](), dict[str, str]()

    def member(name: str) -> asyncio.Task[None]:
        async def send(event: events.Event) -> None:
            leads.setdefault("first", name)
            await asyncio.sleep(0)
            if away:
                raise Later("away")
            sent.append(event.data["state"])

        one = Consumer(migrated, store, "g", ["account"], send, name=name, sleep=nap, alone=True)
        return asyncio.create_task(Alone(store, "lease", name, one.run, lease_ms=1_500).run())

    async def nap(_: float) -> None:
        await asyncio.sleep(0.01)

    async def tried() -> bool:
        return "first" in leads

    async def all_sent() -> bool:
        return set(sent) == {"a1", "a2", "a3", "b1", "b2"}

    await tell(migrated, store, "a1", "a2", "b1")
    begun = {name: member(name) for name in ("one", "two")}
    try:
        await until(tried)
        await ended(begun.pop(leads["first"]))
        await tell(migrated, store, "a3", "b2")
        away = False
        await until(all_sent)
    finally:
        for task in begun.values():
            await ended(task)
    for subject in "ab":
        mine = [name for name in dict.fromkeys(sent) if name[0] == subject]
        assert mine == sorted(mine)


async def test_what_another_was_given_meanwhile_is_not_overtaken(
    migrated: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CTL-170: of one that lost its lease a read may still wait in the store."""
    read, handler, given = store.read, Handler(), list[Any]()

    async def late(*who: str, **options: Any) -> Any:
        if not given:
            await tell(migrated, store, "a1")
            given.extend(await read("evt:account", "g", "frozen"))
            await tell(migrated, store, "a2")
        return await read(*who, **options)

    async def both() -> bool:
        return len(handler.done) == 2

    monkeypatch.setattr(store, "read", late)
    async with running(migrated, store, handler, alone=True):
        await until(both)
    assert handler.done == ["a1", "a2"] and len(given) == 1


async def test_what_is_no_event_goes_to_the_dead_letters(migrated: Database, store: Store) -> None:
    async with running(migrated, store, Handler()):
        for body in (b"", b"\0{", b"\xff", b'{"type":1}', b"[" * 30_000):
            await store.append("evt:account", body)

        async def buried() -> bool:
            """And then taken off the stream."""
            return len(await letters(migrated)) == 5 and not await store.pending("evt:account", "g")

        await until(buried)
    with pytest.raises(events.EventError):
        async with migrated.write() as connection:
            await dead.again(connection, (await letters(migrated))[0], NOW_MS)
