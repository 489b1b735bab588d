"""Devices that cannot type sign in by a code (RFC 8628, CTL-161)."""

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import select

from control_api import seed
from control_api.identity.device_grant import LETTERS
from control_api.identity.schema import device_grant, refresh_token
from control_api.issuer import VIEWER_SCOPES
from runtime.store import MemoryStore

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
PAGE = "https://tv.example/code"


@pytest.fixture
async def api(kept: Any, make_api: Any, wheel: Any) -> Any:
    made = await make_api(kept, store=MemoryStore(clock=wheel), identity={"device_page_url": PAGE})
    made.wheel = wheel
    return made


async def call(api: Any, path: str, body: Any) -> tuple[int, Any]:
    async with api.client.post(f"{api.url}/v1/auth/{path}", json=body) as answer:
        return answer.status, await answer.json(content_type=None)


async def begun(api: Any) -> Any:
    status, codes = await call(api, "device", {"name": "Living room"})
    assert status == 200, codes
    return codes


async def verify(api: Any, user_code: str, **more: Any) -> tuple[int, Any]:
    scopes = more.pop("scopes", VIEWER_SCOPES)
    account_id = more.pop("account_id", seed.ACCOUNT)
    now_s = api.wheel.now_ms() // 1_000
    headers = api.bearer(account_id, scopes=scopes, now_s=now_s)
    body = {"user_code": user_code, **more}
    answer: tuple[int, Any] = await api.send(
        "POST", "/v1/auth/device/verify", body, headers=headers
    )
    return answer


async def asked(api: Any, codes: Any, *, after_s: int = 5) -> tuple[int, Any]:
    """The device's next question, that long after the last."""
    api.wheel.advance(after_s)
    body = {"grant_type": GRANT, "device_code": codes["device_code"]}
    status, told = await call(api, "device/token", body)
    assert status == 200 or told["error"] == told["code"], "in RFC 6749's words too"
    return status, told.get("code", told)


async def test_a_device_is_signed_in_once_by_who_typed_its_code(api: Any) -> None:
    codes = await begun(api)
    shown = codes["user_code"]
    assert (len(shown), shown[4], codes["expires_in"], codes["interval"]) == (9, "-", 600, 5)
    assert set(shown) - {"-"} <= set(LETTERS)
    assert codes["verification_uri_complete"] == f"{PAGE}?user_code={shown}"
    assert await asked(api, codes) == (400, "authorization_pending")
    assert (await verify(api, shown.lower().replace("-", " ")))[1] == {
        "name": "Living room",
        "allowed": True,
    }
    assert (await verify(api, shown, allow=False))[0] == 404, "it was decided"
    status, signed = await asked(api, codes)
    assert status == 200 and signed["scope"].split() == sorted(VIEWER_SCOPES)
    assert await asked(api, codes) == (400, "expired_token"), "the code was spent"
    headers = {"Authorization": f"Bearer {signed['access_token']}"}
    async with api.client.get(f"{api.url}/v1/me", headers=headers) as answer:
        assert (await answer.json())["account_id"] == seed.ACCOUNT
    status, _ = await call(api, "refresh", {"refresh_token": signed["refresh_token"]})
    assert status == 200


async def test_only_digests_of_device_codes_are_kept(api: Any) -> None:
    codes = await begun(api)
    async with api.database.read() as connection:
        (row,) = (await connection.execute(select(device_grant))).mappings()
    assert codes["device_code"] not in json.dumps(dict(row))
    assert row["sha256"] == hashlib.sha256(codes["device_code"].encode()).hexdigest()


async def test_who_asks_too_often_is_told_to_wait_longer(api: Any) -> None:
    """RFC 8628 section 3.5: each `slow_down` adds five seconds."""
    codes = await begun(api)
    steps = [(0, "authorization_pending"), (4, "slow_down"), (9, "slow_down")]
    steps += [(14, "slow_down"), (20, "authorization_pending")]
    for after_s, told in steps:
        assert await asked(api, codes, after_s=after_s) == (400, told), after_s


async def test_refused_and_late_devices_stay_out(api: Any) -> None:
    refused, late = await begun(api), await begun(api)
    assert (await verify(api, refused["user_code"], allow=False))[1]["allowed"] is False
    assert await asked(api, refused) == (400, "access_denied")
    assert await asked(api, refused) == (400, "expired_token")
    api.wheel.advance(600)
    assert (await verify(api, late["user_code"]))[0] == 404
    assert await asked(api, late) == (400, "expired_token")
    await begun(api)
    async with api.database.read() as connection:
        assert len((await connection.execute(select(device_grant))).all()) == 1
        assert not (await connection.execute(select(refresh_token))).all()


async def test_a_device_gets_no_more_than_who_allowed_it_has(api: Any) -> None:
    codes = await begun(api)
    scopes = frozenset({"playback", "admin"})
    assert (await verify(api, codes["user_code"], scopes=scopes))[0] == 200
    assert (await asked(api, codes))[1]["scope"] == "playback"
    other = await begun(api)
    status, told = await verify(api, other["user_code"], account_id="acc_nobody")
    assert (status, told["code"]) == (403, "account_suspended")
    assert await asked(api, other) == (400, "authorization_pending")


async def test_guessing_codes_is_limited(kept: Any, make_api: Any, wheel: Any) -> None:
    api = await make_api(
        kept,
        store=MemoryStore(clock=wheel),
        identity={"device_page_url": PAGE},
        limits={"login_address_per_min": 3},
    )
    api.wheel = wheel
    told = [(await verify(api, "BBBB-BBBB"))[0] for _ in range(4)]
    assert told == [404, 404, 404, 429]


async def test_without_a_page_there_is_no_such_way(kept: Any, make_api: Any) -> None:
    api = await make_api(kept, store=MemoryStore())
    status, told = await call(api, "device", {})
    assert (status, told["code"]) == (404, "not_found")


async def test_one_account_guesses_no_codes_from_many_addresses(api: Any) -> None:
    """RFC 8628 section 5.1: right ones count as well, else one's own would buy new guesses."""
    own = await begun(api)
    assert (await verify(api, own["user_code"]))[0] == 200
    for n in range(4):
        assert (await verify(api, "BBBBBBB" + LETTERS[n]))[0] == 404
    shown = (await begun(api))["user_code"]
    status, told = await verify(api, shown)
    assert (status, told["code"], told["limit"]) == (429, "rate_limited", "user_code")
    assert (await verify(api, shown, account_id="acc_nobody"))[0] == 403, "others are not held up"
    api.wheel.advance(60)
    assert (await verify(api, shown))[0] == 200
