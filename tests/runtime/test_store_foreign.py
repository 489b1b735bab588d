"""Bytes in the server that nobody here wrote: as good as lost, no error (CTL-188)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha1
from typing import Any

import pytest

from runtime.clock import ManualClock
from runtime.store import RedisStore, SessionPolicy, StoreError, scripted
from runtime.store.keys import account_keys, aside, live_key

pytestmark = pytest.mark.twin
LIVE, DETAILS, GRAVES = account_keys("acc")
Spoil = Callable[[Any], Awaitable[Any]]
SPOILT: dict[str, Spoil] = {
    "live": lambda raw: raw.set(LIVE, b"\xff\x00"),
    "details": lambda raw: raw.set(DETAILS, b"1"),
    "graves": lambda raw: raw.rpush(GRAVES, b"1"),
    "no detail": lambda raw: raw.hdel(DETAILS, "s"),
    "half a detail": lambda raw: raw.hset(DETAILS, "s", b"no end"),
    "much": lambda raw: raw.hset(DETAILS, "s", b"d\0" + bytes(70_000)),
    "many": lambda raw: raw.zadd(LIVE, {f"s{n}": 1e15 for n in range(10_001)}),
}


@pytest.fixture(params=["redis_url", "valkey_url", "redis_cluster_url"])
async def spoilt(
    request: pytest.FixtureRequest, clock: ManualClock, policy: SessionPolicy
) -> AsyncIterator[RedisStore]:
    """A store in which `acc` has a live session."""
    url = request.getfixturevalue(request.param)
    store = RedisStore(url, timeout_ms=20_000, clock=clock, policy=policy)
    await store.start()
    await store._quick.flushall()
    await store.admit("acc", "s", device="d", detail=b"x", limit=1)
    yield store
    await store.stop()


@pytest.mark.parametrize("how", SPOILT)
async def test_an_account_that_cannot_be_read_is_restored(
    how: str, spoilt: RedisStore, clock: ManualClock
) -> None:
    await spoilt.admit("else", "e", device="d", detail=b"", limit=1)
    await SPOILT[how](spoilt._quick)
    clock.advance(90)
    told = await spoilt.heartbeats([("acc", "s", 1), ("else", "e", 1)])
    assert told[1].beat == "readmitted" and told[0].beat in ("unknown", "readmitted")
    assert (await spoilt.heartbeat("acc", "s", limit=1)).beat in ("unknown", "live")
    word = await spoilt.admit("acc", "t", device="t", detail=b"", limit=2)
    assert word.admitted is not word.unreadable
    await spoilt.end("acc", "none", "stopped")
    await SPOILT[how](spoilt._quick)
    clock.advance(90)
    assert {ended.account for ended in await spoilt.reap()} <= {"acc", "else"}
    await spoilt._quick.delete(LIVE, DETAILS, GRAVES)
    await spoilt.admit("acc", "s", device="d", detail=b"x", limit=1)
    await SPOILT[how](spoilt._quick)
    assert (await spoilt.admit("acc", "t", device="t", detail=b"", limit=2)).unreadable
    await spoilt.restore("acc", [("s", "d", b"x"), ("t", "t", b"")])
    assert await spoilt.live([("acc", "s"), ("acc", "t"), ("acc", "u")]) == [True, True, False]
    await spoilt.restore("acc", [("late", "d", b"x")])
    word = await spoilt.admit("acc", "u", device="u", detail=b"", limit=2)
    assert (word.admitted, word.unreadable) == (False, False)
    assert {(each.id, each.device, each.detail) for each in word.live} == {
        ("s", "d", b"x"),
        ("t", "t", b""),
    }
    clock.advance(90)
    assert {ended.id for ended in await spoilt.reap()} == {"s", "t"}


async def test_whether_sessions_of_an_unreadable_account_live_is_not_known(
    spoilt: RedisStore,
) -> None:
    await spoilt.admit("else", "e", device="d", detail=b"", limit=1)
    await spoilt._quick.set(LIVE, b"1")
    assert await spoilt.live([("acc", "s"), ("else", "e"), ("else", "f")]) == [None, True, False]


async def test_names_that_are_no_text_are_read_all_the_same(
    spoilt: RedisStore, clock: ManualClock
) -> None:
    raw = spoilt._quick
    await raw.zadd(LIVE, {b"\xff": float("inf"), b"\xfe": 1.5, b"\xfd": float("-inf")})
    for name in (b"\xff", b"\xfe", b"\xfd"):
        await raw.hset(DETAILS, name, b"\xff\0\xff")
    word = await spoilt.admit("acc", "t", device="t", detail=b"", limit=1)
    assert len(word.ended) == 2 and all(0 <= s.last_seen_ms <= clock.now_ms() for s in word.live)
    await raw.zadd(live_key("acc"), {b"\xff\xff": 1})
    assert await spoilt.reap() == []
    assert await raw.zscore(live_key("acc"), b"\xff\xff") is None


@pytest.mark.parametrize("of", ["live", "heartbeat", "reap"])
async def test_an_index_that_is_none_is_begun_anew(
    of: str, spoilt: RedisStore, clock: ManualClock
) -> None:
    clock.advance(90 if of == "heartbeat" else 0)
    await spoilt._quick.set(live_key("acc"), b"1")
    if of == "reap":
        assert await spoilt.reap() == []
    if of == "heartbeat":
        assert (await spoilt.heartbeats([("acc", "s", 1)]))[0].beat == "readmitted"
    else:
        assert (await spoilt.admit("acc", "t", device="t", detail=b"", limit=2)).admitted
    clock.advance(90)
    assert "s" in {ended.id for ended in await spoilt.reap()}


VALUES: dict[str, Callable[[RedisStore], Awaitable[Any]]] = {
    "get": lambda store: store.get("k"),
    "put": lambda store: store.put("k", b"1"),
    "renew": lambda store: store.renew("k", b"1", 1_000),
    "replace": lambda store: store.replace("k", b"1", b"0"),
    "release": lambda store: store.release("k", b"1"),
    "count": lambda store: store.incr_and_publish("k", "c", b""),
    "gcra": lambda store: store.gcra("k", limit=1, period_ms=1_000),
    "append": lambda store: store.append_all("k", [b"1"]),
}


@pytest.mark.parametrize("what", VALUES)
@pytest.mark.parametrize("kind", ["list", "bytes"])
async def test_values_that_nobody_wrote_are_none(what: str, kind: str, spoilt: RedisStore) -> None:
    raw, ask = spoilt._quick, VALUES[what]
    await (raw.rpush("k", b"1") if kind == "list" else raw.set("k", b"\xff\0"))
    await ask(spoilt)
    await ask(spoilt)


async def test_what_cannot_be_begun_anew_is_unavailable(spoilt: RedisStore) -> None:
    await spoilt._quick.set("k", b"1")
    for ask in (
        spoilt.read("k", "g", "c"),
        spoilt.append("k", b"1"),
        spoilt.newest("k"),
        spoilt.lag("k", "g"),
    ):
        with pytest.raises(StoreError, match="unavailable"):
            await ask
    assert await asyncio.wait_for(spoilt.get("k"), 60) == b"1"


async def test_what_lies_where_a_stream_should_is_put_aside(spoilt: RedisStore) -> None:
    raw = spoilt._quick
    await raw.set("owed", b"precious")
    assert await spoilt.append_all("owed", [b"1", b"2", b"3"], max_len=2) == 1
    assert await raw.get(aside("owed")) == b"precious"
    assert await spoilt.append_all("owed", [b"4"], max_len=9) == 0
    assert [m.body for m in await spoilt.read("owed", "g", "c")] == [b"2", b"3", b"4"]


@pytest.mark.parametrize("script", ["APPEND_ALL", "RENEW", "GCRA"])
async def test_a_script_that_stumbles_deletes_nothing(
    script: str, spoilt: RedisStore, monkeypatch: Any
) -> None:
    """As by a fault of its own: what is under its keys stays, and who asked is told."""
    body = "local none = nil; return none.field"
    monkeypatch.setitem(scripted.SCRIPTS, script, body)
    monkeypatch.setitem(scripted.SHA1S, script, sha1(body.encode()).hexdigest())
    ask = {
        "APPEND_ALL": lambda: spoilt.append_all("k", [b"2"]),
        "RENEW": lambda: spoilt.renew("k", b"1", 1_000),
        "GCRA": lambda: spoilt.gcra("k", limit=1, period_ms=1_000),
    }[script]
    await spoilt.append("k", b"1")
    with pytest.raises(StoreError, match="unavailable"):
        await ask()
    assert await spoilt.newest("k") == b"1"
