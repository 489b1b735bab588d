"""Playback sessions in every store: one contract (CMP-1, CMP-2)."""

import asyncio

import pytest

from runtime.clock import ManualClock
from runtime.store import RedisStore, SessionPolicy, Store
from runtime.store.keys import live_key
from runtime.store.remote_sessions import LEASE_MS


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


@pytest.mark.twin
async def test_ended_sessions_leave_no_details_and_no_index(
    redis_url: str, clock: ManualClock, policy: SessionPolicy
) -> None:
    """CTL-102: from set and details alike; the index forgets an account without sessions."""
    store = RedisStore(redis_url, timeout_ms=20_000, clock=clock, policy=policy)
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
    redis_url: str, clock: ManualClock, policy: SessionPolicy
) -> None:
    """A reaper claims an account and finds nobody; a session starts; the reaper forgets."""
    store = RedisStore(redis_url, timeout_ms=20_000, clock=clock, policy=policy)
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


@pytest.mark.twin
async def test_an_admission_after_a_reapers_death_keeps_nobody_longer(
    redis_url: str, clock: ManualClock, policy: SessionPolicy
) -> None:
    """CTL-108: what the dead one was to look at is looked at when its lease ends."""
    store = RedisStore(redis_url, timeout_ms=20_000, clock=clock, policy=policy)
    await store.start()
    await store._quick.flushall()
    await store.admit("acc", "first", device="tv", detail=b"", limit=3)
    clock.advance(89)
    await store.admit("acc", "second", device="web", detail=b"", limit=3)
    clock.advance(1)
    lease = clock.now_ms() + LEASE_MS + 0.5
    assert await store._run("CLAIM_DUE", [live_key("acc")], clock.now_ms(), lease, 9) == [b"acc"]
    clock.advance(2)
    admitted = await store.admit("acc", "third", device="tv", detail=b"", limit=3)
    assert [ended.id for ended in admitted.ended] == ["first"]
    clock.advance(LEASE_MS // 1_000)
    assert await store.reap() == []
    clock.advance(89 + 90 - 92 - LEASE_MS // 1_000)
    assert [ended.id for ended in await store.reap()] == ["second"]
    await store.stop()


async def test_whether_sessions_are_live_is_asked_of_many_and_changes_nothing(
    pair: list[Store], clock: ManualClock
) -> None:
    for account in ("one", "two"):
        await pair[0].admit(account, "s", device="tv", detail=b"", limit=2)
    clock.advance(80)
    await pair[0].admit("one", "late", device="web", detail=b"", limit=2)
    clock.advance(9.999)
    asked = [("one", "s"), ("two", "s"), ("one", "late"), ("two", "late"), ("none", "s")]
    assert await pair[1].live(asked) == [True, True, True, False, False]
    clock.advance(0.001)
    assert await pair[1].live(asked) == [False, False, True, False, False]
    assert await pair[1].live([]) == []
    assert {(e.account, e.id) for e in await pair[1].reap()} == {("one", "s"), ("two", "s")}


async def test_an_account_that_can_be_read_is_not_restored(
    pair: list[Store], clock: ManualClock
) -> None:
    """Another process was first, and admitted since."""
    await pair[0].restore("acc", [("a", "tv", b"1")])
    await pair[0].admit("acc", "b", device="web", detail=b"2", limit=2)
    await pair[1].restore("acc", [("c", "pad", b"3"), ("d", "pad", b"4")])
    asked = [("acc", name) for name in "bcd"]
    assert await pair[0].live(asked) == [True, False, False]
    clock.advance(90)
    assert {ended.id for ended in await pair[0].reap()} == {"b"}
