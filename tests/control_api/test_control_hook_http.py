"""Webhooks over HTTP: owners, secrets shown once, signed messages taken in once (CTL-150..156)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from sqlalchemy import select

from control_api import events, seed
from control_api.cases import Cases
from control_api.outbox.tables import outbox
from control_api.schema import entitlement
from control_api.times import now_ms
from control_api.webhooks import inbound
from control_api.webhooks.signature import secret_bytes, secret_text, signed, verify
from runtime.store import MemoryStore, RedisStore

OLD, NEW = b"o" * 32, b"n" * 32
HOOKS = {
    "allow_http": True,
    "private_networks": ["127.0.0.0/8"],
    "sources": {"billing": {"secrets": [secret_text(OLD), secret_text(NEW)]}},
}
OWNER = frozenset({"webhook:manage"})
BODY = {"url": "https://hooks.example/in", "topics": ["account.*"]}


@pytest.fixture
async def store(database: Any, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Redis beside PostgreSQL, in-process beside SQLite; it outlives what `make_api` makes."""
    made: Any = MemoryStore()
    if database.dialect == "postgresql":
        made = RedisStore(request.getfixturevalue("redis_url"), timeout_ms=10_000)
    await made.start()
    if isinstance(made, RedisStore):
        await made._quick.flushall()
    yield made
    await made.stop()


@pytest.fixture
async def api(database: Any, store: Any, make_api: Any) -> Any:
    return await make_api(database, store=store, webhooks=HOOKS)


async def own(api: Any, method: str, path: str = "", body: Any = None, **more: Any) -> Any:
    """Status and body of a call to /v1/webhooks by an owner."""
    account_id = more.pop("account_id", "acc_owner")
    headers = api.bearer(account_id, scopes=more.pop("scopes", OWNER)) | more.pop("headers", {})
    return await api.send(method, "/v1/webhooks" + path, body, headers=headers, **more)


