"""Packages, offers, blackouts and grants: run by operators over the API, told to all (CTL-8, 76,
80, 162, 163).
"""

import asyncio
from secrets import token_hex
from typing import Any

import pytest
from control_rigs.rental import rent
from sqlalchemy import insert, select, text, update

from control_api import seed
from control_api.catalogue.tables import audit_log
from control_api.outbox.tables import outbox
from control_api.schema import entitlement
from control_api.times import now_ms, utc

MERGE = "application/merge-patch+json"
SCOPES = frozenset({"rights:write", "entitlement:check", "entitlement:write", "session:terminate"})
CHECK = "/v1/entitlements/check"
HOUR = 3_600_000


@pytest.fixture
async def desk(kept: Any, make_api: Any) -> Any:
    """An API that keeps what it read; `ask` speaks with an operator's scopes."""
    return await make_api(kept, access_cache_s=60)


async def ask(api: Any, method: str, path: str, body: Any = None, tag: str = "") -> Any:
    """Status, body, ETag."""
    headers = api.bearer(scopes=SCOPES) | ({"If-Match": tag} if tag else {})
    if method == "PATCH":
        headers["Content-Type"] = MERGE
    if method == "POST":
        headers["Idempotency-Key"] = token_hex(8)
    async with api.client.request(method, api.url + path, json=body, headers=headers) as answer:
        told = await answer.json(content_type=None) if await answer.read() else None
        return answer.status, told, answer.headers.get("ETag", "")


async def code(api: Any, **target: Any) -> str:
    status, told, _ = await ask(api, "POST", CHECK, {"device": {"id": "one"}, **target})
    return "ok" if status == 200 else str(told["code"])


def span(begin_ms: int, end_ms: int) -> dict[str, str]:
    at = now_ms()
    return {
        "start_at": utc(at + begin_ms).isoformat(),
        "end_at": utc(at + end_ms).isoformat(),
    }


async def test_what_is_sold_is_run_without_sql(desk: Any) -> None:
    """CTL-80: what an operator offers is an upgrade, what a service grants opens it, at once."""
    vault = {"content_id": "cnt_vault"}
    assert await code(desk, **vault) == "not_entitled"
    package = {"kind": "svod", "tier": 0, "name": "Nights"}
    status, made, tag = await ask(desk, "POST", "/v1/admin/packages", package)
    assert (status, made["status"], tag) == (201, "active", '"v1"')
    one = f"/v1/admin/packages/{made['id']}"
    offer = {"package_id": made["id"], "territory": "**", "price_minor": 1, "currency": "EUR"}
    offer |= span(-HOUR, HOUR)
    status, sold, _ = await ask(desk, "POST", "/v1/admin/offers", offer)
    assert status == 201
    options = (await ask(desk, "POST", CHECK, {"device": {"id": "one"}, **vault}))[1]
    assert [each["offer_id"] for each in options["upgrade_options"]] == ["ofr_premium"]
    patch = {"items": [{"kind": "content", "id": "cnt_vault"}]}
    assert (await ask(desk, "PATCH", one, patch))[0] == 428
    assert (await ask(desk, "PATCH", one, patch, '"v9"'))[0] == 412
    status, changed, tag = await ask(desk, "PATCH", one, patch, '"v1"')
    assert (status, changed["version"], tag) == (200, 2, '"v2"')
    assert (await ask(desk, "PATCH", one, patch, '"v2"'))[2] == '"v2"', "equal changes nothing"
    options = (await ask(desk, "POST", CHECK, {"device": {"id": "one"}, **vault}))[1]
    assert [each["offer_id"] for each in options["upgrade_options"]] == [sold["id"], "ofr_premium"]
    grant = {"account_id": seed.ACCOUNT, "package_id": made["id"], "reference": "order 1"}
    status, given, _ = await ask(desk, "POST", "/v1/entitlements", grant)
    assert (status, given["live"]) == (201, True)
    assert await code(desk, **vault) == "ok", "CTL-80: buying it makes the same call pass"
    assert (await ask(desk, "POST", "/v1/entitlements", grant))[1]["code"] == "exists"
    status, archived, _ = await ask(desk, "POST", f"{one}/moves", {"to": "archived"})
    assert (archived["status"], archived["version"]) == ("archived", 3)
    assert await code(desk, **vault) == "ok", "who has it keeps it"
    for path in ("/v1/entitlements", f"/v1/admin/entitlements?account_id={seed.ACCOUNT}&limit=1"):
        first = (await ask(desk, "GET", path))[1]
        more = f"{path}&cursor={first['next_cursor']}" if first["next_cursor"] else path
        both = [
            each["id"] for each in (first["items"] + (await ask(desk, "GET", more))[1]["items"])
        ]
        assert {*both} == {"ent_demo", given["id"]}
    assert (await ask(desk, "DELETE", f"/v1/entitlements/{given['id']}"))[0] == 204
    assert (await ask(desk, "DELETE", f"/v1/entitlements/{given['id']}"))[0] == 404
    back, away = {"to": "active"}, {"to": "archived"}
    assert (await ask(desk, "POST", f"{one}/moves", back))[1]["status"] == "active"
    options = (await ask(desk, "POST", CHECK, {"device": {"id": "one"}, **vault}))[1]
    assert len(options["upgrade_options"]) == 2, "on sale again"
    assert (await ask(desk, "POST", f"/v1/admin/offers/{sold['id']}/moves", away))[0] == 200
    options = (await ask(desk, "POST", CHECK, {"device": {"id": "one"}, **vault}))[1]
    assert [each["offer_id"] for each in options["upgrade_options"]] == ["ofr_premium"], "archived"
    async with desk.database.read() as connection:
        lines = (await connection.execute(select(audit_log).order_by(audit_log.c.id))).all()
        topics = (await connection.execute(select(outbox.c.topic))).scalars().all()
    assert [each.action for each in lines] == [
        *("package.created", "offer.created", "package.updated"),
        *("entitlement.granted", "package.updated", "entitlement.revoked"),
        *("package.updated", "offer.updated"),
    ]
    assert lines[2].before["document"]["items"] == [] and lines[2].after["version"] == 2
    assert {"entitlement.granted", "entitlement.revoked"} <= set(topics)


