"""A household looks after its devices: they are seen, and signed out (CTL-72)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from control_api import events, seed
from control_api.outbox.tables import outbox
from control_api.schema import account, playback_session
from runtime.sql import SqlError


async def devices(api: Any) -> list[tuple[str, str]]:
    status, told = await api.send("GET", "/v1/devices")
    assert status == 200, told
    return [(each["name"], each["id"]) for each in told["items"]]


async def test_a_device_is_signed_out_and_makes_room(api: Any) -> None:
    async with api.database.write() as connection:
        mine = account.c.id == seed.ACCOUNT
        await connection.execute(update(account).where(mine).values(max_devices=2))
    begun = {}
    for name in ("tv", "phone"):
        told = {"id": name, "class": "tv" if name == "tv" else "mobile", "name": name}
        status, begun[name] = await api.start(told)
        assert status == 201
    status, refused = await api.start("third")
    assert (status, refused["code"]) == (403, "device_limit")
    known = dict(await devices(api))
    assert sorted(known.values()) == sorted(each["id"] for each in refused["devices"])
    gone = f"/v1/devices/{known['tv']}"
    assert (await api.send("DELETE", gone))[0] == 204
    assert (await api.send("DELETE", gone))[0] == 404
    assert [name for name, _ in await devices(api)] == ["phone"]

    beat = f"/v1/sessions/{begun['tv']['session_id']}/heartbeat"
    status, told = await api.send("POST", beat, {"position_ms": 0, "state": "playing"})
    assert (status, told["code"]) == (410, "session_terminated")
    async with asyncio.timeout(60):
        while (answer := await api.start("third"))[0] != 201:
            assert answer[1]["code"] == "device_limit", "until the word has come round (CTL-85)"
            await asyncio.sleep(0.05)
        while (answer := await api.start("tv"))[1].get("code") != "device_revoked":
            await asyncio.sleep(0.05)
    query = select(outbox.c.payload).where(outbox.c.topic == "device.removed")
    async with api.database.read() as connection:
        (told,) = (await connection.execute(query)).scalars()
    event = events.decode(told.encode())
    assert (event.subject, event.data["device_id"]) == (seed.ACCOUNT, known["tv"])


async def test_what_a_removed_device_plays_ends_with_it(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever becomes of the word to the store."""
    status, begun = await api.start("one")
    assert status == 201
    ((_, device_id),) = await devices(api)

    async def away(*_: Any) -> bool:
        raise SqlError("unavailable", "test")

    monkeypatch.setattr(api.services.playback.streams, "end", away)
    assert (await api.send("DELETE", f"/v1/devices/{device_id}"))[0] == 503
    query = select(playback_session.c.end_reason)
    query = query.where(playback_session.c.id == begun["session_id"])
    async with api.database.read() as connection:
        assert (await connection.execute(query)).scalar_one() == "terminated"
