"""The verifier that stands: the same verdicts as `verify` on everything, mostly by the kernel."""

import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cat
from cat import cose, cython
from cat.cbor import Tag, encode
from cat.context import normal_uri
from cat.text import from_text, to_text
from native.crypto import Mac, library, sha256

ROOT = Path(__file__).parents[2]
MEMBERS = cat.generate("HS256", "k")
OTHERS = [cat.generate("HS256", "k2"), cat.generate("ES256", "e")]
KEYS = cat.KeySet.from_json([MEMBERS, *OTHERS])
KEY = KEYS.signer("k")
NOW = 1_000_000
FULL = {
    "iss": "me",
    "aud": ["other", "edge"],
    "sub": "viewer",
    "exp": NOW + 60,
    "nbf": NOW - 60,
    "iat": NOW,
    "cti": b"\x01\x02",
    "catm": ["GET", "HEAD"],
    "catu": {
        "scheme": {"exact": "https"},
        "host": {"suffix": ".Example"},
        "path": {"prefix": "/live/", "contains": "/v1/"},
        "extension": {"exact": ".m4s"},
        "port": {"exact": ""},
    },
    "catalpn": [b"h2"],
    "cath": {"User-Agent": {"prefix": "player/"}},
    "catnip": [64500, Tag(52, (20, b"\xc0\x00\x10"))],
    "geohash": ["u6sc"],
    "catgeoiso3166": ["no", "se"],
    "catr": {0: 2, 1: 3600, 4: "x-token"},
    "catreplay": 0,
}
ASKED = {
    "uri": "https://cdn.example/live/v1/7.m4s?a=b",
    "now": NOW,
    "method": "GET",
    "ip": "192.0.18.7",
    "asn": 1,
    "country": "SE-AB",
    "lat": 59.33,
    "lon": 18.06,
    "alpn": "h2",
    "headers": {"user-agent": " player/1 "},
}
OPTIONS = cat.Options(issuers=("me",), audiences=("edge",), require=("exp",))


def seal(claims):
    """A sealed token of any claims, right or wrong."""
    payload, protected = encode(claims), b"\xa1\x01\x05"
    data = cose.sealed_structure(17, protected, payload)
    seal = Mac(KEY.secret).digest(data)
    return to_text(cose.build(17, protected, b"k", payload, seal))


class Quick(cat.Verifier):
    """The kernel alone: None where it leaves a token to the long way."""

    def otherwise(self, token, request):
        return None


def quick(options=OPTIONS):
    return Quick(KEYS, options, most=16)


def agree(token, asked=ASKED, options=OPTIONS, keys=KEYS):
    """The verdict, the same the long way, at first sight and when remembered."""
    verdict = cat.verify(token, cat.Context(**asked), keys, options)
    standing = cat.Verifier(keys, options)
    for _ in range(2):
        assert standing.verify(token, cat.Context(**asked)) == verdict
    return verdict


def test_a_common_token_is_accepted_by_the_kernel():
    token = cat.issue(FULL, KEY)
    fast = quick()
    verdict = fast.verify(token, cat.Context(**ASKED))
    assert verdict is not None and verdict.kid == KEY.kid
    assert fast.verify(token, cat.Context(**ASKED)) is verdict
    assert agree(token).accept


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"now": NOW + 60}, "expired"),
        ({"now": NOW - 61}, "not_before"),
        ({"method": "POST"}, "method"),
        ({"method": "get"}, "method"),
        ({"uri": "http://cdn.example/live/v1/7.m4s"}, "uri"),
        ({"uri": "https://cdn.example.org/live/v1/7.m4s"}, "uri"),
        ({"uri": "https://cdn.example/vod/v1/7.m4s"}, "uri"),
        ({"uri": "https://cdn.example/live/v2/7.m4s"}, "uri"),
        ({"uri": "https://cdn.example/live/v1/7.mp4"}, "uri"),
        ({"uri": "https://cdn.example/live/v1/../../x/v1/7.m4s"}, "uri"),
        ({"uri": "https://cdn.example/live/v1/%2e%2e/%2e%2e/x/v1/7.m4s"}, "uri"),
        ({"uri": "https://cdn.example:8443/live/v1/7.m4s"}, "uri"),
        ({"uri": "https://u@cdn.example/live/v1/7.m4s"}, "uri"),
        ({"uri": "https://cdn.example/live/v1/\x007.m4s"}, "uri"),
        ({"alpn": "h3"}, "alpn"),
        ({"alpn": None}, "claim_unsupported"),
        ({"headers": {}}, "header"),
        ({"headers": {"user-agent": "other"}}, "header"),
        ({"ip": "192.0.32.1"}, "network"),
        ({"ip": None}, "claim_unsupported"),
        ({"lat": 0.0}, "geo"),
        ({"lat": None}, "claim_unsupported"),
        ({"country": "DE"}, "geo"),
        ({"country": None}, "claim_unsupported"),
    ],
)
def test_each_claim_still_refuses(changed, reason):
    token = cat.issue(FULL, KEY)
    asked = ASKED | changed
    assert quick().verify(token, cat.Context(**asked)) is None
    assert agree(token, asked).reason == reason


