"""Proof of possession: RFC 9449 as cnf and catdpop ask for it (CAT-80..CAT-83)."""

import hashlib
import json

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

import cat
from cat.text import to_text
from runtime.store import MemoryStore, StoreError

NOW = 1_000_000
URL = "https://cdn.example/live/a.m3u8?x=1"
KEYS = cat.KeySet.from_json([cat.generate("HS256", "k")])
CLIENT = ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)
OTHER = ECKey.generate_key("P-256")
GOOD = {"htm": "GET", "htu": "https://cdn.example/live/a.m3u8", "iat": NOW, "jti": "one"}


def jkt(key):
    return bytes(hashlib.sha256(_members(key)).digest())


def _members(key):
    names = ("crv", "kty", "x", "y") if key.key_type == "EC" else ("e", "kty", "n")
    public = key.as_dict(private=False)
    return json.dumps({n: public[n] for n in names}, separators=(",", ":")).encode()


def proof(claims=(), header=(), key=CLIENT, sign_with=None):
    alg = "ES256" if key.key_type == "EC" else "PS256"
    head = {"typ": "dpop+jwt", "alg": alg, "jwk": key.as_dict(private=False)} | dict(header)
    head = {name: value for name, value in head.items() if value is not None}
    body = {n: v for n, v in (GOOD | dict(claims)).items() if v is not None}
    protected = {n: v for n, v in head.items() if n in ("typ", "alg")}
    signer = sign_with or key
    if set(head) - {"typ", "alg"} == {"jwk"} and head["alg"] == alg:
        protected = head
    else:
        return raw(head, json.dumps(body).encode(), signer)
    return jws.serialize_compact(protected, json.dumps(body).encode(), signer, algorithms=[alg])


def raw(header, body, key):
    """A compact JWS whose header no library would write."""
    text = f"{to_text(json.dumps(header).encode())}.{to_text(body)}"
    alg = "ES256" if key.key_type == "EC" else "PS256"
    member = key.as_dict(private=True) | {"kid": "x", "alg": alg}
    made = cat.KeySet.from_json([member]).signer()
    return f"{text}.{to_text(made.algorithm.seal(made.secret, text.encode()))}"


def judge(headers, claims=(), options=None, **more):
    token = cat.issue({"exp": NOW + 60, "cnf": {323: jkt(CLIENT)}} | dict(claims), KEYS.signer())
    if callable(headers):
        headers = headers(token)
    asked = {"uri": URL, "now": NOW, "headers": headers} | more
    verdict = cat.verify(token, cat.Context(**asked), KEYS, options or cat.Options())
    assert (
        cat.Verifier(KEYS, options or cat.Options()).verify(token, cat.Context(**asked)) == verdict
    )
    return verdict


def test_a_good_proof():
    assert judge({"dpop": proof()}).accept
    verdict = judge({})
    assert (verdict.reason, verdict.claim) == ("dpop", "cnf")
    fields = dict(cat.refusal(verdict).headers)
    assert fields["WWW-Authenticate"] == 'DPoP error="invalid_dpop_proof"'
    rsa = {"cnf": {323: jkt(RSA)}}
    assert judge({"dpop": proof(key=RSA)}, rsa).accept


def test_thumbprint_of_rfc_7638():
    """RFC 7638, 3.1"""
    from cat.dpop import thumbprint

    jwk = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS"
        "oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
        "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhA"
        "I4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
    }
    assert to_text(thumbprint(jwk, "PS256")) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    "claims",
    [
        {"htm": "POST"},
        {"htm": "get"},
        {"htm": None},
        {"htu": "https://cdn.example/live/b.m3u8"},
        {"htu": "http://cdn.example/live/a.m3u8"},
        {"htu": "https://other.example/live/a.m3u8"},
        {"htu": "/live/a.m3u8"},
        {"htu": None},
        {"htu": 7},
        {"iat": NOW - 301},
        {"iat": NOW + 301},
        {"iat": "now"},
        {"iat": True},
        {"iat": None},
        {"iat": float("nan")},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 129},
        {"ath": "x"},
        {"ath": 7},
    ],
)
def test_claims_that_do_not_fit(claims):
    assert judge({"dpop": proof(claims)}).reason == "dpop"


@pytest.mark.parametrize(
    "claims",
    [
        {"htu": "https://CDN.example:443/live/x/../a.m3u8"},
        {"htu": "https://cdn.example/live/a.m3u8?y=2#f"},
        {"iat": NOW - 300},
        {"iat": NOW + 300},
        {"jti": "x" * 128},
    ],
)
def test_claims_that_fit(claims):
    assert judge({"dpop": proof(claims)}).accept