async def test_every_entry_is_read_by_itself(desk: Any) -> None:
    """Document, version and tag of one; 404 for what nobody made."""
    package = {"kind": "svod", "tier": 0, "name": "Nights"}
    offer = {"content_id": "cnt_film", "territory": "**", "price_minor": 1, "currency": "EUR"}
    blackout = {"channel_id": "ch_demo", **span(-HOUR, HOUR)}
    bodies = {"packages": package, "offers": offer | span(-HOUR, HOUR), "blackouts": blackout}
    for name, body in bodies.items():
        path = f"/v1/admin/{name}"
        status, made, tag = await ask(desk, "POST", path, body)
        assert status == 201, made
        assert await ask(desk, "GET", f"{path}/{made['id']}") == (200, made, tag)
        status, told, _ = await ask(desk, "GET", f"{path}/{made['id']}0")
        assert (status, told["code"]) == (404, "not_found")


async def test_a_reference_is_granted_once_however_close_the_two_are(desk: Any) -> None:
    """The other's row is there and not yet committed when it is asked for again."""
    grant = {"account_id": seed.ACCOUNT, "content_id": "cnt_film", "reference": "order 1"}
    other = {"id": "ent_other", "account_id": seed.ACCOUNT, "content_id": "cnt_film"}
    other |= {"source": "api", "source_ref": "order 1", "state": "active", "start_ms": 0}
    async with desk.database.write() as connection:
        await connection.execute(insert(entitlement).values(other))
        asked = asyncio.create_task(ask(desk, "POST", "/v1/entitlements", grant))
        while desk.database.dialect == "postgresql" and not await waiting(desk.database):
            await asyncio.sleep(0.01)
    status, told, _ = await asked
    assert (status, told["code"]) == (409, "exists")


async def waiting(database: Any) -> bool:
    """Whether somebody waits for another transaction's end."""
    async with database.read() as connection:
        query = text("select count(*) from pg_locks where not granted")
        return bool((await connection.execute(query)).scalar())


async def test_blackouts_come_and_go(desk: Any) -> None:
    """CTL-76: what is made, moved and removed counts at once, and is told once each way."""
    await refuses_nonsense(desk)
    live = {"channel_id": "ch_demo"}
    assert await code(desk, **live) == "ok"
    body = {"channel_id": "ch_demo", "alternate_channel_id": "ch_arena", **span(-HOUR, HOUR)}
    status, made, tag = await ask(desk, "POST", "/v1/admin/blackouts", body)
    assert (status, made["document"]["territories"]) == (201, ["**"])
    one = f"/v1/admin/blackouts/{made['id']}"
    assert await code(desk, **live) == "blackout"
    status, _, tag = await ask(desk, "PATCH", one, {"territories": ["SE", "NO"]}, tag)
    assert await code(desk, **live) == "geo_unknown", "who may be anywhere may be there"
    later = span(HOUR, 2 * HOUR)
    status, moved, tag = await ask(desk, "PATCH", one, later, tag)
    assert (status, moved["document"]["territories"]) == (200, ["NO", "SE"])
    assert await code(desk, **live) == "ok"
    status, told, _ = await ask(desk, "PATCH", one, {"channel_id": "ch_arena"}, tag)
    assert (status, told["code"]) == (409, "in_use")
    assert (await ask(desk, "GET", "/v1/admin/blackouts"))[1]["items"][0]["id"] == made["id"]
    assert [(await ask(desk, "DELETE", one))[0] for _ in range(2)] == [204, 404]
    async with desk.database.read() as connection:
        query = select(outbox.c.topic).where(outbox.c.topic.like("blackout%"))
        assert (await connection.execute(query.order_by(outbox.c.seq))).scalars().all() == [
            *("blackout.started", "blackout.ended")
        ]