@pytest.mark.parametrize(
    "changed",
    [
        {"uri": "https://CDN.Example./live/x/../v1/7.m4s"},
        {"uri": "https://cdn.example:443/live/v1/7.m4s"},
        {"uri": "https://cdn.example/live/v1/7.m4s?CAT=abc"},
        {"uri": "https://cdn.example/cat:abc/live/v1/7.m4s"},
        {"uri": "https://cdn.example/live/v1/%37.m4s"},
        {"ip": "::ffff:192.0.18.7"},
        {"asn": 64500, "ip": "10.0.0.1"},
        {"country": "se"},
        {"headers": {"user-agent": "\tplayer/2"}},
    ],
)
def test_other_spellings_are_accepted_by_the_verifier(changed):
    """The kernel may leave these to the long way; the verdict is the same."""
    assert agree(cat.issue(FULL, KEY), ASKED | changed).accept


def test_the_key_s_own_life_is_judged_each_time():
    """CAT-28"""
    key = cat.Key("k", "HS256", KEY.secret, KEY.secret, NOW - 10, NOW + 10)
    standing = cat.Verifier(cat.KeySet([key]), OPTIONS)
    token = cat.issue(FULL, KEY)
    assert standing.verify(token, cat.Context(**ASKED)).accept
    for now in (NOW - 11, NOW + 10):
        assert standing.verify(token, cat.Context(**ASKED | {"now": now})).reason == "key"


def test_memory_is_bounded():
    fast = quick(cat.Options())
    for number in range(100):
        token = cat.issue({"exp": NOW + 1, "cti": bytes([number])}, KEY)
        assert fast.verify(token, cat.Context("https://h/", NOW))
    assert len(fast) <= 32


def test_claims_are_decoded_when_asked_for():
    standing = cat.Verifier(KEYS, OPTIONS)
    verdict = standing.verify(cat.issue(FULL, KEY), cat.Context(**ASKED))
    assert verdict.claims is verdict.claims
    assert verdict.claims[7] == b"\x01\x02" and verdict.kid == "k"
    assert dict(verdict.claims) == verdict.claims and len(verdict.claims) == len(FULL) + 1


def test_public_keys_seal_too():
    token = cat.issue(FULL, KEYS.signer("e"))
    assert quick(OPTIONS).verify(token, cat.Context(**ASKED))
    assert agree(token).accept


