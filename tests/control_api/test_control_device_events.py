"""Devices and limits as services hear of them (CTL-171): registered, refused, signed out."""

import json
from typing import Any

import jsonschema
import pytest
from sqlalchemy import select, update

from control_api import seed
from control_api.events import generate
from control_api.events.table import TYPES
from control_api.outbox.tables import outbox
from control_api.rights import device_key
from control_api.schema import account
from runtime.store import MemoryStore

REFUSED = ("playback.session.denied", "playback.session.limit_reached")
TOLD = ("device.registered", "device.limit_reached", *REFUSED)


@pytest.fixture
async def api(kept: Any, make_api: Any) -> Any:
    return await make_api(kept, store=MemoryStore())


async def allow(api: Any, **most: int) -> None:
    async with api.database.write() as connection:
        mine = account.c.id == seed.ACCOUNT
        await connection.execute(update(account).where(mine).values(**most))


async def told(api: Any) -> list[tuple[str, dict[str, Any]]]:
    """The events, each as its schema wants it."""
    query = select(outbox.c.payload).where(outbox.c.topic.in_(TOLD)).order_by(outbox.c.seq)
    async with api.database.read() as connection:
        found = [json.loads(raw) for raw in (await connection.execute(query)).scalars()]
    for each in found:
        jsonschema.validate(each, generate.json_schema(TYPES[each["type"]]))
        assert each["subject"] == each["data"].pop("account_id") == seed.ACCOUNT
    return [(each["type"], each["data"]) for each in found]


async def test_a_device_is_told_of_when_it_is_first_seen(api: Any) -> None:
    for _ in range(2):
        assert (await api.start({"id": "tv", "class": "tv"}))[0] == 201
    assert (await api.start("tv", account_id="acc_nobody", channel_id="ch_demo"))[0] == 401
    seen = {"device_id": device_key(seed.ACCOUNT, "tv"), "device_class": "tv"}
    assert await told(api) == [("device.registered", seen)]


async def test_a_device_too_many_is_told_of_once_in_a_while(api: Any) -> None:
    """A start is refused, a question whether it would be is not."""
    await allow(api, max_devices=1)
    assert (await api.start("one"))[0] == 201
    for _ in range(3):
        assert (await api.start("two"))[1]["code"] == "device_limit"
    body = {"channel_id": "ch_demo", "device": {"id": "three"}}
    status, answer = await api.send("POST", "/v1/entitlements/check", body)
    assert (status, answer["code"]) == (403, "device_limit")
    assert (await api.start("four", content_id="cnt_vault"))[1]["code"] == "device_limit"
    refused = [data for kind, data in await told(api) if kind == "device.limit_reached"]
    many = {"device_class": "web", "reason": "device_limit"}
    names = ("two", "four")
    assert refused == [{"device_id": device_key(seed.ACCOUNT, name), **many} for name in names]


async def test_a_stream_too_many_is_told_of(api: Any) -> None:
    await allow(api, max_streams=1)
    assert (await api.start("one"))[0] == 201
    for subject in ({"content_id": "cnt_film"}, {"channel_id": "ch_demo"}):
        assert (await api.start("two", **subject))[1]["code"] == "stream_limit"
    (refused,) = [data for kind, data in await told(api) if kind in REFUSED]
    assert refused == {
        "device_id": device_key(seed.ACCOUNT, "two"),
        "kind": "vod",
        "target_id": "cnt_film",
        "reason": "stream_limit",
        "limit": 1,
    }


async def test_a_denied_start_is_told_of_with_its_rule(api: Any) -> None:
    """CTL-114: once for each subject that a device is denied; what nobody denied is not told."""
    for subject in ("ch_arena", "ch_arena", "ch_none"):
        assert (await api.start("one", channel_id=subject))[0] in (403, 404)
    assert (await api.start("one", channel_id="ch_demo", mode="vod"))[1]["code"] == "invalid"
    device = {"device_id": device_key(seed.ACCOUNT, "one"), "kind": "live"}
    denied = [
        {"target_id": "ch_arena", "reason": "not_entitled", "rule": "CTL-79"},
        {"target_id": "ch_none", "reason": "content_not_found", "rule": "CTL-73"},
    ]
    assert await told(api) == [(REFUSED[0], device | each) for each in denied]
