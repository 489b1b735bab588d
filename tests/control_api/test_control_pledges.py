"""What a process owes is paid though it dies, and the silent are ended (CTL-108, CTL-189)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert, select

from control_api import pledges, silent
from control_api.guarded import Shelf
from control_api.ledger import End, Ledger, Sign
from control_api.outbox.tables import outbox
from control_api.pledges import LEASE, MOST, OWED, READER, Pledges
from control_api.schema import playback_session
from control_api.sessions import LATE_S, Newcomer
from control_api.silent import LOOK_S, WATCHED_S, Silent
from runtime.clock import ManualClock
from runtime.store import MemoryStore, RedisStore, Store, StoreError

SHAPE = ("acc_demo", "dev", "vod", "cnt_film", "00", 1)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.twin)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    made: Any = MemoryStore()
    if request.param == "redis":
        made = RedisStore(request.getfixturevalue("redis_url"), timeout_ms=10_000)
    await made.start()
    for key in (OWED, LEASE):
        await made.delete(key)
    yield made
    await made.stop()


def row(name: str, at_ms: int = 1_000) -> dict[str, Any]:
    return Newcomer(name, *SHAPE).row(at_ms)


async def sessions(database: Any) -> dict[str, Any]:
    async with database.read() as connection:
        found = await connection.execute(select(playback_session))
        return {each.id: each for each in found}


async def told(database: Any, kind: str) -> int:
    async with database.read() as connection:
        query = select(outbox.c.id).where(outbox.c.topic == f"playback.session.{kind}")
        return len((await connection.execute(query)).all())


async def test_another_process_pays_for_one_that_died(database: Any, make_api: Any) -> None:
    await make_api(database)
    store = MemoryStore()
    names = [f"ses_{n:03}" for n in range(MOST)]
    dead = Pledges(Shelf(store, 30), Ledger(database, flush_s=60))
    for name in names:
        await dead.start(row(name))
    dead._ledger.beat(names[0], Sign(2_000, 40_000, "CDN-A", "acc_demo"))
    await dead.end(End("acc_demo", names[0], "stopped", 3_000))
    await store.append(OWED, b"\xc1")  # never used by MessagePack
    assert await store.read(OWED, READER, READER, count=3), "it died with these in hand"
    heir = Pledges(Shelf(store, 30), Ledger(database, flush_s=60))
    while await heir.pay():
        pass
    found = await sessions(database)
    assert set(names) <= set(found)
    first = found[names[0]]
    assert (first.end_reason, first.ended_ms, first.position_ms) == ("stopped", 3_000, 40_000)
    assert await store.lag(OWED, READER) == 0
    assert not await store.read(OWED, "anew", READER), "nothing that was paid is kept"
    counted = await told(database, "started"), await told(database, "ended")
    await dead._ledger.flush()  # it was only slow: the second payment is none
    assert (await told(database, "started"), await told(database, "ended")) == counted


async def test_one_pays_at_a_time_and_a_store_that_is_away_costs_only_the_copy(
    database: Any, make_api: Any
) -> None:
    class Away(MemoryStore):
        async def append_all(self, *_: Any, **__: Any) -> int:
            raise StoreError("unavailable", "ConnectionError")

    await make_api(database)
    store = MemoryStore()
    kept = Pledges(Shelf(store, 30), Ledger(database, flush_s=60))
    await kept.start(row("ses_a"))
    await store.put(LEASE, b"another")
    assert await kept.pay() == 0
    await store.delete(LEASE)
    assert await kept.pay() == 1
    alone = Pledges(Shelf(Away(), 30), Ledger(database, flush_s=60))
    await alone.start(row("ses_b"))
    await alone._ledger.flush()
    assert {"ses_a", "ses_b"} <= set(await sessions(database))


async def test_copies_that_gave_way_are_counted_and_told_now_and_then(
    database: Any, make_api: Any, store: Store, monkeypatch: Any
) -> None:
    await make_api(database)
    monkeypatch.setattr(pledges, "MAX_KEPT", 3)
    lines: list[int] = []
    monkeypatch.setattr(pledges.log, "error", lambda _event, **told: lines.append(told["count"]))
    clock, before = ManualClock(), pledges.DROPPED._value.get()
    kept = Pledges(Shelf(store, 30), Ledger(database, flush_s=60), clock)
    for n in range(5):
        await kept.start(row(f"ses_{n}"))
    assert pledges.DROPPED._value.get() == before + 2 and lines == [1]
    clock.advance(pledges.TELL_S)
    kept._ledger.beat("ses_4", Sign(2_000, 40_000, None, "acc_demo"))
    await kept.end(End("acc_demo", "ses_4", "stopped", 3_000))
    assert pledges.DROPPED._value.get() == before + 4 and lines == [1, 3]
    assert await store.lag(OWED, READER) == 3
    heir = Pledges(Shelf(store, 30), Ledger(database, flush_s=60))
    assert await heir.pay() == 3
    assert (await sessions(database))["ses_4"].position_ms == 40_000


async def test_who_is_silent_for_good_is_ended_once(database: Any, make_api: Any) -> None:
    """A store that forgot everything ends nobody; who is not seen again is over all the same."""
    await make_api(database)
    async with database.write() as connection:
        await connection.execute(
            insert(playback_session), [row("ses_gone"), row("ses_back"), row("ses_young", 700_000)]
        )
    clock = ManualClock(0)
    ledger = Ledger(database, flush_s=60)
    shelf = Shelf(MemoryStore(), 30)
    look, before = Silent(database, shelf, ledger, 90, clock), silent.FOUND._value.get()
    at_ms = 1_001 + 1_000 * (90 + LATE_S)
    assert await look.look(at_ms - 1) == 0 and not look._watched
    assert await look.look(at_ms) == 0, "one look proves nothing"
    clock.advance(LOOK_S)
    ledger.beat("ses_back", Sign(2_000, 40_000, None))
    await ledger.flush()
    clock.advance(WATCHED_S - LOOK_S)
    assert await look.look(at_ms + 1_000) == 1
    await ledger.flush()
    found = await sessions(database)
    assert (found["ses_gone"].end_reason, found["ses_gone"].ended_ms) == ("expired", 91_000)
    assert found["ses_back"].ended_ms is None and found["ses_young"].ended_ms is None
    assert await told(database, "expired") == 1
    assert silent.FOUND._value.get() == before + 1
