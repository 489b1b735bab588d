"""Uses, draws and proofs against stores: in-process and Redis (CAT-70..CAT-75, CAT-83)."""

import asyncio
import math

import pytest

import cat
from cat.revocation import names_of
from runtime.store import MemoryStore, RedisStore, StoreError

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k")])
KEY = KEYS.signer()
NOW = 1_000_000
OPTIONS = cat.Options(settled=True)
URL = "https://h/live/a"


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.twin)])
async def stores(request):
    """Two processes' views of one store."""
    if request.param == "memory":
        store = MemoryStore()
        yield [store, store]
        return
    url = request.getfixturevalue("redis_url")
    made = [RedisStore(url, timeout_ms=60_000) for _ in range(2)]
    for store in made:
        await store.start()
    await made[0]._quick.flushall()
    yield made
    for store in made:
        await store.stop()


def guard(store, **more):
    return cat.Guard(cat.Verifier(KEYS, OPTIONS), store, away=StoreError, **more)


def token(**claims):
    return cat.issue({"iss": "me", "exp": NOW + 60} | claims, KEY)


def asked(**more):
    return cat.Context(**{"uri": URL, "now": NOW} | more)


async def reasons(guard, text, times, **more):
    return [(await guard.verify(text, asked(**more))).reason for _ in range(times)]


def test_a_verdict_that_waits_for_a_store_accepts_nothing():
    verdict = cat.verify(token(catreplay=1), asked(), KEYS, OPTIONS)
    assert (verdict.accept, verdict.reason, verdict.claim) == (False, "store", "catreplay")
    assert cat.refusal(verdict).status == 503
    with pytest.raises(ValueError, match="settled"):
        cat.Guard(cat.Verifier(KEYS), MemoryStore())


async def test_a_second_use_is_refused(stores):
    """CAT-70"""
    here, there = map(guard, stores)
    text = token(catreplay=1)
    assert await reasons(here, text, 2) == ["ok", "replay"]
    assert await reasons(there, text, 1) == ["replay"]
    assert await reasons(here, token(catreplay=1), 1) == ["ok"]
    assert await reasons(here, token(catreplay=0), 2) == ["ok", "ok"]


async def test_two_processes_accept_one_token_once(stores):
    """CAT-71"""
    text = token(catreplay=1)
    guards = list(map(guard, stores))
    verdicts = await asyncio.gather(
        *(guards[number % 2].verify(text, asked()) for number in range(1000))
    )
    assert [verdict.accept for verdict in verdicts].count(True) == 1


async def test_refused_requests_use_nothing_up(stores):
    """CAT-71"""
    here = guard(stores[0])
    text = token(catreplay=1, catm=["GET"])
    assert await reasons(here, text, 2, method="POST") == ["method", "method"]
    assert await reasons(here, text, 1) == ["ok"]


async def test_reuse_revokes_the_id_whatever_later_tokens_say(stores):
    """CAT-70"""
    here, there = map(guard, stores)
    text, later = token(catreplay=2, cti=b"1"), token(cti=b"1")
    others = token(cti=b"1", iss="you"), token(cti=b"2")
    assert await reasons(here, later, 1) == ["ok"]
    assert await reasons(here, text, 2) == ["ok", "replay"]
    assert await reasons(there, later, 1) == ["revoked"]
    assert [await reasons(there, other, 1) for other in others] == [["ok"], ["ok"]]


async def test_a_token_without_an_id_is_known_by_its_claims(stores):
    """CAT-70"""
    from cat.mint import seal

    here = guard(stores[0])
    text = seal(cat.cbor.encode({4: NOW + 60, 308: 1}), KEY)
    assert await reasons(here, text, 2) == ["ok", "replay"]
    assert await reasons(here, seal(cat.cbor.encode({4: NOW + 61, 308: 2}), KEY), 2) == [
        "ok",
        "replay",
    ]


class Away:
    """A store that cannot be reached."""

    async def mget(self, keys):
        raise StoreError("timeout", "late")


async def test_a_store_that_is_away_refuses():
    """CAT-72"""
    verdict = await guard(Away()).verify(token(catreplay=1), asked())
    assert (verdict.accept, verdict.reason, verdict.step) == (False, "store", 12)
    assert dict(cat.refusal(verdict).headers)["Retry-After"]
    assert await reasons(guard(Away()), token(exp=NOW), 1) == ["expired"]


