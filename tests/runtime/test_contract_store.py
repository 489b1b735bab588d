"""One contract for every store (CMP-1, CMP-2): in-process, Redis 7.0 in RESP2 and RESP3, Valkey."""

import asyncio
import contextlib

from runtime.clock import ManualClock
from runtime.store import Store

DEADLINE_S = 60


async def gone(store: Store, key: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while await store.get(key) is not None:
            await asyncio.sleep(0.005)


async def test_values_come_back_as_bytes(store: Store) -> None:
    await store.put("{t}:a", b"\x00\xff")
    assert await store.get("{t}:a") == b"\x00\xff"
    assert await store.mget(["{t}:a", "{t}:none", "{t}:a"]) == [b"\x00\xff", None, b"\x00\xff"]
    assert await store.mget([]) == []
    assert await store.delete("{t}:a") is True
    assert await store.delete("{t}:a") is False
    assert await store.get("{t}:a") is None


async def test_values_expire_and_a_plain_put_forgets_the_ttl(store: Store) -> None:
    await store.put("short", b"1", ttl_ms=30)
    await gone(store, "short")
    await store.put("kept", b"1", ttl_ms=30)
    await store.put("kept", b"2")
    await store.put("marker", b"", ttl_ms=60)
    await gone(store, "marker")
    assert await store.get("kept") == b"2"


async def test_only_one_of_many_is_first(pair: list[Store]) -> None:
    wins = await asyncio.gather(
        *(pair[n % 2].put_if_absent("token", b"%d" % n, ttl_ms=60_000) for n in range(40))
    )
    assert sum(wins) == 1
    await pair[0].put("token", b"", ttl_ms=20)
    await gone(pair[0], "token")
    assert await pair[1].put_if_absent("token", b"again", ttl_ms=60_000)


async def test_a_value_is_replaced_only_by_who_saw_it(pair: list[Store]) -> None:
    one, two = pair
    assert not await one.replace("plan", b"1", b"0"), "nothing is there"
    assert await one.replace("plan", b"1", None)
    assert not await two.replace("plan", b"2", None) and not await two.replace("plan", b"2", b"")
    wins = await asyncio.gather(*(pair[n % 2].replace("plan", b"n%d" % n, b"1") for n in range(40)))
    assert sum(wins) == 1
    assert await two.get("plan") == b"n%d" % wins.index(True)
    async with asyncio.timeout(DEADLINE_S):
        replaced = False
        while not replaced:  # before it passed
            await one.put("plan", b"passing", ttl_ms=60)
            replaced = await two.replace("plan", b"stays", b"passing")
    await one.put("{t}:marker", b"", ttl_ms=90)
    await gone(one, "{t}:marker")
    assert await one.get("plan") == b"stays"


async def test_a_lock_belongs_to_its_owner(store: Store) -> None:
    assert await store.put_if_absent("lock", b"me", ttl_ms=60_000)
    assert not await store.renew("lock", b"you", 60_000)
    assert not await store.release("lock", b"you")
    assert await store.renew("lock", b"me", 60_000)
    assert await store.release("lock", b"me")
    assert not await store.release("lock", b"me")
    assert not await store.renew("lock", b"me", 60_000)


async def test_counting_tells_the_listeners(pair: list[Store]) -> None:
    async with asyncio.timeout(DEADLINE_S), pair[1].subscribe("{v}:news") as news:
        assert await pair[0].incr_and_publish("{v}:n", "{v}:news", b"one") == 1
        assert await pair[1].incr_and_publish("{v}:n", "{v}:news", b"two") == 2
        await pair[0].publish("{v}:other", b"not ours")
        await pair[0].publish("{v}:news", b"three")
        heard = [await anext(news) for _ in range(3)]
    assert heard == [b"one", b"two", b"three"]
    assert await pair[0].get("{v}:n") == b"2"


async def test_counts_lose_nothing(pair: list[Store]) -> None:
    await asyncio.gather(*(pair[n % 2].incr_and_publish("c", "ch", b"") for n in range(100)))
    assert await pair[0].get("c") == b"100"


async def test_gcra_lets_the_burst_then_the_rate_through(store: Store, clock: ManualClock) -> None:
    async def ask(cost: int = 1) -> tuple[bool, int, int]:
        limit = await store.gcra("rl:x", limit=5, period_ms=1000, burst=3, cost=cost)
        return limit.allowed, limit.remaining, limit.retry_after_ms

    assert [await ask() for _ in range(4)] == [
        (True, 2, 0),
        (True, 1, 0),
        (True, 0, 0),
        (False, 0, 200),
    ]
    clock.advance(0.199)
    assert await ask() == (False, 0, 1)
    clock.advance(0.001)
    assert await ask() == (True, 0, 0)
    clock.advance(60)
    assert await ask(cost=3) == (True, 0, 0)
    assert await ask(cost=2) == (False, 0, 400)


async def test_gcra_takes_back_what_was_counted(store: Store) -> None:
    async def asked(cost: int = 1) -> bool:
        shape = {"limit": 1, "period_ms": 3_600_000, "burst": 2}
        return (await store.gcra("rl:back", **shape, cost=cost)).allowed

    assert await asked(-1), "nothing was counted, nothing is saved up"
    assert [await asked() for _ in range(3)] == [True, True, False]
    assert await asked(-1)
    assert [await asked() for _ in range(2)] == [True, False]


async def test_gcra_is_one_limit_for_all(pair: list[Store]) -> None:
    words = await asyncio.gather(
        *(pair[n % 2].gcra("rl:y", limit=1, period_ms=60_000, burst=10) for n in range(50))
    )
    assert sum(word.allowed for word in words) == 10


async def test_a_stream_goes_once_through_each_group(pair: list[Store]) -> None:
    ids = [await pair[0].append("evt:s", b"%d" % n) for n in range(10)]
    assert ids == sorted(set(ids), key=lambda i: tuple(map(int, i.split("-"))))
    first = await pair[0].read("evt:s", "g", "a", count=4)
    second = await pair[1].read("evt:s", "g", "b", count=100)
    assert [m.body for m in first + second] == [b"%d" % n for n in range(10)]
    assert [m.id for m in first + second] == ids
    assert await pair[0].read("evt:s", "g", "a") == []
    assert len(await pair[0].read("evt:s", "other", "a")) == 10
    assert await pair[0].pending("evt:s", "g") == 10
    assert await pair[0].ack("evt:s", "g", ids[:9]) == 9
    assert await pair[0].ack("evt:s", "g", ids[:9]) == 0
    assert await pair[0].ack("evt:s", "g", []) == 0
    assert await pair[1].pending("evt:s", "g") == 1


async def test_a_waiting_reader_wakes(pair: list[Store]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        assert await pair[0].read("evt:w", "g", "a", block_ms=20) == []
        waiting = asyncio.create_task(pair[1].read("evt:w", "g", "b", block_ms=9_000))
        await asyncio.sleep(0)
        await pair[0].append("evt:w", b"up")
        assert [m.body for m in await waiting] == [b"up"]


async def test_the_dead_consumers_work_is_claimed_with_its_count(pair: list[Store]) -> None:
    for n in range(3):
        await pair[0].append("evt:c", b"%d" % n)
    await pair[0].read("evt:c", "g", "dead")
    assert await pair[1].claim("evt:c", "g", "alive", min_idle_ms=60_000) == []
    taken = await pair[1].claim("evt:c", "g", "alive", min_idle_ms=0, count=2)
    assert [(m.body, m.deliveries) for m in taken] == [(b"0", 2), (b"1", 2)]
    again = await pair[0].claim("evt:c", "g", "third", min_idle_ms=0, count=1)
    assert [(m.body, m.deliveries) for m in again] == [(b"0", 3)]
    assert await pair[0].claim("evt:none", "g", "x", min_idle_ms=0) == []
    assert await pair[0].pending("evt:none", "g") == 0


async def test_lag_counts_what_a_group_has_not_done_with(store: Store) -> None:
    assert await store.lag("evt:none", "g") == 0
    for n in range(5):
        await store.append("evt:l", b"%d" % n)
    assert await store.lag("evt:l", "g") == 5
    first, *_ = await store.read("evt:l", "g", "a", count=2)
    await store.ack("evt:l", "g", [first.id])
    assert await store.lag("evt:l", "g") == 4


async def test_what_is_dropped_is_gone_for_every_group(store: Store) -> None:
    ids = [await store.append("evt:d", b"%d" % n) for n in range(4)]
    await store.read("evt:d", "g", "a", count=2)
    await store.ack("evt:d", "g", ids[:2])
    await store.drop("evt:d", [])
    await store.drop("evt:d", [ids[0], ids[2], "1-1"])
    assert [m.body for m in await store.read("evt:d", "g", "a")] == [b"3"]
    assert [m.body for m in await store.read("evt:d", "other", "a")] == [b"1", b"3"]


async def test_a_stream_is_capped(store: Store) -> None:
    for n in range(20):
        await store.append("evt:m", b"%d" % n, max_len=5)
    assert [m.body for m in await store.read("evt:m", "g", "a")] == [
        b"15",
        b"16",
        b"17",
        b"18",
        b"19",
    ]


async def test_many_entries_come_in_their_order(pair: list[Store]) -> None:
    batches = [[b"%d.%d" % (n, m) for m in range(30)] for n in range(4)]
    await asyncio.gather(
        *(pair[n % 2].append_all("evt:o", bodies) for n, bodies in enumerate(batches))
    )
    assert await pair[1].newest("evt:o") in [bodies[-1] for bodies in batches]
    assert await pair[0].newest("evt:none") is None
    found = [m.body for m in await pair[0].read("evt:o", "g", "a", count=1_000)]
    at = [found.index(bodies[0]) for bodies in batches]
    assert [found[begin : begin + 30] for begin in at] == batches, "none between"
    assert await pair[0].append_all("evt:o", batches[0], max_len=5_000) == 0
    assert await pair[0].append_all("evt:o", batches[0], max_len=5) == 5 * 30 + 30 - 5
    assert [m.body for m in await pair[1].read("evt:o", "h", "a")] == batches[0][-5:]


async def test_a_subscriber_that_leaves_is_forgotten(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with store.subscribe("x"):
            raise ZeroDivisionError
    await store.publish("x", b"nobody", b"listens")