LABELS = st.sampled_from([*range(1, 9), 282, *range(308, 325), 41, 45, 401, 999, -1, "x"])
SCALARS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([NOW, NOW - 100, NOW + 100, 2**53, 2**53 + 1, 64500, 23, 24, 255, 256, 65536]),
    st.sampled_from(["GET", "me", "edge", "viewer", "", "SE", "u6", "/live/", ".m4s", "é", "a b"]),
    st.sampled_from([b"", b"h2", b"\xc0\x00\x12", bytes(16), bytes(32)]),
    st.sampled_from([0.5, 1.5, True, None]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(
            st.one_of(st.integers(-2, 8), st.sampled_from(["user-agent", "x"])), inner, max_size=3
        ),
        st.builds(Tag, st.sampled_from([52, 54, 1, 279]), inner),
    ),
    max_leaves=6,
)
GOOD = {cat.tables.LABELS[name]: value for name, value in FULL.items() if name != "catu"}
GOOD[312] = {1: {2: ".Example"}, 3: {1: "/live/"}, 8: {0: ".m4s"}}
GOOD[3], GOOD[313] = ("other", "edge"), ("GET", "HEAD")
GOOD[314], GOOD[311] = (b"h2",), tuple(FULL["catnip"])
GOOD[282], GOOD[316] = ("u6sc",), ("no", "se")
GOOD[315] = {"user-agent": {1: "player/"}}


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(LABELS, TREES, max_size=3),
    st.sets(st.sampled_from(sorted(GOOD)), max_size=4),
    st.sampled_from(["cta", "akamai", "quicr"]),
)
def test_random_claims_have_one_verdict(wild, dropped, profile):
    claims = {label: value for label, value in GOOD.items() if label not in dropped} | wild
    options = cat.Options(
        profile=profile, issuers=("me",), audiences=("edge",), require=("exp", "catm")
    )
    agree(seal(claims), options=options)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_mutated_tokens_have_one_verdict(at, octet, resealed):
    """Octets changed in the whole token, or in claims that are then sealed again."""
    if resealed:
        payload = bytearray(encode(GOOD))
        payload[at % len(payload)] = octet
        data = cose.sealed_structure(17, b"\xa1\x01\x05", bytes(payload))
        seal = Mac(KEY.secret).digest(data)
        raw = cose.build(17, b"\xa1\x01\x05", b"k", bytes(payload), seal)
    else:
        changed = bytearray(from_text(cat.issue(FULL, KEY)))
        changed[at % len(changed)] = octet
        raw = bytes(changed)
    agree(to_text(raw))


@settings(max_examples=300, deadline=None)
@given(
    st.text("aA.%2eE/catCAT:=?&#@[]8\\ é\0", max_size=24),
    st.sampled_from(["https://cdn.example/live/", "http://cdn.example", "https://h:443/", ""]),
)
def test_every_uri_has_one_normal_form(tail, head):
    """CAT-42: the kernel's cut and the rules in full agree on every component."""
    asked = {"uri": head + tail, "now": NOW}
    uri = normal_uri(cat.Context(**asked))
    for number, name in enumerate(cat.tables.COMPONENTS):
        texts = () if uri is None else uri.component(number, cat.tables.PROFILES["cta"])
        for text in (*texts, "x"):
            if text or name in ("port", "query", "extension", "parent_path", "filename", "stem"):
                agree(seal({312: {number: {0: text}}}), asked, cat.Options())


@settings(max_examples=200, deadline=None)
@given(st.ip_addresses(), st.integers(0, 128), st.binary(min_size=16, max_size=16))
def test_every_network_has_one_verdict(address, length, network):
    size = 4 if address.version == 4 else 16
    length %= 8 * size + 1
    kept = address.packed if network[0] & 1 else network[:size]
    number = int.from_bytes(kept, "big") >> (8 * size - length) << (8 * size - length)
    entry = Tag(52 if size == 4 else 54, (length, number.to_bytes(size, "big")))
    agree(seal({311: (entry,)}), {"uri": "https://h/", "now": 1, "ip": str(address)}, cat.Options())


def test_labels_of_the_kernel_come_from_the_table():
    """CAT-32"""
    assert (ROOT / "native/cat/labels.pxd").read_text() == cython.labels()


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=100))
def test_libcrypto_answers_like_hashlib(data, secret):
    assert sha256(data) == hashlib.sha256(data).digest()
    mac = Mac(secret)
    assert mac.digest(data) == hmac.digest(secret, data, "sha256")
    assert mac.holds(data, mac.digest(data))
    assert not mac.holds(data, bytes(32)) and not mac.holds(data, b"")
    assert isinstance(library(), str)
