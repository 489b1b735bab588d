"""Key sets in and out, sealed, rotated (CAT-20..CAT-28)."""

import base64
import json

import pytest

import cat
from cat import cbor, keyfiles
from cat.algorithms import BY_NAME

NOW = 1_000_000
MEMBERS = [
    *(cat.generate(alg, alg.lower()) for alg in BY_NAME),
    cat.generate("A256GCM", "box") | {"issuer": True},
    cat.generate("ES256", "timed") | {"nbf": NOW - 10, "exp": NOW + 10},
]
KEYS = cat.KeySet.from_json(MEMBERS)
SECRET = bytes(range(32))


def same(keys, wanted=MEMBERS):
    assert [keyfiles.members_of(key, private=True) for key in keys] == wanted


def test_jwk_sets():
    """RFC 7517"""
    public = keyfiles.jwks(KEYS)["keys"]
    assert [key["kid"] for key in public] == ["es256", "ps256", "timed"]
    assert not any({"d", "k"} & key.keys() for key in public)
    assert public[0]["kty"] == "EC" and public[0]["crv"] == "P-256"
    same(cat.KeySet.from_json(keyfiles.jwks(KEYS, private=True)))
    verifying = cat.KeySet.from_json({"keys": public})
    token = cat.issue({"exp": NOW + 9}, KEYS.signer("es256"))
    assert cat.verify(token, cat.Context("https://h/", NOW), verifying).accept
    with pytest.raises(cat.KeyFileError):
        verifying.signer()


def test_other_people_read_them():
    from joserfc.jwk import KeySet as Theirs

    theirs = Theirs.import_key_set(keyfiles.jwks(KEYS))
    assert [key.kid for key in theirs.keys] == ["es256", "ps256", "timed"]


def test_cose_key_sets():
    """RFC 9052, 7"""
    untimed = cat.KeySet(key for key in KEYS if key.not_after is None and not key.issuer)
    data = keyfiles.cose_key_set(untimed, private=True)
    same(keyfiles.from_cose_key_set(data), MEMBERS[:3])
    public = keyfiles.from_cose_key_set(keyfiles.cose_key_set(untimed))
    assert [key.kid for key in public] == ["es256", "ps256"]
    assert all(key.secret is None for key in public)


@pytest.mark.parametrize(
    "value",
    [
        {},
        [1],
        [{1: 2, 2: b"k", 3: -7}],
        [{1: 2, 2: b"k", 3: -7, -1: 2, -2: bytes(32), -3: bytes(32)}],
        [{1: 4, 2: b"k", 3: 4, -1: bytes(32)}],
        [{1: 4, 2: b"\xff", 3: 5, -1: bytes(32)}],
        [{1: 4, 2: "k", 3: 5, -1: bytes(32)}],
        [{1: 4, 3: 5, -1: bytes(32)}],
    ],
)
def test_cose_key_sets_that_are_refused(value):
    with pytest.raises(cat.KeyFileError):
        keyfiles.from_cose_key_set(cbor.encode(value))
    with pytest.raises(cat.KeyFileError):
        keyfiles.from_cose_key_set(b"\xff")


def test_sealed_files():
    data = keyfiles.seal(KEYS, SECRET)
    same(keyfiles.unseal(data, SECRET))
    assert b"es256" not in data and keyfiles.seal(KEYS, SECRET) != data
    for wrong in (data[:-1], data[:20], b"", data[:30] + b"x" + data[31:], b"{" + data[1:]):
        with pytest.raises(cat.KeyFileError):
            keyfiles.unseal(wrong, SECRET)
    for secret in (bytes(32), bytes(16)):
        with pytest.raises(cat.KeyFileError):
            keyfiles.unseal(data, secret)


def test_environment():
    text = json.dumps(MEMBERS)
    for value in (text, base64.b64encode(text.encode()).decode(), json.dumps({"keys": MEMBERS})):
        same(keyfiles.from_environment({"HEADWATER_TOKEN_KEYS": value}))
    for value in ("", " ", "x", "[", "[1]"):
        with pytest.raises(cat.KeyFileError) as error:
            keyfiles.from_environment({"HEADWATER_TOKEN_KEYS": value})
        assert 'k"' not in str(error.value)


def test_rotation_overlaps():
    """CAT-28: old tokens hold for the overlap, new ones from now on."""
    old = cat.KeySet.from_json([cat.generate("HS256", "one"), cat.generate("A128GCM", "box")])
    fresh = cat.KeySet.from_json([cat.generate("HS256", "two")]).signer()
    both = keyfiles.rotated(old, fresh, now=NOW, overlap_s=60)
    before = cat.issue({"exp": NOW + 900}, old.signer())
    after = cat.issue({"exp": NOW + 900}, both.signer())

    def judge(token, now, keys=both):
        return cat.verify(token, cat.Context("https://h/", now), keys).reason

    assert both.signer().kid == "two" and len(both) == 3
    assert [judge(before, NOW), judge(after, NOW), judge(before, NOW + 59)] == ["ok"] * 3
    assert judge(before, NOW + 60) == "key" and judge(after, NOW + 600) == "ok"
    third = cat.KeySet.from_json([cat.generate("HS256", "three")]).signer()
    later = keyfiles.rotated(both, third, now=NOW + 70, overlap_s=60)
    assert [key.kid for key in later] == ["three", "two", "box"]
    assert judge(after, NOW + 129, later) == "ok" and judge(after, NOW + 130, later) == "key"
