"""Who starts and stops while the database hangs: what may be owed is owed, and nothing is left half
done (CTL-107, CTL-109, CTL-188).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import func, select, text

from control_api import kept, ledger
from control_api.outbox.tables import outbox
from control_api.schema import playback_session
from control_api.streams import SINCE
from control_api.viewers import resume
from control_api.viewers.schema import bookmark
from runtime.sql import Database, SqlError
from runtime.store import MemoryStore

FILM = {"content_id": "cnt_film"}
LATE_S = 50.0  # a bound on what waits for nobody; the database is waited for longer
HELD = {"postgresql": "LOCK TABLE playback_session IN EXCLUSIVE MODE", "sqlite": "SELECT 1"}


@pytest.fixture
async def api(database: Database, make_api: Any) -> Any:
    """A household with a device that is known; nobody pays unasked."""
    store = MemoryStore()
    await store.put(SINCE, b"1")
    api = await make_api(database, store=store, access_cache_s=60, flush_s=3_600)
    for _ in range(2):  # the second reads the device
        assert (await api.start("one", **FILM))[0] == 201
    return api


@asynccontextmanager
async def hung(database: Database, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """No session is written meanwhile (SQLite: nothing is), and whoever may owe does so at once."""
    with patch.context() as patched:
        patched.setattr(kept, "LATE_MS", 1)
        async with database.write() as connection:
            await connection.execute(text(HELD[database.dialect]))
            async with asyncio.timeout(LATE_S):
                yield


async def sessions(api: Any) -> dict[str, Any]:
    async with api.database.read() as connection:
        return {row.id: row for row in await connection.execute(select(playback_session))}


async def began(api: Any, session_id: str) -> int:
    """How often it was told that a session began."""
    async with api.database.read() as connection:
        query = select(outbox.c.payload).where(outbox.c.topic == "playback.session.started")
        told = (await connection.scalars(query)).all()
    return sum(session_id in str(each) for each in told)


async def test_a_known_device_starts_and_stops_while_the_database_hangs(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is written once, by the transaction that hung or by payment."""
    async with hung(api.database, monkeypatch):
        status, first = await api.start("one", **FILM)
        assert status == 201, first
        path = f"/v1/sessions/{first['session_id']}"
        assert (await api.send("POST", f"{path}/heartbeat", {"position_ms": 40_000}))[0] == 200
        assert (await api.send("POST", f"{path}/stop"))[0] == 204
        status, second = await api.start("one", **FILM)
        assert (status, second["limits"]["in_use"]) == (201, 1)
    playback = api.services.playback
    await playback.streams._arrivals.settled()
    await playback.ledger.flush()
    rows = await sessions(api)
    row = rows[first["session_id"]]
    assert (row.end_reason, row.position_ms) == ("stopped", 40_000)
    assert [each.id for each in rows.values() if each.ended_ms is None] == [second["session_id"]]
    assert [await began(api, each["session_id"]) for each in (first, second)] == [1, 1]


async def test_a_start_that_must_be_written_is_refused_in_time_and_leaves_nothing(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nobody waits for its withdrawal; the caller's budget is a start's."""
    body = {"device": {"id": "new"}, **FILM}
    budget = {"X-Request-Timeout-Ms": "300"}
    before = set(await sessions(api))
    async with hung(api.database, monkeypatch):
        asked = api.send("POST", "/v1/playback/start", body, headers=budget)
        assert (await asked)[0] == 503
    await api.services.playback.streams.settled()
    await api.services.playback.ledger.flush()
    rows = await sessions(api)
    assert all(rows[each].end_reason == "failed" for each in set(rows) - before)
    status, told = await api.start("one", **FILM)
    assert (status, told["limits"]["in_use"]) == (201, 1)


async def test_a_place_that_is_not_found_in_time_is_the_begin(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = api.database.ask

    async def hangs(statement: Any, *given: Any, **more: Any) -> Any:
        if statement is resume._PLACE:
            await asyncio.Event().wait()
        return await ask(statement, *given, **more)

    _, profile = await api.send("POST", "/v1/profiles", {"name": "Ada"})
    monkeypatch.setattr(api.database, "ask", hangs)
    monkeypatch.setattr(kept, "LATE_MS", 1)
    async with asyncio.timeout(LATE_S):
        status, told = await api.start("one", profile_id=profile["id"], **FILM)
    assert (status, told["position_ms"]) == (201, 0)


async def test_a_stop_and_its_place_are_kept_together(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CTL-109: a database that goes between the two has neither, and both are owed."""
    _, profile = await api.send("POST", "/v1/profiles", {"name": "Ada"})
    _, told = await api.start("one", profile_id=profile["id"], **FILM)
    path = f"/v1/sessions/{told['session_id']}"
    assert (await api.send("POST", f"{path}/heartbeat", {"position_ms": 40_000}))[0] == 200
    await api.services.playback.ledger.flush()

    async def goes(*_: Any) -> None:
        raise SqlError("unavailable", "gone")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "leave", goes)
        assert (await api.send("POST", f"{path}/stop"))[0] == 204
    assert (await sessions(api))[told["session_id"]].ended_ms is None
    await api.services.playback.ledger.flush()
    async with api.database.read() as connection:
        query = select(func.max(bookmark.c.position_ms)).where(
            bookmark.c.profile_id == profile["id"]
        )
        assert (await connection.execute(query)).scalar_one() == 40_000