NONSENSE = (
    ("packages", {"kind": "svod", "tier": 0, "name": ""}, "invalid"),
    ("packages", {"kind": "svod", "tier": 0, "name": "x", "items": [{}]}, "invalid"),
    (
        "packages",
        {"kind": "svod", "tier": 0, "name": "x", "items": [{"kind": "channel", "id": "ch_x"}]},
        "unknown_reference",
    ),
    ("offers", {"price_minor": -1}, "invalid"),
    ("blackouts", {"channel_id": "ch_demo", "event_id": "evt_1", **span(0, 1)}, "invalid"),
    ("blackouts", {"channel_id": "ch_demo", **span(HOUR, 0)}, "invalid"),
    ("blackouts", {"event_id": "evt_1", **span(0, HOUR)}, "unknown_reference"),
    ("blackouts", {"channel_id": "ch_x", **span(0, HOUR)}, "unknown_reference"),
)


async def refuses_nonsense(desk: Any) -> None:
    for path, body, expected in NONSENSE:
        status, told, _ = await ask(desk, "POST", f"/v1/admin/{path}", body)
        assert (status < 500, told["code"]) == (True, expected), body


async def test_support_is_told_why(desk: Any) -> None:
    """CTL-86: every rule with what it saw, at any time, from anywhere, as CheckAccess decides."""
    body = {"channel_id": "ch_demo", "territories": ["SE"], **span(HOUR, 2 * HOUR)}
    assert (await ask(desk, "POST", "/v1/admin/blackouts", body))[0] == 201
    question = {"account_id": seed.ACCOUNT, "device": {"id": "one"}, "channel_id": "ch_demo"}
    url, at = "/v1/entitlements/explain", utc(now_ms() + HOUR + 60_000).isoformat()
    status, told, _ = await ask(desk, "POST", url, question)
    assert (status, told["allowed"], told["decided_by"]) == (200, True, None)
    told = (await ask(desk, "POST", url, question | {"at": at, "territory": "SE"}))[1]
    assert (told["allowed"], told["decided_by"]) == (False, "CTL-76")
    by = {each["rule"]: each for each in told["rules"]}
    assert [*by] == [f"CTL-{n}" for n in (71, 72, 73, 74, 75, 76, 77, 79)]
    assert by["CTL-76"]["verdict"] == "blackout" and by["CTL-79"]["verdict"] == "pass"
    assert by["CTL-76"]["inputs"]["blackouts"][0]["territories"] == ["SE"]
    assert by["CTL-79"]["inputs"]["grants"][0]["id"] == "ent_demo"
    told = (await ask(desk, "POST", url, question | {"at": at, "territory": "NO"}))[1]
    assert told["allowed"] is True
    vault = {"account_id": seed.ACCOUNT, "device": {"id": "one"}, "content_id": "cnt_vault"}
    told = (await ask(desk, "POST", url, vault))[1]
    assert told["rules"][-1]["verdict"] == await code(desk, content_id="cnt_vault")
    assert (await ask(desk, "POST", url, vault | {"account_id": "acc_none"}))[0] == 404
    for mode, expected in (("vod", "ok"), ("live", "invalid")):
        assert await code(desk, content_id="cnt_film", mode=mode) == expected


async def test_a_purchase_is_live_as_long_as_it_plays(turned: Any, wheel: Any) -> None:
    """CTL-81: begun before its end it is seen through its window, and then it is over."""
    await rent(turned.database, 2)
    mine = entitlement.c.id == "ent_rent"

    async def told(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = turned.bearer(now_s=wheel.now_ms() // 1_000)
        answer: tuple[int, Any] = await turned.send(method, path, body, headers=headers)
        return answer

    async def live() -> bool:
        _, listed = await told("GET", "/v1/entitlements")
        (found,) = (each for each in listed["items"] if each["id"] == "ent_rent")
        return bool(found["live"])

    assert await live()
    play = {"device": {"id": "one"}, "content_id": "cnt_vault"}
    assert (await told("POST", "/v1/playback/start", play))[0] == 201
    async with turned.database.write() as connection:
        await connection.execute(update(entitlement).where(mine).values(end_ms=wheel.now_ms()))
    assert await live(), "it began in time"
    async with turned.database.write() as connection:
        await connection.execute(update(entitlement).where(mine).values(end_ms=None))
    wheel.advance(172_800)
    assert not await live(), "its window is over"
