"""A place that a wrong clock wrote into a time to come can be overtaken (CTL-140)."""

from typing import Any

import pytest
from sqlalchemy import insert, select, update

from control_api.ledger import End, Ledger, Sign
from control_api.schema import content, playback_session
from control_api.sessions import Newcomer
from control_api.times import now_ms, utc
from control_api.viewers.schema import bookmark, profile, watch_history

HOUR_MS = 3_600_000
FILM = "cnt_film"


@pytest.fixture
async def profile_id(api: Any) -> str:
    """Of the demo's account; the film lasts two hours."""
    async with api.database.write() as connection:
        await connection.execute(
            update(content).where(content.c.id == FILM).values(duration_ms=2 * HOUR_MS)
        )
    status, made = await api.send("POST", "/v1/profiles", {"name": "Ahead"})
    assert status == 201, made
    async with api.database.read() as connection:
        query = select(profile.c.id).where(profile.c.name == "Ahead")
        return str((await connection.execute(query)).scalar_one())


async def from_the_future(api: Any, profile_id: str, position_ms: int = 900_000) -> None:
    """As a node wrote it whose clock was an hour ahead."""
    keys, at_ms = {"profile_id": profile_id}, now_ms() + HOUR_MS
    values = {"position_ms": position_ms, "duration_ms": 2 * HOUR_MS, "finished": False}
    async with api.database.write() as connection:
        mark = keys | {"content_id": FILM, "updated_ms": at_ms} | values
        await connection.execute(insert(bookmark).values(mark))
        seen = keys | {"target_id": FILM, "at_ms": at_ms}
        await connection.execute(insert(watch_history).values(seen))


async def put(api: Any, profile_id: str, position_ms: int, at_ms: int) -> int:
    body = {
        "position_ms": position_ms,
        "duration_ms": 2 * HOUR_MS,
        "updated_at": utc(at_ms).isoformat(),
    }
    path = f"/v1/bookmarks/{FILM}?profile_id={profile_id}"
    status, told = await api.send("PUT", path, body)
    assert status == 200, told
    return int(told["position_ms"])


async def seen_ms(api: Any) -> int:
    async with api.database.read() as connection:
        return int((await connection.execute(select(watch_history.c.at_ms))).scalar_one())


@pytest.mark.parametrize("position_ms", [60_000, 10_000])
async def test_what_a_viewer_says_now_stands(api: Any, profile_id: str, position_ms: int) -> None:
    await from_the_future(api, profile_id)
    at_ms = now_ms()
    left = await put(api, profile_id, position_ms, at_ms)
    assert left == (position_ms if position_ms > 30_000 else 0)
    assert await seen_ms(api) == at_ms
    assert await put(api, profile_id, 70_000, at_ms - 5_000) == left, "an older one is older still"


async def test_a_client_that_is_ahead_is_the_latest_for_a_minute(
    api: Any, profile_id: str, wheel: Any
) -> None:
    assert await put(api, profile_id, 50_000, now_ms() + HOUR_MS) == 50_000
    assert await put(api, profile_id, 60_000, wheel.now_ms()) == 50_000
    wheel.advance(61)
    assert await put(api, profile_id, 60_000, wheel.now_ms()) == 60_000


@pytest.mark.parametrize("by", ["sign", "end"])
async def test_the_place_of_a_session_stands(api: Any, profile_id: str, by: str) -> None:
    """Whose row was last seen an hour from now, beside another's of that hour."""
    await from_the_future(api, profile_id)
    at_ms, shape = now_ms(), ("acc_demo", "dev", "vod", FILM, "00", 1)
    rows = [
        Newcomer(name, *shape, profile_id=profile_id).row(at_ms + HOUR_MS)
        for name in ("ses_own", "ses_other")
    ]
    async with api.database.write() as connection:
        await connection.execute(insert(playback_session), rows)
        if by == "end":
            await connection.execute(update(playback_session).values(position_ms=60_000))
    ledger = Ledger(api.database, flush_s=60)
    if by == "sign":
        ledger.beat("ses_own", Sign(at_ms, 60_000, None))
    ledger.end(End("acc_demo", "ses_own", "stopped", at_ms))
    await ledger.flush()
    async with api.database.read() as connection:
        mark = (await connection.execute(select(bookmark))).one()
    assert mark.position_ms == 60_000 and at_ms <= mark.updated_ms <= now_ms()
    assert await put(api, profile_id, 80_000, now_ms()) == 80_000


async def test_an_end_that_is_paid_late_is_as_old_as_it_was(api: Any, profile_id: str) -> None:
    """What another device said since stays, though it is later than the end."""
    at_ms = now_ms()
    row = Newcomer("ses_own", "acc_demo", "dev", "vod", FILM, "00", 1, profile_id=profile_id)
    async with api.database.write() as connection:
        await connection.execute(insert(playback_session), [row.row(at_ms - HOUR_MS)])
    assert await put(api, profile_id, 80_000, at_ms - HOUR_MS // 2) == 80_000
    ledger = Ledger(api.database, flush_s=60)
    ledger.beat("ses_own", Sign(at_ms - HOUR_MS, 60_000, None))
    ledger.end(End("acc_demo", "ses_own", "stopped", at_ms - HOUR_MS))
    await ledger.flush()
    async with api.database.read() as connection:
        assert (await connection.execute(select(bookmark.c.position_ms))).scalar_one() == 80_000