@pytest.mark.parametrize(
    ("header", "more"),
    [
        ({"typ": "jwt"}, {}),
        ({"typ": None}, {}),
        ({"alg": "none"}, {}),
        ({"alg": "HS256"}, {}),
        ({"alg": "PS256"}, {}),
        ({"jwk": None}, {}),
        ({"jwk": CLIENT.as_dict(private=True)}, {}),
        ({"jwk": {"kty": "oct", "k": "AAAA"}}, {}),
        ({"jwk": CLIENT.as_dict(private=False) | {"crv": "P-384"}}, {}),
        ({"crit": ["b64"], "b64": False}, {}),
        ({}, {"key": OTHER}),
        ({}, {"sign_with": OTHER}),
    ],
)
def test_headers_and_keys_that_do_not_fit(header, more):
    assert judge({"dpop": proof(header=header, **more)}).reason == "dpop"


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "....", "é.é.é", "x" * 5000, "{}.{}.{}"])
def test_garbage(text):
    assert judge({"dpop": text}).reason == "dpop"
    assert judge({"dpop": f"{proof()}, {proof()}"}).reason == "dpop"


def test_doubled_names_and_deep_json():
    doubled = json.dumps(GOOD).encode()[:-1] + b', "htm": "GET"}'
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": CLIENT.as_dict(private=False)}
    assert judge({"dpop": raw(head, doubled, CLIENT)}).reason == "dpop"
    assert judge({"dpop": raw(head, b"[" * 2000, CLIENT)}).reason == "dpop"
    assert judge({"dpop": raw(head, b"7", CLIENT)}).reason == "dpop"


def test_the_proof_may_name_the_token():
    """CAT-82: ath"""

    def named(token):
        return {"dpop": proof({"ath": to_text(hashlib.sha256(token.encode()).digest())})}

    needs = cat.Options(dpop_ath=True)
    assert judge(named).accept and judge(named, options=needs).accept
    assert judge({"dpop": proof()}, options=needs).reason == "dpop"


def test_the_token_s_segment_is_no_part_of_htu():
    uri = "https://cdn.example/cat:2D3RhEOhAQWhBEFr/live/a.m3u8"
    assert judge({"dpop": proof()}, uri=uri).accept


@pytest.mark.parametrize(
    ("rules", "iat", "reason"),
    [
        ({0: 10}, NOW - 10, "ok"),
        ({0: 10}, NOW - 11, "dpop"),
        ({0: 3600}, NOW - 3600, "ok"),
        ({1: 0}, NOW, "ok"),
        ({1: 7}, NOW, "ok"),
        ({1: 1}, NOW, "claim_unsupported"),
        ({-1: [5]}, NOW, "claim_unsupported"),
        ({-1: [0]}, NOW, "claim_unsupported"),
        ({0: 3601}, NOW, "claim_malformed"),
    ],
)
def test_settings(rules, iat, reason):
    """CAT-83"""
    from cat.mint import seal

    claims = {4: NOW + 60, 8: {323: jkt(CLIENT)}, 321: rules}
    token = seal(cat.cbor.encode(claims), KEYS.signer())
    asked = cat.Context(URL, NOW, headers={"dpop": proof({"iat": iat})})
    assert cat.verify(token, asked, KEYS).reason == reason


async def test_a_proof_is_accepted_once():
    """CAT-83: jti"""
    verifier = cat.Verifier(KEYS, cat.Options(settled=True))
    guard = cat.Guard(verifier, MemoryStore(), away=StoreError)
    token = cat.issue(
        {"exp": NOW + 60, "cnf": {323: jkt(CLIENT)}, "catdpop": {1: 1}, "catreplay": 0},
        KEYS.signer(),
    )

    async def ask(**claims):
        asked = cat.Context(URL, NOW, headers={"dpop": proof(claims)})
        return (await guard.verify(token, asked)).reason

    assert [await ask(), await ask(), await ask(jti="two")] == ["ok", "dpop", "ok"]


def test_confirmation_by_other_means():
    """CAT-80"""
    legacy = {"cnf": {3: jkt(CLIENT)}}
    assert judge({"dpop": proof()}, legacy).reason == "claim_unsupported"
    assert judge({"dpop": proof()}, legacy, cat.Options(cnf_legacy=True)).accept
    assert judge({}, {"cnf": {6: bytes(32)}}).reason == "claim_unsupported"