async def bring(api: Any, body: Any, secret: bytes = NEW, **changed: Any) -> tuple[int, Any]:
    """Post a signed message of billing's."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    at_s = changed.get("at_s", now_ms() // 1_000)
    headers = signed([secret], changed.get("message_id", "msg_1"), at_s, raw)
    headers |= {"Content-Type": "application/json"} | changed.get("headers", {})
    url = f"{api.url}/v1/hooks/{changed.get('source', 'billing')}"
    async with api.client.post(url, data=raw, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


def subscription(state: str = "active", **changed: Any) -> dict[str, Any]:
    at = changed.pop("at", datetime.now(UTC))
    data = {
        "subscription_id": "sub_1",
        "account_id": seed.ACCOUNT,
        "package_id": "pkg_basic",
        "state": state,
        "starts_at": "2026-01-01T00:00:00Z",
        "ends_at": "2099-01-01T00:00:00Z",
    }
    return {
        "type": "subscription.updated",
        "timestamp": at.isoformat(),
        "data": data | changed,
    }


async def grants(api: Any) -> list[tuple[str, str]]:
    query = select(entitlement.c.source_ref, entitlement.c.state)
    async with api.database.read() as connection:
        rows = await connection.execute(query.where(entitlement.c.source == "billing"))
        return [tuple(row) for row in rows]


async def told(api: Any, *domains: str) -> list[events.Event]:
    async with api.database.read() as connection:
        rows = (await connection.execute(select(outbox.c.payload).order_by(outbox.c.seq))).scalars()
        found = [events.decode(payload.encode()) for payload in rows]
    return [event for event in found if event.domain in domains]


async def package_id(api: Any) -> str:
    async with api.database.read() as connection:
        query = select(entitlement.c.package_id).where(entitlement.c.package_id.is_not(None))
        return str((await connection.execute(query)).scalars().first())


async def test_an_owner_manages_endpoints(api: Any) -> None:
    status, made = await own(api, "POST", "", BODY)
    assert status == 201 and len(secret_bytes(made["secret"])) == 32
    path = "/" + made["endpoint"]["id"]
    status, seen = await own(api, "GET", path)
    assert (status, seen["state"], seen["version"]) == (200, "active", 1)
    assert "secret" not in json.dumps(seen), "shown once"
    assert (await own(api, "GET"))[1]["items"] == [seen]
    patch = {"topics": ["entitlement.*"]}
    assert (await own(api, "PATCH", path, patch))[0] == 428
    assert (await own(api, "PATCH", path, patch, headers={"If-Match": '"7"'}))[0] == 412
    status, changed = await own(api, "PATCH", path, patch, headers={"If-Match": '"1"'})
    assert (status, changed["topics"], changed["url"]) == (200, ["entitlement.*"], BODY["url"])
    status, rotated = await own(api, "POST", path + "/rotate")
    assert status == 200 and rotated["secret"] != made["secret"]
    status, paused = await own(api, "POST", path + "/pause")
    assert (status, paused["state"], paused["reason"]) == (200, "paused", "asked")
    status, resumed = await own(api, "POST", path + "/resume")
    assert (status, resumed["state"], resumed["reason"]) == (200, "active", None)
    assert (await own(api, "GET", path + "/deliveries"))[1]["items"] == []
    assert (await own(api, "POST", path + "/replay", {}))[1] == {"count": 0}
    assert (await own(api, "DELETE", path))[0] == 204
    assert (await own(api, "DELETE", path))[0] == 404


async def test_nobody_else_manages_them(api: Any) -> None:
    """CTL-8: another account's endpoint does not exist; a viewer's token is not enough."""
    _, made = await own(api, "POST", "", BODY)
    path = "/" + made["endpoint"]["id"]
    calls: list[tuple[str, str, Any]] = [
        ("GET", path, None),
        ("PATCH", path, {"topics": ["*"]}),
        ("DELETE", path, None),
        ("POST", path + "/test", None),
        ("POST", path + "/rotate", None),
        ("POST", path + "/pause", None),
        ("POST", path + "/resume", None),
        ("GET", path + "/deliveries", None),
        ("POST", path + "/replay", {}),
    ]
    for method, at, body in calls:
        more = {"headers": {"If-Match": "*"}}
        assert (await own(api, method, at, body, account_id="acc_other", **more))[0] == 404, at
        viewer = frozenset({"playback"})
        assert (await own(api, method, at, body, scopes=viewer, **more))[0] == 403, at
    assert (await own(api, "GET", "", account_id="acc_other"))[1]["items"] == []
    admin = OWNER | {"admin"}
    assert (await own(api, "GET", path, account_id="acc_admin", scopes=admin))[0] == 200


async def test_audit_has_every_write(api: Any) -> None:
    """CTL-163: before and after, no secret, not one in a URL either."""
    url = "https://hooks.example/in?token=hidden"
    _, made = await own(api, "POST", "", BODY | {"url": url})
    endpoint_id = made["endpoint"]["id"]
    path = "/" + endpoint_id
    await own(api, "PATCH", path, {"topics": ["*"]}, headers={"If-Match": "*"})
    for verb in ("/rotate", "/pause", "/resume"):
        assert (await own(api, "POST", path + verb))[0] == 200
    await own(api, "DELETE", path)
    headers = api.bearer("acc_admin", scopes=frozenset({"admin"}))
    status, page = await api.send("GET", f"/v1/admin/audit?target={endpoint_id}", headers=headers)
    assert status == 200
    lines = page["items"][::-1]
    verbs = ["created", "changed", "rotated", "paused", "resumed", "removed"]
    assert sorted(line["action"] for line in lines) == sorted(f"webhook.{each}" for each in verbs)
    assert {line["actor"] for line in lines} == {"acc_owner"}
    (pause,) = [line for line in lines if line["action"] == "webhook.paused"]
    assert (pause["before"]["state"], pause["after"]["state"]) == ("active", "paused")
    assert "hidden" not in json.dumps(lines) and "whsec_" not in json.dumps(lines)


async def test_urls_that_are_never_asked(api: Any) -> None:
    for url in (
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
        "https://a.localhost/",
        "https://user:pw@hooks.example/",
        "https://10.1.2.3/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0X7F.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://localhost./",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://\uff11\uff10.0.0.1/",
        "https://hooks.example:99999/",
    ):
        assert (await own(api, "POST", "", BODY | {"url": url}))[0] == 422, url
    assert (await own(api, "POST", "", BODY | {"url": "ftp://hooks.example/"}))[0] == 400


async def test_an_event_goes_the_whole_way(api: Any) -> None:
    """From a billing message over outbox, stream and dispatcher to an endpoint's server."""
    got: asyncio.Queue[tuple[Any, bytes]] = asyncio.Queue()

    async def site(request: web.BaseRequest) -> web.Response:
        got.put_nowait((request.headers.copy(), await request.read()))
        return web.Response()

    server = RawTestServer(site)
    await server.start_server()
    url = str(server.make_url("/in"))
    _, made = await own(api, "POST", "", {"url": url, "topics": ["entitlement.*"]})
    secret, path = secret_bytes(made["secret"]), "/" + made["endpoint"]["id"]
    status, tested = await own(api, "POST", path + "/test")
    assert (status, tested["delivered"], tested["status"]) == (200, True, 200)
    assert json.loads((await got.get())[1])["type"] == "webhook.test"
    package = await package_id(api)
    assert (await bring(api, subscription(package_id=package)))[0] == 200
    async with asyncio.timeout(60):
        headers, body = await got.get()
    message_id = verify([secret], headers, body, now_ms() // 1_000, 300)
    sent = json.loads(body)
    assert (sent["type"], sent["data"]["account_id"]) == ("entitlement.granted", seed.ACCOUNT)
    async with asyncio.timeout(60):
        while True:
            _, listed = await own(api, "GET", path + "/deliveries?status=done")
            if listed["items"]:
                break
            await asyncio.sleep(0.05)
    (delivery,) = listed["items"]
    assert (delivery["event_id"], delivery["attempts"]) == (message_id, 1)
    await server.close()


async def test_a_subscription_follows_its_messages(api: Any) -> None:
    package = await package_id(api)
    names = []
    for turn, state in enumerate(("trial", "active", "grace", "expired", "active", "cancelled")):
        at = datetime.now(UTC) + timedelta(seconds=turn)
        message = subscription(state, package_id=package, at=at)
        assert await bring(api, message, message_id=f"m{turn}") == (200, {"repeated": False})
        assert await grants(api) == [("sub_1", state)]
        names.append((await told(api, "entitlement"))[-1].type.partition(".")[2])
    assert names == ["granted", "renewed", "renewed", "expired", "granted", "revoked"]
    late = subscription("active", package_id=package, at=datetime(2026, 1, 1, tzinfo=UTC))
    assert (await bring(api, late, message_id="late"))[0] == 200
    assert await grants(api) == [("sub_1", "cancelled")], "an older message came later"
    never = subscription("active", package_id=package, at=datetime.now(UTC) + timedelta(days=365))
    assert (await bring(api, never, message_id="never"))[0] == 400, "it would be the last word"
    assert await grants(api) == [("sub_1", "cancelled")]


async def test_who_subscribed_or_left_is_judged_by_it_at_once(
    database: Any, store: Any, make_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CTL-83: nobody waits for the outbox to be refused or let in; its word never comes here."""
    never = asyncio.Event()

    async def silence(_: Cases, event: events.Event) -> None:
        await never.wait()

    monkeypatch.setattr(Cases, "heard", silence)
    api = await make_api(database, store=store, webhooks=HOOKS, access_cache_s=3_600)
    at, body = datetime.now(UTC), {"device": {"id": "one"}, "content_id": "cnt_vault"}
    statuses = [(await api.send("POST", "/v1/entitlements/check", body))[0]]
    for turn, state in enumerate(("active", "cancelled")):
        later = at + timedelta(seconds=turn)
        message = subscription(state, package_id="pkg_premium", at=later)
        assert (await bring(api, message, message_id=state))[0] == 200
        statuses.append((await api.send("POST", "/v1/entitlements/check", body))[0])
    assert statuses == [403, 200, 403]


async def test_a_message_has_its_effect_once(api: Any) -> None:
    """CTL-155: twenty bringers at once, and one more; each secret of a rotation is good."""
    package = await package_id(api)
    message = subscription(package_id=package)
    answers = await asyncio.gather(
        *(bring(api, message, secret) for secret in (OLD, NEW) for _ in range(10))
    )
    assert [status for status, _ in answers] == [200] * 20
    assert sum(not body["repeated"] for _, body in answers) == 1
    assert (await bring(api, message))[1] == {"repeated": True}
    assert len(await told(api, "entitlement")) == 1


async def test_two_first_messages_of_a_subscription_at_once(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look for what is there before either writes; the newer one has the last word."""
    room, came, newest = [1, 1], asyncio.Event(), inbound._newest

    async def together(*given: Any) -> bool:
        if api.database.dialect == "postgresql" and room:
            room.pop()
            if not room:
                came.set()
            async with asyncio.timeout(60):
                await came.wait()
        return await newest(*given)

    monkeypatch.setattr(inbound, "_newest", together)
    package, at = await package_id(api), datetime.now(UTC)
    states = ("active", "cancelled")
    answers = await asyncio.gather(
        *(
            bring(
                api,
                subscription(state, package_id=package, at=at + timedelta(seconds=turn)),
                message_id=f"m{turn}",
            )
            for turn, state in enumerate(states)
        )
    )
    assert answers == [(200, {"repeated": False})] * 2
    assert await grants(api) == [("sub_1", "cancelled")]


async def test_forged_messages_change_nothing(api: Any) -> None:
    message = subscription(package_id=await package_id(api))
    at_s = now_ms() // 1_000
    forgeries: tuple[dict[str, Any], ...] = (
        {"secret": b"x" * 32},
        {"source": "nobody"},
        {"at_s": at_s - 4_000},
        {"at_s": at_s + 4_000},
        {"headers": {"webhook-id": "msg_2"}},
        {"headers": {"webhook-signature": "v1,"}},
    )
    for changed in forgeries:
        status, problem = await bring(api, message, **changed)
        assert (status, problem["code"]) == (401, "bad_signature"), changed
        assert problem["detail"] == problem["title"], "not a word on what was wrong"
    assert await grants(api) == []


async def test_signed_nonsense_changes_nothing(api: Any) -> None:
    package = await package_id(api)
    good = subscription(package_id=package)
    nonsense: tuple[tuple[Any, int], ...] = (
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 5_000, 400),
        ({"type": "account.deleted", "data": {}}, 400),
        (subscription("immortal", package_id=package), 400),
        (good | {"timestamp": "yesterday"}, 400),
        (subscription(package_id=package, ends_at="2020-01-01T00:00:00Z"), 400),
        (subscription(package_id=package, admin=True), 400),
        (subscription(package_id=package, account_id="acc_nobody"), 422),
        (subscription(package_id="pkg_nothing"), 422),
    )
    for body, status in nonsense:
        assert (await bring(api, body))[0] == status, body
    assert await grants(api) == [] and await told(api, "entitlement") == []
    assert (await bring(api, good))[1] == {"repeated": False}, "a refused one left no receipt"


async def test_packaging_tells_of_a_title(api: Any) -> None:
    data = {
        "title_id": "film",
        "origin_path": "/vod/film/",
        "duration_ms": 60_000,
        "renditions": ["v1", "a1"],
    }
    assert (await bring(api, {"type": "title.ready", "data": data}))[0] == 200
    (event,) = await told(api, "title")
    assert event.data["duration_ms"] == 60_000 and event.data["content_id"] == "cnt_film"


async def test_a_topic_that_nothing_is_called_is_refused(api: Any) -> None:
    """A slip of the pen would else be an endpoint that never hears anything."""
    for topic in ("account.creatd", "acount.*", "account.created.*"):
        status, problem = await own(api, "POST", body=BODY | {"topics": ["*", topic]})
        assert (status, problem["code"]) == (400, "invalid") and topic in problem["detail"]
    status, made = await own(api, "POST", body=BODY | {"topics": ["*", "account.created"]})
    assert status == 201
    tag = {"If-Match": f'"{made["endpoint"]["version"]}"'}
    path = f"/{made['endpoint']['id']}"
    status, problem = await own(api, "PATCH", path, {"topics": ["acount.*"]}, headers=tag)
    assert (status, problem["code"]) == (400, "invalid")
