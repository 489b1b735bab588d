"""Where sessions end their profiles go on: once, and at the latest place (CTL-109, CTL-140)."""

import asyncio
from typing import Any

import pytest
from control_rigs.recorder import Recorder
from sqlalchemy import delete, func, select, text

from control_api import seed
from control_api.ledger import End, Ledger, Sign
from control_api.outbox.tables import outbox
from control_api.times import now_ms, utc
from control_api.viewers.schema import profile

PLACE = "/v1/bookmarks/cnt_film"


@pytest.fixture
async def home(kept: Any, make_api: Any) -> Any:
    """A household with a profile, which plays a film."""
    await Recorder(kept).begin("acc_b")
    api = await make_api(kept)
    _, api.profile = await api.send("POST", "/v1/profiles", {"name": "Ada"})
    return api


async def watched(api: Any, position_ms: int, device: str = "one") -> str:
    """A session that has told of its place; its id."""
    status, begun = await api.start(device, content_id="cnt_film", profile_id=api.profile["id"])
    assert status == 201, begun
    path = f"/v1/sessions/{begun['session_id']}/heartbeat"
    assert (await api.send("POST", path, {"position_ms": position_ms}))[0] == 200
    return str(begun["session_id"])


async def stopped(api: Any, session_id: str) -> None:
    assert (await api.send("DELETE", f"/v1/sessions/{session_id}"))[0] == 204


async def place(api: Any) -> int | None:
    status, found = await api.send("GET", PLACE)
    return int(found["position_ms"]) if status == 200 else None


async def told(api: Any) -> int:
    query = select(func.count()).where(outbox.c.topic == "bookmark.updated")
    async with api.database.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def passed(at_ms: int) -> None:
    while now_ms() <= at_ms:
        await asyncio.sleep(0.001)


async def test_a_place_that_another_process_knew_is_written_after_the_stop(home: Any) -> None:
    session_id = await watched(home, 60_000)
    other = Ledger(home.database, flush_s=60)
    seen_ms = now_ms() + 1
    other.beat(session_id, Sign(seen_ms, 70_000, None))
    await passed(seen_ms)
    await stopped(home, session_id)
    assert await place(home) == 60_000
    await other.flush()
    assert await place(home) == 70_000
    beat = f"/v1/sessions/{session_id}/heartbeat"
    assert (await home.send("POST", beat, {"position_ms": 80_000}))[0] == 410, "it is over still"


async def test_a_session_that_falls_silent_leaves_its_place(home: Any) -> None:
    session_id = await watched(home, 60_000)
    ledger = home.services.playback.ledger
    ledger.end(End(seed.ACCOUNT, session_id, "expired", now_ms()))
    await ledger.flush()
    assert await place(home) == 60_000


async def test_a_second_stop_tells_nothing(home: Any) -> None:
    session_id = await watched(home, 60_000)
    await stopped(home, session_id)
    await stopped(home, session_id)
    assert await told(home) == 1
    assert (await home.send("DELETE", "/v1/history/cnt_film"))[0] == 204
    await stopped(home, session_id)
    assert await place(home) is None, "what was forgotten stays so"


async def test_an_older_session_does_not_undo_a_new_begin(home: Any) -> None:
    await stopped(home, await watched(home, 50_000))
    session_id = await watched(home, 60_000)
    begun_ms = now_ms() + 1
    await passed(begun_ms)
    body = {"position_ms": 1_000, "duration_ms": 100_000, "updated_at": utc(begun_ms).isoformat()}
    assert (await home.send("PUT", PLACE, body))[0] == 200
    await stopped(home, session_id)
    assert await place(home) is None


async def test_an_older_session_does_not_speak_for_a_newer_one(home: Any) -> None:
    older = await watched(home, 60_000)
    await passed(now_ms())
    newer = await watched(home, 5_000, "two")
    await stopped(home, older)
    assert await place(home) is None
    await stopped(home, newer)
    assert await place(home) is None


async def test_a_profile_that_goes_meanwhile_leaves_no_place(home: Any) -> None:
    session_id = await watched(home, 60_000)
    async with home.database.write() as connection:
        await connection.execute(delete(profile).where(profile.c.id == home.profile["id"]))
        stopping = asyncio.create_task(stopped(home, session_id))
        if connection.dialect.name == "postgresql":
            await _held(home.database)
    await stopping
    assert await place(home) is None


async def _held(database: Any) -> None:
    """Until somebody waits for a row of another's."""
    waits = text(
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(60):
        while True:
            async with database.read() as connection:
                if (await connection.execute(waits)).scalar_one():
                    return
            await asyncio.sleep(0.01)
