"""A node whose clock is slow takes no place of another for one of a time to come (CTL-140)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from control_api import seed
from control_api.guarded import Shelf
from control_api.ledger import End, Ledger, Sign
from control_api.schema import content, playback_session
from control_api.sessions import Newcomer
from control_api.times import now_ms, utc
from control_api.viewers.schema import bookmark, profile
from runtime.clock import ManualClock
from runtime.store import MemoryStore, RedisStore, Store

HOUR_MS = 3_600_000
SLOW_MS = 150_000
FILM = "cnt_film"


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.twin)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    made: Any = MemoryStore()
    if request.param == "redis":
        made = RedisStore(request.getfixturevalue("redis_url"), timeout_ms=10_000)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def profile_id(api: Any) -> str:
    """Of the demo's account; the film lasts two hours."""
    async with api.database.write() as connection:
        await connection.execute(
            update(content).where(content.c.id == FILM).values(duration_ms=2 * HOUR_MS)
        )
    assert (await api.send("POST", "/v1/profiles", {"name": "Slow"}))[0] == 201
    async with api.database.read() as connection:
        query = select(profile.c.id).where(profile.c.name == "Slow")
        return str((await connection.execute(query)).scalar_one())


async def position(api: Any, table: Any) -> int:
    async with api.database.read() as connection:
        return int((await connection.execute(select(table.c.position_ms))).scalar_one())


async def test_the_later_sign_stands_whichever_node_pays_last(
    api: Any, profile_id: str, store: Store
) -> None:
    at_ms, shape = store.now_ms(), (seed.ACCOUNT, "dev", "vod", FILM, "00", 1)
    row = Newcomer("ses", *shape, profile_id=profile_id).row(at_ms - HOUR_MS)
    async with api.database.write() as connection:
        await connection.execute(insert(playback_session), [row])
    shelf = Shelf(store, 30)
    right, slow = (
        Ledger(api.database, flush_s=60, clock=ManualClock(own_ms), latest_ms=shelf.latest_ms)
        for own_ms in (at_ms, at_ms - SLOW_MS)
    )
    slow.beat("ses", Sign(at_ms - SLOW_MS, 60_000, None, seed.ACCOUNT))
    right.beat("ses", Sign(at_ms, 120_000, None, seed.ACCOUNT))
    right.end(End(seed.ACCOUNT, "ses", "stopped", at_ms))
    await right.flush()
    assert await position(api, bookmark) == 120_000
    await slow.flush()
    assert await position(api, playback_session) == 120_000
    other = Newcomer("ses_other", *shape, profile_id=profile_id).row(at_ms - SLOW_MS)
    async with api.database.write() as connection:
        await connection.execute(insert(playback_session), [other | {"position_ms": 60_000}])
    slow.end(End(seed.ACCOUNT, "ses_other", "stopped", at_ms - SLOW_MS))
    await slow.flush()
    assert await position(api, bookmark) == 120_000


async def test_what_a_viewer_said_later_stands_at_a_slow_node(
    api: Any, profile_id: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(api.services.store, "now_ms", lambda: now_ms() + SLOW_MS)
    at_ms, path = now_ms() + SLOW_MS, f"/v1/bookmarks/{FILM}?profile_id={profile_id}"

    async def put(position_ms: int, said_ms: int) -> int:
        body = {"position_ms": position_ms, "duration_ms": 2 * HOUR_MS}
        status, told = await api.send("PUT", path, body | {"updated_at": utc(said_ms).isoformat()})
        assert status == 200, told
        return int(told["position_ms"])

    assert await put(120_000, at_ms) == 120_000
    assert await put(60_000, at_ms - 60_000) == 120_000
    assert await put(180_000, at_ms + 1) == 180_000
