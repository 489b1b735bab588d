"""API keys: given once, hashed at rest, limited, rotated, revoked, never told (CTL-163, 164)."""

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import insert, select

from control_api.api_keys.door import FRESH_MS, STALE_MS, Door
from control_api.api_keys.secrets import fresh
from control_api.api_keys.tables import api_key
from control_api.catalogue.tables import audit_log
from control_api.issuer import BadToken
from control_api.times import now_ms, utc
from runtime.sql import SqlError
from runtime.store import MemoryStore

KEYS = "/v1/admin/keys"
DAY_MS = 86_400_000


@pytest.fixture
async def turned(kept: Any, make_api: Any, wheel: Any) -> Any:
    """An API on turned time, its limits too, which lets keys ask three times a second."""
    api = await make_api(kept, store=MemoryStore(clock=wheel), limits={"key_per_s": 3})
    api.wheel = wheel
    return api


async def admin(api: Any, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    headers = api.bearer(now_s=api.wheel.now_ms() // 1_000, scopes=frozenset({"admin"}))
    answer: tuple[int, Any] = await api.send(method, path, body, headers=headers)
    return answer


async def with_key(api: Any, secret: str, path: str, **more: Any) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {secret}"}
    async with api.client.get(api.url + path, headers=headers) as answer:
        told = await answer.json(content_type=None)
        return answer.status, told.get("code", "")


async def test_no_key_is_born_expired(turned: Any) -> None:
    late = {"name": "CMS", "scopes": ["catalog:write"], "expires_at": "2020-01-01T00:00:00Z"}
    status, problem = await admin(turned, "POST", KEYS, late)
    assert (status, problem["code"]) == (400, "invalid")


async def test_a_key_from_first_to_last(turned: Any) -> None:
    status, made = await admin(turned, "POST", KEYS, {"name": "CMS", "scopes": ["catalog:write"]})
    assert status == 201
    secret, one = made["secret"], f"{KEYS}/{made['key']['id']}"
    assert secret.startswith(made["key"]["prefix"] + "_")
    assert await with_key(turned, secret, "/v1/admin/contents") == (200, "")
    assert await with_key(turned, secret, "/v1/admin/packages") == (403, "forbidden_scope")
    for wrong in (secret[:-1], secret[:-1] + "!", secret + "x", "hwk_", secret.upper()):
        assert await with_key(turned, wrong, "/v1/admin/contents") == (401, "unauthenticated")
    seen = (await admin(turned, "GET", one))[1]
    assert seen["last_used_at"] and "sha256" not in seen and "secret" not in seen
    assert (await admin(turned, "GET", KEYS))[1]["items"] == [seen]

    status, rotated = await admin(turned, "POST", f"{one}/rotate", {"overlap_s": 60})
    assert (status, rotated["key"]["id"]) == (200, made["key"]["id"])
    turned.wheel.advance(FRESH_MS / 1_000)
    for each in (secret, rotated["secret"]):
        assert await with_key(turned, each, "/v1/admin/contents") == (200, "")
    turned.wheel.advance(60)
    assert (await with_key(turned, secret, "/v1/admin/contents"))[0] == 401, "the overlap is over"
    assert (await with_key(turned, rotated["secret"], "/v1/admin/contents"))[0] == 200

    assert [(await admin(turned, "DELETE", one))[0] for _ in range(2)] == [204, 404]
    assert (await admin(turned, "POST", f"{one}/rotate", {}))[0] == 404
    turned.wheel.advance(FRESH_MS / 1_000)
    assert (await with_key(turned, rotated["secret"], "/v1/admin/contents"))[0] == 401
    async with turned.database.read() as connection:
        row = (await connection.execute(select(api_key))).one()
        lines = (await connection.execute(select(audit_log).order_by(audit_log.c.id))).all()
    assert row.sha256 == hashlib.sha256(rotated["secret"].encode()).hexdigest()
    kept = json.dumps([str(row), *map(str, lines)])
    assert secret not in kept and rotated["secret"] not in kept, "hashed at rest"
    assert row.sha256 not in str(lines)
    assert [each.action for each in lines] == ["key.created", "key.rotated", "key.revoked"]


async def test_a_rotation_whose_answer_was_lost_ends_no_secret_in_use(turned: Any) -> None:
    """Asked again it is refused for as long as the former secret goes on, unless it is forced."""
    _, made = await admin(turned, "POST", KEYS, {"name": "CMS", "scopes": ["catalog:write"]})
    rotate, used = f"{KEYS}/{made['key']['id']}/rotate", made["secret"]
    status, lost = await admin(turned, "POST", rotate, {"overlap_s": 60})
    assert status == 200
    status, told = await admin(turned, "POST", rotate, {"overlap_s": 60})
    assert (status, told["code"], told["until"]) == (409, "in_use", lost["key"]["former_until"])
    turned.wheel.advance(FRESH_MS / 1_000)
    assert await with_key(turned, used, "/v1/admin/contents") == (200, "")
    status, forced = await admin(turned, "POST", rotate, {"overlap_s": 60, "force": True})
    assert status == 200
    turned.wheel.advance(FRESH_MS / 1_000)
    for secret, expected in ((used, 401), (lost["secret"], 200), (forced["secret"], 200)):
        assert (await with_key(turned, secret, "/v1/admin/contents"))[0] == expected
    turned.wheel.advance(60)
    assert (await admin(turned, "POST", rotate, {}))[0] == 200, "the overlap is over"


async def test_a_key_ends_and_is_limited_by_itself(turned: Any) -> None:
    """CTL-164: per key, whatever it asks for; nobody gives a key all there is."""
    at = (turned.wheel.now_ms() + DAY_MS) // 1_000
    new = {"name": "x", "scopes": ["rights:write"], "expires_at": f"{_iso(at)}"}
    keys = [(await admin(turned, "POST", KEYS, new))[1] for _ in range(2)]
    made = [each["secret"] for each in keys]
    asked = [await with_key(turned, made[0], "/v1/admin/packages") for _ in range(12)]
    assert asked[0] == (200, "") and asked[-1] == (429, "rate_limited")
    assert await with_key(turned, made[1], "/v1/admin/packages") == (200, "")
    turned.wheel.advance(DAY_MS / 1_000 + 1)
    assert (await with_key(turned, made[1], "/v1/admin/packages"))[0] == 401
    rotation = f"{KEYS}/{keys[1]['key']['id']}/rotate"
    status, told = await admin(turned, "POST", rotation, {})
    assert (status, told["code"]) == (409, "bad_state"), "its new secret would let nobody in"
    for scopes in (["admin"], ["playback"], []):
        status, told = await admin(turned, "POST", KEYS, {"name": "x", "scopes": scopes})
        assert (status, told["code"]) == (400, "invalid")


def _iso(at_s: int) -> str:
    return utc(1_000 * at_s).isoformat()


async def test_a_key_outlives_the_database_for_a_minute(
    kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, prefix, sha256 = fresh()
    row = {"id": "key_1", "name": "x", "scopes": ["rights:write"], "created_ms": 0}
    async with kept.write() as connection:
        await connection.execute(insert(api_key).values(**row, prefix=prefix, sha256=sha256))
    door, at_ms = Door(kept), now_ms()
    caller = await door.find(secret, at_ms)
    assert caller.scopes == {"rights:write"} and caller.account_id == caller.key_id

    def away(**_: Any) -> Any:
        raise SqlError("unavailable", "test")

    monkeypatch.setattr(kept, "read", away)
    assert await door.find(secret, at_ms + STALE_MS - 1) == caller
    with pytest.raises(SqlError):
        await door.find(secret, at_ms + STALE_MS)
    with pytest.raises(BadToken):
        await door.find(secret[:-1], at_ms)
