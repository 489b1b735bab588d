"""Encrypted tokens (CAT-12) and what options change (CAT-9, CAT-42, CAT-43, CAT-64, CAT-85)."""

import base64

import pytest

import cat
from cat import cose, privacy
from cat.cbor import Tag, encode
from cat.mint import seal
from cat.text import from_text, to_text

NOW = 1_000_000
URL = "https://h/live/a?b=c&CMCD=d"
MEMBERS = [
    cat.generate("HS256", "k"),
    cat.generate("A128GCM", "e1"),
    cat.generate("A256GCM", "e3"),
    cat.generate("A256GCM", "i") | {"issuer": True},
]
KEYS = cat.KeySet.from_json(MEMBERS)
KEY = KEYS.signer()


def cipher(kid):
    return KEYS.named(kid.encode())[0]


def judge(token, options=None, uri=URL, keys=KEYS, **more):
    options = options or cat.Options()
    verdict = cat.verify(token, cat.Context(uri, NOW, **more), keys, options)
    standing = cat.Verifier(keys, options)
    for _ in range(2):
        assert standing.verify(token, cat.Context(uri, NOW, **more)) == verdict
    return verdict


def claims(**values):
    return cat.issue({"exp": NOW + 9} | values, KEY)


@pytest.mark.parametrize("kid", ["e1", "e3", "i"])
def test_encrypted_tokens(kid):
    verdict = judge(cat.encrypt(claims(sub="a@b.example"), cipher(kid)))
    assert verdict.accept and verdict.kid == "k" and verdict.claims[2] == "a@b.example"
    assert judge(cat.encrypt(claims(exp=NOW), cipher(kid))).reason == "expired"


def test_claims_without_a_seal_need_an_issuer_s_key():
    payload = encode({4: NOW + 9, 1: "me"})
    assert judge(cat.encrypt(payload, cipher("i"))).kid == "i"
    assert judge(cat.encrypt(payload, cipher("e3"))).reason == "malformed"
    assert judge(cat.encrypt(encode({4: NOW}), cipher("i"))).reason == "expired"


def test_encrypted_tokens_that_are_refused():
    token = cat.encrypt(claims(), cipher("e3"))
    data = bytearray(from_text(token))
    for at in (len(data) - 1, len(data) - 40):
        data[at] ^= 1
        assert judge(to_text(bytes(data))).reason == "signature"
        data[at] ^= 1
    assert judge(cat.encrypt(from_text(token), cipher("e3"))).reason == "malformed"  # one layer
    alone = cat.KeySet.from_json(MEMBERS[:1])
    assert judge(token, keys=alone).reason == "key"
    other = cat.KeySet.from_json([MEMBERS[0], cat.generate("A256GCM", "e3")])
    assert judge(token, keys=other).reason == "signature"
    # the label says 128 bits, the key has 256
    wrong = cose.encrypt(1, b"e3", cipher("e3").secret, bytes(12), from_text(claims()))
    assert judge(to_text(wrong)).reason == "key"
    short = cose.encrypt(3, b"e3", cipher("e3").secret, bytes(13), b"")
    assert judge(to_text(short)).reason == "malformed"
    with pytest.raises(cat.IssueError):
        cat.encrypt(claims(), KEY)
    with pytest.raises(cat.IssueError):
        cat.encrypt(bytes(4000), cipher("e3"))
    with pytest.raises(cat.KeyFileError):
        cat.KeySet.from_json([MEMBERS[1] | {"alg": "A256GCM"}])


def test_foreign_labels():
    """CAT-64"""
    token = seal(encode({4: NOW + 9, 999: 1}), KEY)
    assert judge(token).accept
    verdict = judge(token, cat.Options(foreign="reject"))
    assert (verdict.reason, verdict.claim) == ("claim_unsupported", "999")
    assert judge(claims(), cat.Options(foreign="reject")).accept


def test_label_324_as_a_fingerprint():
    token = seal(encode({4: NOW + 9, 324: {0: 1, 1: "ABcd"}}), KEY)
    read = cat.Options(label_324="cattprint")
    assert judge(token).reason == "claim_contested"
    assert judge(token, read).reason == "claim_unsupported"
    assert judge(token, read, client_prints={1: "abCD"}).accept
    assert judge(token, read, client_prints={1: "abce"}).reason == "tls"
    for wrong in ({0: 13, 1: "a"}, {0: 1}, {0: 1, 1: b"a"}, "a", {0: 1, 1: "a", 2: 3}):
        token = seal(encode({4: NOW + 9, 324: wrong}), KEY)
        assert judge(token, read).reason == "claim_malformed"
    with pytest.raises(ValueError, match="324"):
        cat.Options(profile="quicr", label_324="cattprint")


@pytest.mark.parametrize(
    ("values", "claim"),
    [
        ({"sub": "a@b.example"}, "sub"),
        ({"sub": "+46 70 123 45 67"}, "sub"),
        ({"sub": "viewer-1"}, None),
        ({"catnip": [Tag(52, (25, b"\xc0\0\2\0"))]}, "catnip"),
        ({"catnip": [Tag(52, b"\xc0\0\2\1")]}, "catnip"),
        ({"catnip": [Tag(52, {32: b"\xc0\0\2\1"})]}, "catnip"),
        ({"catnip": [Tag(52, (24, b"\xc0\0\2")), 64500]}, None),
        ({"catnip": [Tag(54, (56, b"\x20"))]}, None),
        ({"catnip": [Tag(54, (57, b"\x20"))]}, "catnip"),
        ({"geohash": ["u6", "u6sce"]}, "geohash"),
        ({"geohash": "u6sc"}, None),
        ({"catgeocoord": [[59, 18, 100]]}, "catgeocoord"),
        ({"catgeoalt": [1, 2]}, "catgeoalt"),
    ],
)
def test_privacy(values, claim):
    """CAT-85"""
    token = claims(**values)
    found = [finding.claim for finding in privacy.findings(cose.parse(from_text(token)).claims)]
    assert found == ([] if claim is None else [claim])
    strict = cat.Options(privacy="reject")
    told = judge(token, strict, ip="192.0.2.1", asn=64500, lat=59.33, lon=18.06)
    if claim is None:
        assert told.step > 7
    else:
        assert (told.reason, told.claim, told.step) == ("claim_unsupported", claim, 7)
        assert judge(cat.encrypt(token, cipher("e3")), strict).step != 7


def test_text_forms():
    """CAT-9"""
    token = claims()
    data = from_text(token)
    loose = cat.Options(b64="lenient")
    for form in (base64.b64encode(data).decode(), data.hex()):
        assert judge(form, loose).accept
    assert judge(data.hex()).reason == "malformed"


def test_encoded_slashes():
    """CAT-42"""
    token = claims(catu={"path": {"prefix": "/live/"}})
    uri = "https://h/live/a%2fb%5cc"
    allow = cat.Options(encoded_slash="allow")
    assert judge(token, uri=uri).reason == "uri"
    assert judge(token, allow, uri=uri).accept
    exact = claims(catu={"path": {"exact": "/live/a%2Fb%5Cc"}})
    assert judge(exact, allow, uri=uri).accept
    context = cat.Context(uri, NOW)
    assert [cat.verify(token, context, KEYS, o).accept for o in (allow, cat.Options(), allow)] == [
        True,
        False,
        True,
    ]


def test_ignored_parameters():
    """CAT-43"""
    token = claims(catu={"query": {"exact": "b=c"}})
    assert judge(token).reason == "uri"
    assert judge(token, cat.Options(query_ignore=("cmcd",))).accept
