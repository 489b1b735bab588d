"""Whose heartbeat counts when nobody can be asked, and which one is refused (CTL-8, CTL-108)."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, select, update

from control_api import seed
from control_api.guarded import Shelf
from control_api.ledger import End, Ledger, Sign
from control_api.pledges import OWED, Pledges
from control_api.schema import account, playback_session
from control_api.sessions import Newcomer
from control_api.types import HeartbeatRequest
from runtime.sql import SqlError
from runtime.store import MemoryStore, StoreError

SHAPE = (seed.ACCOUNT, "dev", "vod", "cnt_film", "00", 1)


async def row(database: Any, name: str) -> Any:
    query = select(playback_session).where(playback_session.c.id == name)
    async with database.read() as connection:
        return (await connection.execute(query)).one()


@pytest.mark.parametrize("store_too", [False, True])
async def test_another_account_moves_no_place_though_nobody_can_be_asked(
    api: Any, monkeypatch: Any, store_too: bool
) -> None:
    """Its player knows the id; it beats last, through a process that never heard of it."""
    _, begun = await api.start("one")
    name, streams = begun["session_id"], api.services.playback.streams
    streams._known.by_id.clear()

    async def away(*_: Any, **__: Any) -> None:
        raise SqlError("unavailable", "test")

    async def gone(*_: Any, **__: Any) -> None:
        raise StoreError("unavailable", "test")

    monkeypatch.setattr(streams._known, "find", away)
    monkeypatch.setattr("control_api.sessions.beat", away)
    monkeypatch.setattr("control_api.sessions.goes_on", away)
    if store_too:
        monkeypatch.setattr(api.services.store, "heartbeats", gone)
    before = (await row(api.database, name)).last_seen_ms
    told = HeartbeatRequest(position_ms=60_000)
    await streams.beat(seed.ACCOUNT, name, told, before + 5)
    told = HeartbeatRequest(position_ms=7)
    assert not await streams.beat("acc_other", name, told, before + 10)
    await api.services.playback.ledger.flush()
    found = await row(api.database, name)
    assert (found.position_ms, found.last_seen_ms) == (60_000, before + 5)


async def test_copies_say_whose_and_older_ones_are_paid(database: Any, make_api: Any) -> None:
    await make_api(database)
    async with database.write() as connection:
        rows = [Newcomer(name, *SHAPE).row(1_000) for name in ("ses_own", "ses_old")]
        await connection.execute(insert(playback_session), rows)
    store = MemoryStore()
    dead = Pledges(Shelf(store, 30), Ledger(database, flush_s=60))
    dead._ledger.beat("ses_own", Sign(2_000, 70_000, None, "acc_other"))
    await dead.end(End("acc_other", "ses_own", "stopped", 3_000))
    older = {"seen_ms": 2_000, "position_ms": 40_000, "cdn": None}
    await store.append(OWED, msgspec.msgpack.encode([None, ["ses_old", older], None]))
    assert await Pledges(Shelf(store, 30), Ledger(database, flush_s=60)).pay() == 3
    assert (await row(database, "ses_own")).position_ms is None
    assert (await row(database, "ses_own")).ended_ms is None
    assert (await row(database, "ses_old")).position_ms == 40_000


async def test_a_session_for_which_the_store_has_no_room_is_told_so(api: Any) -> None:
    """The store lost it, and admitted another in its place: CTL-103's answer, nothing stored."""
    _, begun = await api.start("one")
    name, store = begun["session_id"], api.services.store
    async with api.database.write() as connection:
        await connection.execute(update(account).values(max_streams=1))
    api.services.playback.streams._known.by_id.clear()
    before = (await row(api.database, name)).last_seen_ms
    store._accounts.clear()
    await store.admit(seed.ACCOUNT, "ses_other", device="other", detail=b"", limit=1)
    for _ in range(2):
        path = f"/v1/sessions/{name}/heartbeat"
        status, problem = await api.send("POST", path, {"position_ms": 9_000})
        assert (status, problem["code"], problem["limit"]) == (409, "stream_limit", 1)
        assert [each["session_id"] for each in problem["active_devices"]] == ["ses_other"]
    await api.services.playback.ledger.flush()
    found = await row(api.database, name)
    assert (found.last_seen_ms, found.position_ms) == (before, None)
    await store.end(seed.ACCOUNT, "ses_other", "stopped")
    assert (await api.send("POST", path, {"position_ms": 9_000}))[0] == 200
