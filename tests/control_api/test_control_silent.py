"""Who is called silent: nobody whom the store knows as live (CTL-108, CTL-189)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert, select

from control_api import silent
from control_api.guarded import Shelf
from control_api.ledger import Ledger
from control_api.schema import playback_session
from control_api.sessions import LATE_S, Newcomer
from control_api.silent import LOOK_S, WATCHED_S, Silent
from control_api.viewers.marks import AHEAD_MS
from runtime.clock import ManualClock
from runtime.store import MemoryStore, RedisStore, SessionPolicy, Store, StoreError
from runtime.store.keys import account_keys

TTL_S = 90
SILENT_S = TTL_S + LATE_S + 1


@pytest.fixture
def hand() -> ManualClock:
    return ManualClock()


@pytest.fixture(
    params=[
        "memory",
        pytest.param("redis_url", marks=pytest.mark.twin),
        pytest.param("redis_cluster_url", marks=pytest.mark.twin),
    ]
)
async def store(request: pytest.FixtureRequest, hand: ManualClock) -> AsyncIterator[Store]:
    policy = SessionPolicy(ttl_ms=1_000 * TTL_S)
    made: Any = MemoryStore(clock=hand, policy=policy)
    if request.param != "memory":
        url = request.getfixturevalue(request.param)
        made = RedisStore(url, timeout_ms=10_000, clock=hand, policy=policy)
    await made.start()
    if request.param != "memory":
        await made._quick.flushall()
    yield made
    await made.stop()


async def known(database: Any, *rows: tuple[str, int]) -> None:
    """Sessions that the database saw last at these times."""
    shape = ("acc_demo", "dev", "vod", "cnt_film", "00", 1)
    async with database.write() as connection:
        made = [Newcomer(name, *shape).row(at_ms) for name, at_ms in rows]
        await connection.execute(insert(playback_session), made)


async def ended(database: Any) -> dict[str, Any]:
    query = select(playback_session).where(playback_session.c.ended_ms.is_not(None))
    async with database.read() as connection:
        return {row.id: row.ended_ms for row in await connection.execute(query)}


async def looked(look: Silent, ledger: Ledger, hand: ManualClock) -> int:
    """For as long as it takes; how many were ended."""
    count = 0
    for _ in range(round(WATCHED_S / LOOK_S) + 1):
        count += await look.look(hand.now_ms())
        hand.advance(LOOK_S)
    await ledger.flush()
    return count


async def test_a_session_of_a_node_that_does_not_reach_the_database(
    database: Any, make_api: Any, store: Store, hand: ManualClock
) -> None:
    """Its heartbeats are known to the store alone, for however long."""
    await make_api(database)
    ledger = Ledger(database, flush_s=60)
    look = Silent(database, Shelf(store, 30), ledger, TTL_S, hand)
    await known(database, ("ses_alive", hand.now_ms()), ("ses_gone", hand.now_ms()))
    await store.admit("acc_demo", "ses_alive", device="dev", detail=b"", limit=9)
    began_ms = hand.now_ms()
    for _ in range(round((SILENT_S + 3 * WATCHED_S) / 30)):
        await store.heartbeat("acc_demo", "ses_alive", limit=9)
        if (hand.now_ms() - began_ms) % (1_000 * LOOK_S) == 0:
            await look.look(hand.now_ms())
        hand.advance(30)
    await ledger.flush()
    assert await ended(database) == {"ses_gone": began_ms + 1_000 * TTL_S}
    hand.advance(TTL_S)
    assert [each.id for each in await store.reap()] == ["ses_alive"], "untouched by the question"
    await looked(look, ledger, hand)
    assert {*await ended(database)} == {"ses_alive", "ses_gone"}


async def test_many_that_live_hide_none_that_does_not(
    database: Any, make_api: Any, hand: ManualClock, monkeypatch: Any
) -> None:
    """Asked in batches: as many questions as there are pages."""
    await make_api(database)
    store, asked = MemoryStore(clock=hand, policy=SessionPolicy(ttl_ms=10**12)), []
    plain = store.live

    async def live(sessions: Any) -> Any:
        asked.append(len(sessions))
        return await plain(sessions)

    monkeypatch.setattr(store, "live", live)
    monkeypatch.setattr(silent, "MOST", 4)
    monkeypatch.setattr(silent, "_SILENT", silent._SILENT.limit(4))
    names = [f"ses_{n}" for n in range(10)]
    for name in names[:9]:
        await store.admit("acc_demo", name, device=name, detail=b"", limit=20)
    await known(database, *((name, hand.now_ms()) for name in names))
    hand.advance(SILENT_S)
    ledger = Ledger(database, flush_s=60)
    assert await looked(Silent(database, Shelf(store, 30), ledger, TTL_S, hand), ledger, hand) == 1
    assert {*await ended(database)} == {"ses_9"} and asked == [4, 4, 2]


async def test_while_the_store_is_away_nobody_is_ended(
    database: Any, make_api: Any, hand: ManualClock, monkeypatch: Any
) -> None:
    await make_api(database)
    store = MemoryStore(clock=hand)

    async def away(_sessions: Any) -> Any:
        raise StoreError("unavailable", "test")

    monkeypatch.setattr(store, "live", away)
    await known(database, ("ses_a", hand.now_ms()))
    hand.advance(SILENT_S)
    ledger = Ledger(database, flush_s=60)
    look = Silent(database, Shelf(store, 30), ledger, TTL_S, hand)
    with pytest.raises(StoreError):
        await looked(look, ledger, hand)
    assert not await ended(database)
    monkeypatch.undo()
    assert await looked(look, ledger, hand) == 1


@pytest.mark.twin
async def test_whose_account_cannot_be_read_is_not_ended(
    database: Any, make_api: Any, hand: ManualClock, redis_url: str
) -> None:
    await make_api(database)
    store = RedisStore(redis_url, timeout_ms=10_000, clock=hand)
    await store.start()
    live = account_keys("acc_demo")[0]
    await store._quick.set(live, b"1")
    await known(database, ("ses_a", hand.now_ms()))
    hand.advance(SILENT_S)
    ledger = Ledger(database, flush_s=60)
    look = Silent(database, Shelf(store, 30), ledger, TTL_S, hand)
    assert await looked(look, ledger, hand) == 0 and not await ended(database)
    await store._quick.delete(live)
    assert await looked(look, ledger, hand) == 1
    await store.stop()


async def test_who_was_seen_in_a_time_to_come_is_over_if_nobody_sees_him(
    database: Any, make_api: Any, store: Store, hand: ManualClock
) -> None:
    """A node's clock was an hour ahead: its sessions hold no slot for that hour."""
    await make_api(database)
    hour_ms = hand.now_ms() + 3_600_000
    young = ("ses_young", hand.now_ms() + AHEAD_MS)
    await known(database, ("ses_alive", hour_ms), ("ses_gone", hour_ms), young)
    await store.admit("acc_demo", "ses_alive", device="dev", detail=b"", limit=9)
    ledger = Ledger(database, flush_s=60)
    look = Silent(database, Shelf(store, 30), ledger, TTL_S, hand)
    for _ in range(6):
        await look.look(hand.now_ms())
        await store.heartbeat("acc_demo", "ses_alive", limit=9)
        hand.advance(LOOK_S)
    await ledger.flush()
    over = await ended(database)
    assert {*over} == {"ses_gone"} and over["ses_gone"] <= hand.now_ms()
