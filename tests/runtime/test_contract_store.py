"""One contract for every store (CMP-1, CMP-2): in-process, Redis 7.0 in RESP2 and RESP3, Valkey."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from runtime.clock import ManualClock
from runtime.store import MemoryStore, RedisStore, SessionPolicy, Store
from runtime.store.keys import live_key
from runtime.store.remote import LEASE_MS

POLICY = SessionPolicy(ttl_ms=90_000, late_ms=600_000, kept_ms=86_400_000)
DEADLINE_S = 10


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(
    params=[
        "memory",
        pytest.param("redis_url/2", marks=pytest.mark.twin),
        pytest.param("redis_url/3", marks=pytest.mark.twin),
        pytest.param("valkey_url/3", marks=pytest.mark.twin),
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
        RedisStore(url, timeout_ms=5_000, protocol=int(protocol), clock=clock, policy=POLICY)
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
def store(pair: list[Store]) -> Store:
    return pair[0]


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


async def test_admission_counts_replaces_and_terminates(store: Store, clock: ManualClock) -> None:
    """CTL-102, CTL-104, CTL-105."""
    assert (await store.admit("acc", "s1", device="tv", detail=b"d1", limit=2)).admitted
    clock.advance(1)
    second = await store.admit("acc", "s2", device="web", detail=b"d2", limit=2)
    assert [(s.id, s.device, s.detail) for s in second.live] == [
        ("s1", "tv", b"d1"),
        ("s2", "web", b"d2"),
    ]
    clock.advance(1)
    third = await store.admit("acc", "s3", device="phone", detail=b"d3", limit=2)
    assert not third.admitted
    assert [s.id for s in third.live] == ["s1", "s2"]
    assert third.ended == ()

    replaced = await store.admit("acc", "s4", device="web", detail=b"d4", limit=2)
    assert replaced.admitted
    assert [(e.account, e.id, e.device, e.detail, e.reason) for e in replaced.ended] == [
        ("acc", "s2", "web", b"d2", "replaced")
    ]
    killed = await store.admit("acc", "s3", device="phone", detail=b"d3", limit=2, terminate=["s1"])
    assert killed.admitted
    assert [(e.id, e.reason) for e in killed.ended] == [("s1", "terminated")]
    assert (await store.heartbeat("acc", "s1", limit=2)).beat == "ended"
    assert (await store.heartbeat("acc", "s1", limit=2)).reason == "terminated"
    assert (await store.heartbeat("acc", "s2", limit=2)).reason == "replaced"
    assert (await store.heartbeat("acc", "s4", limit=2)).beat == "live"
    assert (await store.heartbeat("acc", "nobody", limit=2)).beat == "unknown"
    clock.advance(86_401)
    assert (await store.heartbeat("acc", "s1", limit=2)).beat == "unknown"


async def test_fifty_parallel_starts_never_pass_the_limit(pair: list[Store]) -> None:
    words = await asyncio.gather(
        *(pair[n % 2].admit("acc", f"s{n}", device=f"d{n}", detail=b"", limit=3) for n in range(50))
    )
    assert sum(word.admitted for word in words) == 3
    assert all(len(word.live) <= 3 for word in words)


async def test_two_killers_of_one_victim(pair: list[Store]) -> None:
    await pair[0].admit("acc", "victim", device="d", detail=b"", limit=1)
    words = await asyncio.gather(
        *(
            each.admit("acc", f"k{n}", device=f"k{n}", detail=b"", limit=1, terminate=["victim"])
            for n, each in enumerate(pair)
        )
    )
    assert sorted(word.admitted for word in words) == [False, True]


async def test_the_unseen_are_dropped_from_set_and_details(
    store: Store, clock: ManualClock
) -> None:
    """CTL-102: a dead device must not stay in the list of a refusal."""
    await store.admit("acc", "old", device="tv", detail=b"x", limit=1)
    clock.advance(89.999)
    assert not (await store.admit("acc", "new", device="web", detail=b"", limit=1)).admitted
    clock.advance(0.001)
    word = await store.admit("acc", "new", device="web", detail=b"", limit=1)
    assert word.admitted
    assert [s.id for s in word.live] == ["new"]
    assert [(e.id, e.reason, e.detail) for e in word.ended] == [("old", "expired", b"x")]


async def test_many_heartbeats_are_answered_each_for_itself(store: Store) -> None:
    """CTL-107: one round trip for what comes at once."""
    for account in ("a1", "a2"):
        await store.admit(account, f"s-{account}", device="d", detail=b"", limit=1)
    await store.end("a2", "s-a2", "stopped")
    beats = [("a1", "s-a1", 1), ("a2", "s-a2", 1), ("a1", "s-a2", 1), ("a3", "s-a1", 1)]
    told = await store.heartbeats(beats)
    assert [pulse.beat for pulse in told] == ["live", "ended", "unknown", "unknown"]
    assert told[1].reason == "stopped" and await store.heartbeats([]) == []


async def test_a_heartbeat_keeps_alive_and_updates(store: Store, clock: ManualClock) -> None:
    await store.admit("acc", "s", device="tv", detail=b"0", limit=1)
    for n in range(5):
        clock.advance(60)
        assert (await store.heartbeat("acc", "s", limit=1, detail=b"%d" % n)).beat == "live"
    assert await store.reap() == []
    word = await store.admit("acc", "other", device="web", detail=b"", limit=1)
    assert [(s.id, s.detail, s.last_seen_ms) for s in word.live] == [("s", b"4", clock.now_ms())]


@pytest.mark.parametrize("reaped", [False, True])
async def test_a_late_heartbeat_comes_back_if_there_is_room(
    store: Store, clock: ManualClock, reaped: bool
) -> None:
    """CTL-108: up to 10 minutes after the TTL, whether or not a reaper came by."""
    await store.admit("acc", "s", device="tv", detail=b"0", limit=1)
    clock.advance(90 + 599)
    if reaped:
        assert [e.id for e in await store.reap()] == ["s"]
    assert (await store.heartbeat("acc", "s", limit=1)).beat == "readmitted"
    assert (await store.heartbeat("acc", "s", limit=1)).beat == "live"
    clock.advance(100)
    await store.admit("acc", "t", device="web", detail=b"", limit=1)
    assert (await store.heartbeat("acc", "s", limit=1)).beat == "limit"
    clock.advance(601)
    if reaped:
        await store.reap()
    assert (await store.heartbeat("acc", "s", limit=1)).beat == "unknown"


async def test_a_late_heartbeat_yields_to_the_same_device(store: Store, clock: ManualClock) -> None:
    await store.admit("acc", "s", device="tv", detail=b"", limit=5)
    clock.advance(91)
    await store.admit("acc", "t", device="tv", detail=b"", limit=5)
    pulse = await store.heartbeat("acc", "s", limit=5)
    assert (pulse.beat, pulse.reason) == ("ended", "replaced")


async def test_ending_is_idempotent_and_frees_the_slot(store: Store) -> None:
    """CTL-109."""
    await store.admit("acc", "s", device="tv", detail=b"p", limit=1)
    ended = await store.end("acc", "s", "stopped")
    assert ended is not None
    assert (ended.device, ended.detail, ended.reason) == ("tv", b"p", "stopped")
    assert await store.end("acc", "s", "stopped") is None
    assert (await store.admit("acc", "t", device="web", detail=b"", limit=1)).admitted
    assert (await store.heartbeat("acc", "s", limit=1)).reason == "stopped"


async def test_each_session_is_reaped_once_by_any_number_of_reapers(
    pair: list[Store], clock: ManualClock
) -> None:
    """CTL-108."""
    names = [f"acc{n}" for n in range(40)]
    for name in names:
        await pair[0].admit(name, f"{name}-1", device="tv", detail=b"", limit=2)
    clock.advance(30)
    for name in names[:10]:
        await pair[1].admit(name, f"{name}-2", device="web", detail=b"", limit=2)
    assert await pair[0].reap() == []
    clock.advance(60)
    rounds = await asyncio.gather(*(pair[n % 2].reap() for n in range(6)))
    assert sorted(e.id for each in rounds for e in each) == sorted(f"{n}-1" for n in names)
    clock.advance(30)
    assert sorted(e.id for e in await pair[0].reap()) == sorted(f"{n}-2" for n in names[:10])
    clock.advance(3600)
    assert await pair[0].reap() == []


async def test_a_subscriber_that_leaves_is_forgotten(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with store.subscribe("x"):
            raise ZeroDivisionError
    await store.publish("x", b"nobody listens")


@pytest.mark.twin
async def test_ended_sessions_leave_no_details_and_no_index(
    redis_url: str, clock: ManualClock
) -> None:
    """CTL-102: from set and details alike; the index forgets an account without sessions."""
    store = RedisStore(redis_url, timeout_ms=5_000, clock=clock, policy=POLICY)
    await store.start()
    await store._quick.flushall()
    for account in ("one", "two"):
        await store.admit(account, "s", device="tv", detail=b"x", limit=1)
        await store.admit(account, "t", device="tv", detail=b"x", limit=1)
    await store.end("one", "t", "stopped")
    clock.advance(90)
    assert [ended.account for ended in await store.reap()] == ["two"]
    kept = {key.decode() for key in await store._quick.keys("*")}
    assert kept == {"{a:one}:g", "{a:two}:g"}
    await store.stop()


@pytest.mark.twin
async def test_an_admission_beside_a_reaper_stays_indexed(
    redis_url: str, clock: ManualClock
) -> None:
    """A reaper claims an account and finds nobody; a session starts; the reaper forgets."""
    store = RedisStore(redis_url, timeout_ms=5_000, clock=clock, policy=POLICY)
    await store.start()
    await store._quick.flushall()
    await store.admit("acc", "s", device="tv", detail=b"", limit=1)
    await store.end("acc", "s", "stopped")
    clock.advance(90)
    lease = clock.now_ms() + LEASE_MS + 0.5
    assert await store._run("CLAIM_DUE", [live_key("acc")], clock.now_ms(), lease, 9) == [b"acc"]
    await store.admit("acc", "t", device="tv", detail=b"", limit=1)
    await store._run("FORGET", [live_key("acc")], "acc", lease)
    clock.advance(90)
    assert [ended.id for ended in await store.reap()] == ["t"]
    await store.stop()
