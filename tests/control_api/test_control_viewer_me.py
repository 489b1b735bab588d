"""A client asks who it is signed in as (control-api section 3, `me`)."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from control_api import seed
from control_api.issuer import VIEWER_SCOPES
from control_api.schema import account
from runtime.store import MemoryStore


@pytest.fixture
async def api(kept: Any, make_api: Any) -> Any:
    return await make_api(kept, store=MemoryStore())


async def test_me_is_the_callers_account_without_secrets(api: Any) -> None:
    _, ada = await api.send("POST", "/v1/profiles", {"name": "Ada", "pin": "1234"})
    status, told = await api.send("GET", "/v1/me")
    assert status == 200
    assert told["profile_ids"] == [ada["id"]]
    assert told["scopes"] == sorted(VIEWER_SCOPES)
    assert (told["account_id"], told["country"], told["status"]) == (seed.ACCOUNT, "ZZ", "active")
    limits = {"max_streams": 10, "max_devices": 1_000, "npvr_quota_s": 151_200}
    assert told["limits"] == limits
    text = json.dumps(told)
    assert "hash" not in text and seed.USERNAME not in text and "argon2" not in text
    async with api.client.get(f"{api.url}/v1/me", headers=api.bearer()) as answer:
        assert answer.headers["Cache-Control"] == "private, no-store"


async def test_me_tells_of_suspension_and_nothing_of_who_is_gone(api: Any) -> None:
    async def become(status: str) -> tuple[int, Any]:
        async with api.database.write() as connection:
            mine = account.c.id == seed.ACCOUNT
            await connection.execute(update(account).where(mine).values(status=status))
        answer: tuple[int, Any] = await api.send("GET", "/v1/me")
        return answer

    status, told = await become("suspended")
    assert (status, told["status"]) == (200, "suspended")
    status, told = await become("deleted")
    assert (status, told["code"]) == (401, "unauthenticated")
    status, told = await api.send("GET", "/v1/me", account_id="acc_nobody")
    assert (status, told["code"]) == (401, "unauthenticated")
