"""What nobody here wrote lies in Redis under an account's keys: the database's word counts, as
behind a store that lost it, and nobody is told 500 (CTL-188, CTL-189).
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from control_api import seed
from control_api.cases import CHANNEL
from control_api.details import Detail
from control_api.schema import account
from control_api.streams import SINCE
from runtime.sql import SqlError
from runtime.store import RedisStore, StoreError
from runtime.store.keys import account_keys

pytestmark = pytest.mark.twin
LIVE, DETAILS, GRAVES = account_keys(seed.ACCOUNT)


@pytest.fixture
async def warm(redis_url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_url, timeout_ms=10_000)
    await store.start()
    await store._quick.flushall()
    await store.put(SINCE, b"1")
    yield store
    await store.stop()


@pytest.fixture
async def api(database: Any, warm: RedisStore, make_api: Any) -> Any:
    """Over a store that is warm; the account may have two streams."""
    made = await make_api(database, store=warm)
    async with made.database.write() as connection:
        await connection.execute(update(account).values(max_streams=2))
    return made


async def beat(api: Any, session_id: str) -> int:
    status, _ = await api.send("POST", f"/v1/sessions/{session_id}/heartbeat", {})
    return int(status)


PACKED = {
    "texts": b"\xc1",
    "words": Detail("??", "web", "", 1).packed().replace(b"??", b"\xff\xff"),
}


async def spoil(raw: Any, how: str) -> None:
    if how == "type":
        await raw.set(LIVE, b"1")
    if how == "detail":
        await raw.set(DETAILS, b"\xff\0\xc1")
    if how == "graves":
        await raw.set(GRAVES, b"1")
    if packed := PACKED.get(how):
        for name in await raw.hkeys(DETAILS):
            before = (await raw.hget(DETAILS, name)).split(b"\0")[0]
            await raw.hset(DETAILS, name, before + b"\0" + packed)


@pytest.mark.parametrize("how", ["type", "detail", "graves", "texts", "words"])
async def test_limits_ends_and_heartbeats_hold(api: Any, how: str) -> None:
    raw = api.services.store._quick
    (_, one), (_, two) = [await api.start(device) for device in "ab"]
    await spoil(raw, how)
    status, refused = await api.start("c")
    assert (status, refused["code"]) == (409, "stream_limit"), refused
    listed = {each["session_id"] for each in refused["active_devices"]}
    assert listed == {one["session_id"], two["session_id"]}
    await spoil(raw, how)
    assert [await beat(api, each["session_id"]) for each in (one, two)] == [200, 200]
    assert (await api.start("c"))[0] == 409
    await spoil(raw, how)
    assert (await api.send("POST", f"/v1/sessions/{one['session_id']}/stop"))[0] == 204
    await spoil(raw, how)
    assert await beat(api, one["session_id"]) == 410
    assert (await api.start("c"))[0] == 201
    assert (await api.start("d"))[0] == 409
    await spoil(raw, how)
    async with api.client.delete(
        f"{api.url}/v1/sessions/{two['session_id']}", headers=api.bearer()
    ) as answer:
        assert answer.status == 204
    assert (await api.start("d"))[0] == 201


@pytest.mark.parametrize("wrote", [b"\xff", b"9" * 5_000, b"-5", b"9" * 18])
async def test_a_store_that_does_not_say_since_when_it_counts_is_cold(
    api: Any, wrote: bytes
) -> None:
    await api.services.store.put(SINCE, wrote)
    assert (await api.start("a"))[0] == 201
    assert int(await api.services.store.get(SINCE)) > 1_600_000_000_000


async def test_a_change_that_is_no_text_is_heard_and_survived(api: Any) -> None:
    cases = api.services.playback.cases
    before = cases.epoch(seed.ACCOUNT)
    async with asyncio.timeout(60):
        while cases.epoch(seed.ACCOUNT) <= before:
            await api.services.store.publish(CHANNEL, b"\xff", seed.ACCOUNT.encode())
            await asyncio.sleep(0.01)


async def test_a_store_that_lost_it_while_the_database_is_away(api: Any, monkeypatch: Any) -> None:
    """As where both are away: the player goes on, and is asked to come half as often."""
    _, one = await api.start("a")

    async def away(*_: Any, **__: Any) -> None:
        raise SqlError("unavailable", "test")

    await api.services.store._quick.flushall()
    monkeypatch.setattr("control_api.sessions.goes_on", away)
    path = f"/v1/sessions/{one['session_id']}/heartbeat"
    status, told = await api.send("POST", path, {"position_ms": 5})
    assert status == 200 and told["ttl_s"] == 180
    assert api.services.playback.ledger.sign(seed.ACCOUNT, one["session_id"]).position_ms == 5
    monkeypatch.undo()
    assert await beat(api, one["session_id"]) == 200
    assert await api.services.store.live([(seed.ACCOUNT, one["session_id"])]) == [True]


async def test_a_store_that_is_away_again_when_it_is_told(api: Any, monkeypatch: Any) -> None:
    _, one = await api.start("a")
    await api.services.store._quick.flushall()

    async def away(*_: Any, **__: Any) -> None:
        raise StoreError("unavailable", "test")

    monkeypatch.setattr(api.services.store, "admit", away)
    assert await beat(api, one["session_id"]) == 200
    monkeypatch.undo()
    assert await beat(api, one["session_id"]) == 200
