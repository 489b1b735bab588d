"""Accepted tokens go the quick way with lists in a store too (CAT-73)."""

import asyncio

import pytest

import cat
from headwater.verifier import Verifying, accepted
from native.personal import Porter
from runtime.store import MemoryStore, StoreError

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k")])
NOW = 1_000_000.0
OPTIONS = cat.Options(settled=True)


class Counting(MemoryStore):
    """How often the store was asked."""

    asked = 0

    async def mget(self, keys):
        self.asked += 1
        return await super().mget(keys)


class Side:
    """A guard, and the verifier that it lets know."""

    def __init__(self, **more):
        self.store = Counting()
        self.cleared = cat.Cleared(1.0, **more)
        self.quick = cat.Verifier(KEYS, OPTIONS, revoked=self.cleared)
        standing = cat.Verifier(KEYS, OPTIONS)
        self.guard = cat.Guard(standing, self.store, away=StoreError, cleared=self.cleared)


def token(**claims):
    return cat.issue({"iss": "me", "exp": NOW + 60, "iat": NOW, "sub": "v"} | claims, KEYS.signer())


def at(now):
    return cat.Context("https://h/live/a", now)


async def test_a_token_is_quick_until_its_moment_is_over():
    side, text = Side(), token()
    assert side.quick.verify(text, at(NOW)).reason == "store"
    assert (await side.guard.verify(text, at(NOW))).accept
    for now in (NOW, NOW + 0.5, NOW + 0.99):
        assert side.quick.verify(text, at(now)).accept
    assert side.store.asked == 1
    assert side.quick.verify(token(), at(NOW + 0.5)).reason == "store"
    await side.guard.revoke("sub", "v", ttl_s=60)
    assert side.quick.verify(text, at(NOW + 1)).reason == "store"
    assert (await side.guard.verify(text, at(NOW + 1))).reason == "revoked"
    assert side.quick.verify(text, at(NOW + 1.5)).reason == "store"


async def test_a_new_moment_knows_nothing_of_the_last():
    side, first, second = Side(), token(), token()
    assert (await side.guard.verify(first, at(NOW))).accept
    assert side.quick.verify(first, at(NOW)).accept
    assert (await side.guard.verify(second, at(NOW + 2))).accept
    assert side.quick.verify(second, at(NOW + 2)).accept
    assert side.quick.verify(first, at(NOW + 2)).reason == "store"
    assert (await side.guard.verify(first, at(NOW - 50))).accept  # the clock went back
    assert side.quick.verify(second, at(NOW - 50)).reason == "store"


@pytest.mark.parametrize(
    "kind", [("cti", b"0123456789abcdef"), ("sub", "v"), ("kid", "k"), ("use", "me", bytes(16))]
)
async def test_what_is_revoked_is_never_quick(kind):
    side = Side()
    text = token(cti=kind[-1] if kind[0] in ("cti", "use") else bytes(16))
    await side.guard.revoke(*kind, ttl_s=60)
    assert (await side.guard.verify(text, at(NOW))).reason == "revoked"
    assert side.quick.verify(text, at(NOW)).reason == "store"
    early, late = Side(), token()
    await early.guard.revoke_before("me", NOW + 1, ttl_s=60)
    assert (await early.guard.verify(late, at(NOW))).reason == "revoked"
    assert early.quick.verify(late, at(NOW)).reason == "store"


async def test_what_only_a_store_decides_is_never_quick():
    side, text = Side(), token(catreplay=1)
    assert (await side.guard.verify(text, at(NOW))).accept
    assert side.quick.verify(text, at(NOW)).accept is False
    assert (await side.guard.verify(text, at(NOW))).reason == "replay"


async def test_there_is_room_for_so_many():
    side, texts = Side(most=2), [token() for _ in range(3)]
    for text in texts:
        assert (await side.guard.verify(text, at(NOW))).accept
    assert len(side.cleared) == 2
    assert [side.quick.verify(text, at(NOW)).accept for text in texts] == [True, True, False]


async def test_the_porter_answers_what_the_guard_cleared():
    """Over HTTP: asked of the store once, then answered by the listener, then refused."""
    side, clock = Side(), [NOW]
    porter = Porter(accepted, lambda: clock[0])
    porter.use(side.quick)
    part = Verifying(
        side.guard.verify_any, lambda: clock[0], host="127.0.0.1", port=0, porter=porter
    )
    await part.start()

    async def status(text):
        reader, writer = await asyncio.open_connection("127.0.0.1", part.port)
        head = f"X-Original-URL: https://h/live/a?CAT={text}\r\nHost: b\r\nConnection: close"
        writer.write(f"GET /auth HTTP/1.1\r\n{head}\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return int(answer.split()[1])

    text = token()
    assert [await status(text) for _ in range(4)] == [200] * 4
    assert (porter.passed, side.store.asked) == (3, 1)
    await side.guard.revoke("sub", "v", ttl_s=60)
    clock[0] += 1
    assert await status(text) == 403
    await part.stop()
