"""Operators make, find, limit, suspend and delete accounts (CTL-8, CTL-71, CTL-83, CTL-163)."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import insert, select

from control_api import events
from control_api.catalogue.tables import audit_log
from control_api.outbox.tables import outbox
from control_api.schema import account, entitlement
from runtime.store import MemoryStore

ACCOUNTS = "/v1/admin/accounts"
ADA = {"username": "Ada@Example.org", "password": "correct horse", "country": "DE"}
PATCH, JSON = "application/merge-patch+json", "application/json"


@pytest.fixture
async def api(kept: Any, make_api: Any) -> Any:
    return await make_api(kept, store=MemoryStore())


async def admin(api: Any, method: str, path: str, body: Any = None, **more: Any) -> Any:
    headers = api.bearer(scopes=frozenset({"admin"})) | more
    data = None if body is None else json.dumps(body)
    headers |= {} if body is None else {"Content-Type": PATCH if method == "PATCH" else JSON}
    url = api.url + path
    async with api.client.request(method, url, data=data, headers=headers) as answer:
        told = await answer.json(content_type=None)
        return answer.status, told, answer.headers.get("ETag")


async def made(api: Any, **more: Any) -> Any:
    status, told, _ = await admin(api, "POST", ACCOUNTS, ADA | more)
    assert status == 201, told
    return told


async def become(api: Any, key: str, **terms: Any) -> Any:
    """The account, changed as it is now."""
    path = f"{ACCOUNTS}/{key}"
    _, _, tag = await admin(api, "GET", path)
    status, told, _ = await admin(api, "PATCH", path, terms, **{"If-Match": tag})
    assert status == 200, told
    return told


async def sign_in(api: Any, path: str = "token", **body: str) -> tuple[int, Any]:
    given = {"grant_type": "password", "username": ADA["username"], "password": ADA["password"]}
    async with api.client.post(f"{api.url}/v1/auth/{path}", json=body or given) as answer:
        return answer.status, await answer.json(content_type=None)


async def told_of(api: Any, key: str) -> list[tuple[str, str]]:
    query = select(outbox.c.payload).where(outbox.c.key == key, outbox.c.topic.like("account.%"))
    async with api.database.read() as connection:
        raw = (await connection.execute(query.order_by(outbox.c.seq))).scalars()
        told = [events.decode(each.encode()) for each in raw]
    return [(each.type, each.data["state"]) for each in told]


async def test_an_account_is_made_and_signs_in(api: Any) -> None:
    one = await made(api, max_streams=2)
    assert one["sign_ins"] == [{"kind": "password", "subject": "ada@example.org"}]
    assert one["document"]["status"] == "active" and one["document"]["max_streams"] == 2
    status, signed = await sign_in(api)
    assert status == 200
    headers = {"Authorization": f"Bearer {signed['access_token']}"}
    async with api.client.get(f"{api.url}/v1/me", headers=headers) as answer:
        told = await answer.json()
    assert (told["account_id"], told["country"]) == (one["id"], "DE")
    assert told["limits"]["max_streams"] == 2
    status, told, _ = await admin(api, "POST", ACCOUNTS, ADA | {"username": "ADA@example.org"})
    assert (status, told["code"]) == (409, "exists")
    async with api.database.read() as connection:
        (line,) = (await connection.execute(select(audit_log))).all()
        kept = (await connection.execute(select(account.c.id))).scalars().all()
    assert line.action == "account.created" and line.before is None
    assert len(kept) == 2, "the refused one left nothing behind"
    words = json.dumps([one, line.after])
    assert ADA["password"] not in words and "argon2" not in words
    assert await told_of(api, one["id"]) == [("account.created", "active")]


async def test_a_way_in_is_needed_and_only_one(api: Any) -> None:
    for way in (
        {},
        {"username": "x"},
        {"password": "long enough"},
        {"username": "x", "password": "long enough", "oidc_subject": "acc_x"},
        {"username": "x", "password": "short"},
        {"username": "ß" * 254, "password": "long enough"},
        {"oidc_subject": "not an id"},
    ):
        status, told, _ = await admin(api, "POST", ACCOUNTS, {"country": "DE"} | way)
        assert (status, told["code"]) == (400, "invalid"), way
    body = {"country": "FR", "oidc_subject": "partner:17"}
    status, told, _ = await admin(api, "POST", ACCOUNTS, body)
    assert (status, told["id"]) == (201, "partner:17"), "as its issuer's tokens name it"
    assert (await api.send("GET", "/v1/me", account_id="partner:17"))[1]["country"] == "FR"
    assert (await admin(api, "POST", ACCOUNTS, body))[0] == 409


async def test_accounts_are_found_by_id_and_subject(api: Any) -> None:
    """CTL-6: pages hold each once, a cursor is of its question alone."""
    keys = [(await made(api, username=f"{name}@x.org"))["id"] for name in ("a_1", "ab", "b", "c")]

    async def found(q: str) -> list[str]:
        _, told, _ = await admin(api, "GET", f"{ACCOUNTS}?q={q}")
        return [each["id"] for each in told["items"]]

    assert await found("a_") == [keys[0]], "no word is a pattern"
    assert await found("A") == [keys[1], keys[0]]
    assert await found(keys[2]) == [keys[2]]
    assert await found("%25") == await found("nobody") == []
    seen, cursor = [], ""
    while cursor is not None:
        status, told, _ = await admin(
            api, "GET", f"{ACCOUNTS}?limit=2{cursor and '&cursor='}{cursor}"
        )
        assert status == 200
        seen += [each["id"] for each in told["items"]]
        cursor, last = told["next_cursor"], cursor
    assert sorted(seen) == sorted([*keys, "acc_demo"]) and len(set(seen)) == len(seen)
    status, told, _ = await admin(api, "GET", f"{ACCOUNTS}?q=a&cursor={last}")
    assert (status, told["code"]) == (400, "bad_cursor")


async def test_a_change_names_its_version(api: Any) -> None:
    path = f"{ACCOUNTS}/{(await made(api))['id']}"
    assert (await admin(api, "PATCH", path, {"max_streams": 1}))[0] == 428
    status, told, tag = await admin(api, "PATCH", path, {"max_streams": 1}, **{"If-Match": '"v1"'})
    assert (status, told["version"], tag) == (200, 2, '"v2"')
    late = {"If-Match": '"v1"'}
    assert (await admin(api, "PATCH", path, {"max_streams": 9}, **late))[0] == 412
    for bad in ({"id": "x"}, {"max_streams": -1}, {"country": "de"}, {"status": "gone"}, [], "x"):
        status, told, _ = await admin(api, "PATCH", path, bad, **{"If-Match": tag})
        assert (status, told["code"]) == (400, "invalid"), bad
    same = await admin(api, "PATCH", path, {"max_streams": 1}, **{"If-Match": tag})
    assert same[1]["version"] == 2
    assert (await admin(api, "PATCH", f"{ACCOUNTS}/acc_no", {}, **late))[0] == 404
    async with api.database.read() as connection:
        query = select(audit_log.c.before, audit_log.c.after).where(
            audit_log.c.action == "account.updated"
        )
        ((before, after),) = (await connection.execute(query)).all()
    assert (before["document"]["max_streams"], after["document"]["max_streams"]) == (3, 1)


async def watching(api: Any, key: str) -> str:
    """A session of the account that runs, told by its heartbeat's path."""
    grant = {"package_id": "pkg_basic", "source": "t", "source_ref": key, "state": "active"}
    async with api.database.write() as connection:
        row = grant | {"id": f"ent_{key[-8:]}", "account_id": key, "start_ms": 0}
        await connection.execute(insert(entitlement).values(row))
    await api.services.playback.cases.changed(key)
    status, begun = await api.start("tv", account_id=key, channel_id="ch_demo")
    assert status == 201, begun
    return f"/v1/sessions/{begun['session_id']}/heartbeat"


