"""The envelope of a token, form by form: each wrong one has its code of CAT section 11."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from native_cat.crafted import CLAIMS, CONTEXT, HS, KEYS, SEALED, SECRET, mac, token

import cat
import cat.tables
from cat import cbor, cose
from cat.algorithms import P256_ORDER
from cat.cbor import Tag
from cat.text import from_text, to_text


def verdict(text, keys=KEYS, **options):
    return cat.verify(text, CONTEXT, keys, cat.Options(**options))


def test_the_helper_makes_good_tokens():
    assert verdict(token()).accept
    assert verdict(token(outer=None)).accept
    assert token().startswith("2D3R")  # CAT-1


REFUSED = {
    "truncated MAC": (token(seal=SEALED[:8]), "signature"),
    "empty MAC": (token(seal=b""), "signature"),
    "longer MAC": (token(seal=SEALED + b"\0"), "signature"),
    "text MAC": (token(seal="x" * 32), "malformed"),
    "flipped MAC": (token(seal=bytes([SEALED[0] ^ 1]) + SEALED[1:]), "signature"),
    "signature context": (
        token(seal=mac(SECRET, cbor.encode({1: 5}), cbor.encode(CLAIMS), "Signature1")),
        "signature",
    ),
    "HMAC 256/64": (token(alg=4), "alg"),
    "alg none": (token(alg=0), "alg"),
    "alg as text": (token(alg="HS256"), "alg"),
    "alg ES256 in a MAC": (token(alg=-7), "alg"),
    "alg absent": (token(protected=b""), "alg"),
    "alg unprotected only": (token(protected=b"", unprotected={1: 5, 4: b"k"}), "alg"),
    "alg in both": (token(unprotected={1: 5, 4: b"k"}), "malformed"),
    "tag 18 with HS256": (token(tag=18), "alg"),
    "tag 19": (token(tag=19), "malformed"),
    "untagged": (
        to_text(cbor.encode((cbor.encode({1: 5}), {}, cbor.encode(CLAIMS), SEALED))),
        "malformed",
    ),
    "61(61())": (to_text(cbor.encode(Tag(61, Tag(61, Tag(17, ()))))), "malformed"),
    "17(61())": (to_text(cbor.encode(Tag(17, Tag(61, ())))), "malformed"),
    "encrypted": (token(tag=16, parts=(cbor.encode({1: 1}), {}, b"")), "key"),
    "three parts": (token(parts=(b"", {}, b"")), "malformed"),
    "five parts": (token(parts=(b"", {}, b"", b"", b"")), "malformed"),
    "detached payload": (token(parts=(cbor.encode({1: 5}), {}, None, SEALED)), "malformed"),
    "text payload": (token(parts=(cbor.encode({1: 5}), {}, "a", SEALED)), "malformed"),
    "payload in tag 259": (token(payload=cbor.encode(Tag(259, CLAIMS))), "malformed"),
    "payload and a byte": (token(payload=cbor.encode(CLAIMS) + b"\0"), "malformed"),
    "payload with doubled label": (token(payload=bytes.fromhex("a204190fa0041903e8")), "malformed"),
    "indefinite payload": (token(payload=bytes.fromhex("bf041907d0ff")), "malformed"),
    "non-shortest protected": (token(protected=bytes.fromhex("a1013805")), "malformed"),
    "trailing byte": (token(trailing=b"\0"), "malformed"),
    "COSE crit unknown": (token(protected=cbor.encode({1: 5, 2: (99,)})), "header_crit"),
    "COSE crit empty": (token(protected=cbor.encode({1: 5, 2: ()})), "malformed"),
    "COSE crit unprotected": (token(unprotected={2: (1,)}), "malformed"),
    "kid unknown": (token(kid=b"other"), "key"),
    "kid a number": (token(kid=7), "malformed"),
    "kid with a path": (token(kid=b"../../dev/null"), "key"),
    "other secret": (token(key=bytes(32)), "signature"),
    "empty": ("", "malformed"),
    "4,096 characters": ("A" * 4096, "malformed"),
    "4,097 characters": ("A" * 4097, "too_large"),
    "standard base64": ("+" + token()[1:], "malformed"),
    "white space": (token() + "\n", "malformed"),
    "wrong padding": (token() + "===", "malformed"),
    "not ASCII": ("\u00e9" * 20, "malformed"),
    "4 GB string": (to_text(bytes.fromhex("d83dd1845affffffff")), "malformed"),
    "deep": (to_text(b"\x81" * 3000), "malformed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    text, reason = REFUSED[name]
    answer = verdict(text)
    assert (answer.accept, answer.reason, answer.claim) == (False, reason, None)
    assert answer.claims == {}


def test_kid_may_be_text_protected_or_absent():
    """CAT-8."""
    assert verdict(token(kid="k")).accept
    assert verdict(token(protected=cbor.encode({1: 5, 4: b"k"}), unprotected={})).accept
    assert verdict(token(unprotected={})).accept
    assert verdict(token(protected=cbor.encode({1: 5, 16: "CAT"}))).accept


def test_received_bytes_are_judged_not_re_encoded():
    """CAT-3: an unsorted map holds as it came."""
    unsorted = bytes.fromhex("a2041907d001626d65")
    assert verdict(token(payload=unsorted)).accept


@pytest.mark.parametrize("alg", ["ES256", "PS256"])
def test_public_key_bytes_are_no_mac_secret(alg):
    """CAT-21: the classic confusion, each spelling of the public key as the secret."""
    members = cat.generate(alg, "k")
    public = {name: value for name, value in members.items() if name != "d"}
    keys = cat.KeySet.from_json([public])
    (key,) = keys
    spellings = [
        key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(public).encode(),
        base64.urlsafe_b64decode(str(public.get("x", public.get("n"))) + "=="),
    ]
    for secret in spellings:
        for number, tag in ((5, 17), (5, 18), (cat.tables.ALGORITHMS[alg], 17)):
            assert verdict(token(key=secret, alg=number, tag=tag), keys).reason == "alg"


def test_the_algorithm_of_a_kid_is_fixed():
    """CAT-21: naming an ES256 key in an HS256 token does not fall back to other keys."""
    signer = cat.generate("ES256", "signer")
    for kid in ({}, {4: b"signer"}, {4: b"stranger"}):
        assert verdict(token(unprotected=kid), cat.KeySet.from_json([signer])).reason == "alg"
    keys = cat.KeySet.from_json([HS, signer])
    assert verdict(token(kid=b"signer"), keys).reason == "alg"
    assert verdict(token(), keys).accept


def test_es256_form_and_high_s():
    """CAT-25: 64 bytes, r and s in range, DER refused; a high s is accepted unless told not to."""
    keys = cat.KeySet.from_json([cat.generate("ES256", "k")])
    text = cat.issue({"exp": 2000}, keys.signer())
    envelope = cose.parse(from_text(text))
    r, s = envelope.seal[:32], int.from_bytes(envelope.seal[32:], "big")
    assert s <= P256_ORDER // 2

    def sealed(seal):
        return to_text(cose.build(18, envelope.protected, b"k", envelope.payload, seal))

    high = r + (P256_ORDER - s).to_bytes(32, "big")
    assert verdict(sealed(high), keys).accept
    assert verdict(sealed(high), keys, high_s="reject").reason == "signature"
    for seal in (
        bytes(64),
        b"\xff" * 64,
        r + bytes(32),
        envelope.seal[:63],
        b"\x30" + envelope.seal,
    ):
        assert verdict(sealed(seal), keys).reason == "signature"


def test_keys_live_between_their_times():
    """CAT-28."""
    old = cat.KeySet.from_json([{**HS, "exp": 1000}])
    young = cat.KeySet.from_json([{**HS, "nbf": 1001}])
    rotated = cat.KeySet.from_json([{**HS, "exp": 1000}, {**HS, "nbf": 900, "exp": 1100}])
    assert verdict(token(), old).reason == "key"
    assert verdict(token(), young).reason == "key"
    assert verdict(token(), rotated).accept


@given(st.binary(max_size=120))
def test_random_bytes_are_refused(data):
    assert not verdict(to_text(data)).accept


UNPROTECTED = range(8, 12)  # {4: kid}: no seal covers it, and it only picks the key (RFC 9052, 3)


@given(st.integers(0, 8 * len(from_text(token())) - 1))
def test_every_flipped_bit_is_refused(bit):
    data = bytearray(from_text(token()))
    data[bit // 8] ^= 1 << bit % 8
    assert not verdict(to_text(bytes(data))).accept or bit // 8 in UNPROTECTED


@given(st.text(max_size=80))
def test_random_text_is_refused(text):
    assert not verdict(text).accept
