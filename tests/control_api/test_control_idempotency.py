"""Idempotency-Key: one effect and one answer, whatever dies in between (CTL-156)."""

import asyncio
import hashlib
from secrets import token_hex
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from control_api import seed
from control_api.idempotency import (
    KEPT_MS,
    LEASE_MS,
    Answer,
    Claim,
    Claims,
    idempotency_key,
    read_key,
)
from control_api.problems import Problem
from control_api.schema import playback_session
from control_api.terms import books
from control_api.viewers.schema import profile
from runtime.sql import SqlError
from runtime.store import MemoryStore

PROFILES, START = "/v1/profiles", "/v1/playback/start"
ADA = {"name": "Ada"}


@pytest.fixture
async def home(kept: Any, make_api: Any, wheel: Any) -> Any:
    api = await make_api(kept, store=MemoryStore(clock=wheel))
    api.wheel = wheel
    return api


async def post(api: Any, path: str, body: Any, key: str | None, **more: Any) -> Any:
    """Status, body, whether it is an earlier answer."""
    scopes = frozenset({"playback", "entitlement:write", "rights:write"})
    headers = api.bearer(now_s=api.wheel.now_ms() // 1_000, scopes=scopes, **more)
    headers |= {"Idempotency-Key": key} if key is not None else {}
    async with api.client.post(api.url + path, json=body, headers=headers) as answer:
        told = await answer.json(content_type=None)
        return answer.status, told, "Idempotency-Replayed" in answer.headers


async def count(api: Any, table: Any) -> int:
    async with api.database.read() as connection:
        found = await connection.execute(select(func.count()).select_from(table))
        return int(found.scalar_one())


async def test_the_same_again_is_the_same_answer(home: Any) -> None:
    """And some need a key."""
    status, made, again = await post(home, PROFILES, ADA, '"k 1"')
    assert (status, again) == (201, False)
    for body in (ADA, {"kind": "adult", **ADA}):
        assert await post(home, PROFILES, body, '"k 1"') == (201, made, True), "as it was read"
    status, told, _ = await post(home, PROFILES, {"name": "Bo"}, '"k 1"')
    assert (status, told["code"]) == (422, "idempotency_mismatch")
    assert (await post(home, START, ADA, "k"))[0] == 400
    start = {"channel_id": "ch_demo", "device": {"id": "one"}}
    status, told, _ = await post(home, f"{START}?shape=tv", start, '"k 1"')
    assert told["code"] == "idempotency_mismatch", "another request of the same account"
    assert (await post(home, PROFILES, ADA, None))[2] is False
    assert await count(home, profile) == 2
    first = await post(home, START, start, "s")
    assert await post(home, START, start, "s") == (201, first[1], True)
    assert await count(home, playback_session) == 1
    vault = {"content_id": "cnt_vault", "device": {"id": "one"}}
    refused = [await post(home, START, vault, "r") for _ in range(2)]
    assert [(each[0], each[2]) for each in refused] == [(403, False), (403, True)]
    assert refused[0][1] == refused[1][1], "what was refused is refused the same"
    async with home.database.read() as connection:
        rows = (await connection.execute(select(idempotency_key))).all()
    assert first[1]["token"] not in str(rows) and '"name"' not in str(rows), "sealed at rest"
    home.wheel.advance(KEPT_MS / 1_000)
    status, other, again = await post(home, PROFILES, {"name": "Bo"}, '"k 1"')
    assert (status, again, other["name"]) == (201, False, "Bo"), "a day is over"
    grant = {"account_id": seed.ACCOUNT, "package_id": "pkg_premium", "reference": "order 1"}
    status, told, _ = await post(home, "/v1/entitlements", grant, None)
    assert (status, told["code"]) == (400, "idempotency_required")
    first = await post(home, "/v1/entitlements", grant, "g")
    assert first[0] == 201
    assert await post(home, "/v1/entitlements", grant, "g") == (201, first[1], True)


async def test_a_key_is_held_by_one_and_freed_by_time(home: Any) -> None:
    """Concurrent 409; a holder that died and comes back has no effect."""
    claims = Claims(home.database, b"secret")
    assert (await claims.begin("acc_b", "k", "g", 0)).replay is None, "keys are the account's own"
    first = await claims.begin("acc", "k", "f", 0)
    for at_ms in (0, LEASE_MS - 1):
        with pytest.raises(Problem) as refused:
            await claims.begin("acc", "k", "f", at_ms)
        assert refused.value.code == "idempotency_running" and refused.value.headers
    heir = await claims.begin("acc", "k", "f", LEASE_MS)
    with pytest.raises(Problem):
        async with home.database.write() as connection:
            await first.settle(connection, _answer())
    await claims.release(first)
    await claims.keep(heir, _answer())
    assert (await claims.begin("acc", "k", "f", LEASE_MS)).replay == _answer()
    told = await asyncio.gather(*(post(home, PROFILES, ADA, "many") for _ in range(8)))
    assert {each[0] for each in told} <= {201, 409} and 201 in {each[0] for each in told}
    assert await count(home, profile) == 1
    assert (await post(home, PROFILES, ADA, "many"))[0::2] == (201, True)


def _answer() -> Any:
    return Answer(201, "application/json", {"ETag": '"v1"'}, b"{}")


async def test_effect_and_answer_come_together_or_not_at_all(home: Any, monkeypatch: Any) -> None:
    """Whoever dies between the effect and the answer left both; before it, nothing. What may be
    otherwise next time is not kept.
    """
    package = {"kind": "svod", "tier": 0, "name": "Nights"}
    key, path = token_hex(8), "/v1/admin/packages"

    async def dies(*_: Any) -> None:
        raise SqlError("unavailable", "test")

    with monkeypatch.context() as patch:
        patch.setattr(books.audit, "record", dies)
        assert (await post(home, path, package, key))[0] == 503
    assert await count(home, idempotency_key) == 0, "free again"
    with monkeypatch.context() as patch:
        patch.setattr(home.services.playback.cases, "changed", dies)
        assert (await post(home, path, package, key))[0] == 503, "after the commit"
    status, made, again = await post(home, path, package, key)
    assert (status, again, made["document"]["name"]) == (201, True, "Nights")
    headers = home.bearer(now_s=home.wheel.now_ms() // 1_000, scopes=frozenset({"rights:write"}))
    listed = (await home.send("GET", path, headers=headers))[1]["items"]
    assert [each["document"]["name"] for each in listed].count("Nights") == 1


async def test_a_commit_that_fails_frees_the_key(home: Any, monkeypatch: Any) -> None:
    """An answer that was to be kept with its effect went with it."""
    package = {"kind": "svod", "tier": 0, "name": "Dawns"}
    key, path = token_hex(8), "/v1/admin/packages"
    settle, failing = Claim.settle, [True]
    engine = home.database._writer.sync_engine

    async def doomed(claim: Claim, connection: Any, answer: Answer) -> None:
        await settle(claim, connection, answer)

        @event.listens_for(engine, "commit", once=True)
        def _fails(_: Any) -> None:
            if failing:
                raise SqlError("unavailable", failing.pop() and "test")

    with monkeypatch.context() as patch:
        patch.setattr(Claim, "settle", doomed)
        assert (await post(home, path, package, key))[0] == 503
    assert not failing and await count(home, idempotency_key) == 0
    assert (await post(home, path, package, key))[0::2] == (201, False)
    assert (await post(home, path, package, key))[0::2] == (201, True)


def test_a_fingerprint_gives_no_short_secret_away() -> None:
    """Whoever reads the table cannot try all PINs of four to eight digits."""
    said = ("PUT", "/v1/parental", None, {"pin": "1234", "name": "Ada"})
    one, other = (Claims(None, secret).fingerprint(*said) for secret in (b"one", b"other"))  # type: ignore[arg-type]
    plain = hashlib.sha256(msgspec.json.encode(list(said))).hexdigest()
    assert len({one, other, plain}) == 3
    again = (*said[:3], {"pin": "1234", "name": "Ada"})
    assert Claims(None, b"one").fingerprint(*again) == one  # type: ignore[arg-type]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=255))
def test_keys_are_strings_or_tokens(text: str) -> None:
    """RFC 9651 section 3.3.3: what is quoted comes out as it was."""
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert read_key(quoted) == text
    bare = text.strip()
    if bare and not set(bare) & set(' "\\'):
        assert read_key(text) == bare


def test_what_is_no_key_is_refused() -> None:
    assert read_key(None) is None
    for text in ("", '""', '"', '"a', 'a"b', "a b", '"\\x"', "é", '"' + "a" * 256 + '"', "a\n\tb"):
        with pytest.raises(Problem):
            read_key(text)