async def test_lists_are_asked_in_person(stores):
    """CAT-73"""
    here, there = map(guard, stores)
    await there.revoke("sub", "viewer", ttl_s=60)
    await there.revoke("cti", b"7", ttl_s=60)
    await there.revoke_before("me", NOW, ttl_s=60)
    old, new = token(iat=NOW - 1), token(iat=NOW)
    verdicts = [await here.verify(text, asked()) for text in (token(sub="viewer"), old, token())]
    assert [(v.reason, v.claim) for v in verdicts] == [
        ("revoked", "sub"),
        ("revoked", "iss"),
        ("revoked", "iss"),
    ]
    assert await reasons(here, new, 1) == ["ok"]
    assert await reasons(here, token(iat=NOW, cti=b"7"), 1, uri="https://other/") == ["revoked"]
    await there.revoke("kid", "k", ttl_s=60)
    assert await reasons(here, new, 1) == ["revoked"]


async def test_the_portion_is_drawn_once_per_id(stores):
    """CAT-75"""
    draws = iter([b"\xff" * 7, b"\x7f" + b"\xff" * 6])
    here = guard(stores[0], entropy=lambda size: next(draws))
    there = guard(stores[1], entropy=lambda size: b"\xff" * 7)
    text = token(catpor=[0.5, 7])
    assert await reasons(here, text, 2) == ["ok", "por"]
    assert await reasons(there, text, 2) == ["por", "por"]
    assert await reasons(there, token(catpor=[0.5, 8]), 1) == ["ok"]


async def test_half_of_all_ids_fall_into_half_a_portion():
    here = guard(MemoryStore())
    answers = [(await reasons(here, token(catpor=[0.5, n]), 1))[0] for n in range(400)]
    assert 120 < answers.count("por") < 280


async def test_a_portion_whose_time_is_over_is_not_remembered(stores):
    """CAT-75"""
    here = guard(stores[0], entropy=lambda size: bytes(size))
    text = token(catpor=[0.5, 7, NOW - 1])
    assert await reasons(here, text, 1) == ["por"]
    there = guard(stores[1], entropy=lambda size: b"\xff" * size)
    assert await reasons(there, text, 1) == ["ok"]


def test_a_portion_by_hash_is_constant():
    """CAT-75, por=hash"""
    salted = cat.Options(por_salt=b"s")
    kinds = {}
    for number in range(200):
        text = token(catpor=[0.5, number])
        verdicts = {cat.verify(text, asked(), KEYS, salted).reason for _ in range(3)}
        assert len(verdicts) == 1
        kinds[number] = verdicts.pop()
    assert 60 < list(kinds.values()).count("por") < 140
    assert cat.verify(token(catpor=[0.5, 1]), asked(), KEYS).reason == "claim_unsupported"


@pytest.mark.parametrize(("probability", "reason"), [(0, "ok"), (1, "por")])
async def test_certain_portions_ask_no_store(probability, reason):
    assert cat.verify(token(catpor=[probability, 1]), asked(), KEYS, OPTIONS).reason == reason


async def test_candidates_are_tried_in_turn():
    """CAT-91"""
    here = guard(MemoryStore())
    old, used, new = token(exp=NOW), token(catreplay=1), token()
    await here.verify(used, asked())
    assert (await here.verify_any([old, used], asked())).reason == "replay"
    assert (await here.verify_any([old, used, new], asked())).accept
    assert (await here.verify_any([], asked())).reason == "missing"


async def test_a_settled_token_is_renewed_and_a_replayed_one_answered():
    mint = cat.Mint(KEYS)
    here = cat.Guard(cat.Verifier(KEYS, OPTIONS, mint=mint), MemoryStore(), away=StoreError)
    text = token(
        catreplay=1, catr={0: 2, 1: 600}, catif={308: [307, {"Location": "https://l/"}, b"k"]}
    )
    first, second = [await here.verify(text, asked()) for _ in range(2)]
    assert first.accept and first.renew is not None
    assert cat.refusal(second).status == 307


# -- lists in memory and their snapshots ---------------------------------------------------