@pytest.mark.parametrize("state", ["suspended", "deleted"])
async def test_who_is_no_longer_active_plays_nothing(kept: Any, make_api: Any, state: str) -> None:
    """Sessions, refresh tokens and access end with the change, whatever was kept (CTL-71, 83)."""
    api = await make_api(kept, store=MemoryStore(), access_cache_s=60)
    one = await made(api)
    key = one["id"]
    _, signed = await sign_in(api)
    beat = await watching(api, key)
    assert (await api.send("POST", beat, {"position_ms": 1}, account_id=key))[0] == 200
    demo = (await api.start("other"))[1]["session_id"]
    await become(api, key, status=state)

    status, told = await api.send("POST", beat, {"position_ms": 2}, account_id=key)
    assert (status, told["code"], told["reason"]) == (410, "session_terminated", f"account_{state}")
    for path in ("playback/start", "entitlements/check"):
        body = {"channel_id": "ch_demo", "device": {"id": "tv"}}
        status, told = await api.send("POST", f"/v1/{path}", body, account_id=key)
        assert (status, told["code"]) == (403, "account_suspended"), path
    status, told = await sign_in(api, "refresh", refresh_token=signed["refresh_token"])
    assert (status, told["code"]) == (401, "bad_credentials")
    assert await told_of(api, key) == [("account.created", "active"), (f"account.{state}", state)]
    other = f"/v1/sessions/{demo}/heartbeat"
    assert (await api.send("POST", other, {"position_ms": 1}))[0] == 200, "nobody else's"


async def test_suspension_is_lifted_and_deletion_is_not(api: Any) -> None:
    one = await made(api)
    await watching(api, one["id"])
    await become(api, one["id"], status="suspended")
    assert (await sign_in(api))[0] == 200, "to be told why nothing plays"
    await become(api, one["id"], status="active")
    assert (await api.start("tv", account_id=one["id"], channel_id="ch_demo"))[0] == 201
    gone = await become(api, one["id"], status="deleted")
    assert gone["sign_ins"] == [] and (await sign_in(api))[0] == 401
    path, match = f"{ACCOUNTS}/{one['id']}", {"If-Match": "*"}
    status, told, _ = await admin(api, "PATCH", path, {"status": "active"}, **match)
    assert (status, told["code"]) == (409, "bad_state")
    again = await made(api)
    assert again["id"] != one["id"] and (await sign_in(api))[0] == 200


async def test_one_of_many_takes_a_subject(api: Any) -> None:
    answers = await asyncio.gather(*(admin(api, "POST", ACCOUNTS, ADA) for _ in range(4)))
    assert sorted(status for status, _, _ in answers) == [201, 409, 409, 409]
