"""Tokens of chosen parts, sealed or not, for tests of what a verifier refuses."""

import hmac

import cat
from cat import cbor
from cat.cbor import Tag
from cat.text import to_text

SECRET = bytes(range(32))
HS = {"kid": "k", "alg": "HS256", "k": to_text(SECRET)}
KEYS = cat.KeySet.from_json([HS])
CONTEXT = cat.Context(uri="https://cdn.example/live/a.m3u8", now=1000)
CLAIMS = {1: "me", 4: 2000}


def mac(key, protected, payload, context="MAC0"):
    return hmac.digest(key, cbor.encode((context, protected, b"", payload)), "sha256")


def token(
    *,
    claims=CLAIMS,
    alg=5,
    tag=17,
    outer=61,
    key=SECRET,
    kid=b"k",
    protected=None,
    unprotected=None,
    payload=None,
    seal=None,
    parts=None,
    trailing=b"",
):
    protected = cbor.encode({1: alg}) if protected is None else protected
    payload = cbor.encode(claims) if payload is None else payload
    seal = mac(key, protected, payload) if seal is None else seal
    unprotected = {4: kid} if unprotected is None else unprotected
    message = Tag(tag, (protected, unprotected, payload, seal) if parts is None else parts)
    return to_text(cbor.encode(Tag(outer, message) if outer else message) + trailing)


SEALED = mac(SECRET, cbor.encode({1: 5}), cbor.encode(CLAIMS))