def test_lists_refuse_through_both_verifiers():
    """CAT-73: a token that was let pass before is looked at again."""
    listed = cat.Revocations()
    standing = cat.Verifier(KEYS, cat.Options(), revoked=listed)
    tokens = {
        "cti": token(cti=b"1", iat=NOW),
        "sub": token(sub="v", iat=NOW),
        "iss": token(iss="old", iat=NOW),
    }

    def said(name):
        verdict = standing.verify(tokens[name], asked())
        assert verdict == cat.verify(tokens[name], asked(), KEYS, revoked=listed)
        return verdict.reason, verdict.claim

    assert [said(name) for name in tokens for _ in range(2)] == [("ok", None)] * 6
    listed.revoke("cti", b"1", until=NOW + 60)
    assert [said(name)[0] for name in tokens] == ["revoked", "ok", "ok"]
    listed.revoke("sub", "v")
    listed.revoke_before("old", NOW + 1)
    assert [said(name) for name in tokens] == [("revoked", name) for name in tokens]
    listed.forget(NOW + 60)
    assert said("cti")[0] == "ok" and said("sub")[0] == "revoked"
    listed.revoke("kid", "k")
    assert said("cti") == ("revoked", None)
    with pytest.raises(ValueError, match="kind"):
        listed.revoke("exp", 1)


def test_a_snapshot_holds_what_was_revoked_and_little_else():
    """CAT-73"""
    listed = cat.Revocations()
    for number in range(5000):
        listed.revoke("cti", number.to_bytes(4, "big"), until=NOW + 60)
    listed.revoke("cti", b"gone", until=NOW - 1)
    listed.revoke_before("old", NOW)
    data = listed.snapshot(NOW, 1e-3)
    held = cat.Snapshot(data)
    assert len(data) < 10_000 and held.made_at == NOW

    def finds(cti, **claims):
        return held.finds({7: cti} | claims, None, NOW)

    assert all(finds(number.to_bytes(4, "big")) for number in range(5000))
    wrong = sum(finds(number.to_bytes(4, "big")) is not None for number in range(10**4, 3 * 10**4))
    assert wrong < 200  # a cti is asked for under two names
    assert finds(b"gone") is None or wrong
    assert held.finds({1: "old", 6: NOW - 1}, None, NOW).claim == "iss"
    exact = cat.Snapshot(data, exact=listed.__contains__)
    for number in range(10**4, 3 * 10**4):
        assert exact.finds({7: number.to_bytes(4, "big")}, None, NOW) is None
    assert exact.finds({7: bytes(4)}, None, NOW).reason == "revoked"


@pytest.mark.parametrize(
    ("stale", "reasons"), [("kid", "store"), ("open", "ok"), ("closed", "store")]
)
def test_an_old_snapshot(stale, reasons):
    """CAT-73"""
    data = cat.Revocations().snapshot(NOW)
    held = cat.Snapshot(data, max_age_s=10, stale=stale)
    standing = cat.Verifier(KEYS, cat.Options(), revoked=held)
    text = token()
    for _ in range(2):
        assert standing.verify(text, asked(now=NOW + 9)).reason == "ok"
    assert standing.verify(text, asked(now=NOW + 10)).reason == reasons
    assert held.is_stale(NOW + 10) and not held.is_stale(NOW + 9)
    assert (held.finds({}, None, NOW + 10) is not None) is (stale == "closed")


def test_snapshots_are_hostile_input():
    data = cat.Revocations().snapshot(NOW)
    for size in range(len(data)):
        with pytest.raises(cat.CatError):
            cat.Snapshot(data[:size])
    head = bytearray(data)
    head[15 + 1 : 24] = b"\xff" * 8
    for wrong in (b"X" + data[1:], bytes(head), data + b"\0", data[:5] + b"\0" + data[6:]):
        with pytest.raises(cat.CatError):
            cat.Snapshot(wrong)


def test_names_tell_nothing_of_viewers():
    names = [name for name, _ in names_of({7: b"1", 2: "viewer", 1: "me"}, "k")]
    assert len(set(names)) == 4 and all(b"viewer" not in name for name in names)
    assert math.isinf(cat.Revocations().epoch.fresh_until)
