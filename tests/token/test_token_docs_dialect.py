"""The claims that CloudFront's documentation invented (CAT section 7, CAT-62)."""

import pytest

import cat
from cat import cbor, cose
from cat.text import to_text
from native.crypto import Mac

SECRET = bytes(range(32))
KEYS = cat.KeySet.from_json([{"kid": "k", "alg": "HS256", "k": to_text(SECRET)}])
OPTIONS = cat.Options(profile="cloudfront-docs")
ASKED = {"uri": "https://CDN.example/live/a/b.m3u8?q=1", "now": 1000, "ip": "192.0.2.7"}


def verdict(claims, options=OPTIONS, **asked):
    payload, protected = cbor.encode({4: 2000} | claims), cbor.encode({1: 5})
    seal = Mac(SECRET).digest(cose.sealed_structure(17, protected, payload))
    token = to_text(cose.build(17, protected, b"k", payload, seal))
    found = cat.verify(token, cat.Context(**ASKED | asked), KEYS, options)
    assert cat.Verifier(KEYS, options).verify(token, cat.Context(**ASKED | asked)) == found
    return found.reason, found.claim


HOLDS = [
    {401: {1: {3: "cdn.example"}}},
    {401: {1: {1: "CDN."}, 2: {1: "/live/", 2: "b.m3u8"}, 3: {3: [".mpd", ".m3u8"]}}},
    {"401": {"2": {"1": ["/vod/", "/live/"]}}},
    {402: ["198.51.100.1", "192.0.2.0/24"]},
    {402: ["192.0.2.7"]},
    {402: ["2001:db8::/32", "192.0.2.7/32"]},
    {403: ["HEAD", "GET"]},
    {404: {1: "header_renewal", 2: 900, 3: 5}},
    {7: "4f2a"},
    {7: b"\x4f\x2a"},
]


@pytest.mark.parametrize("claims", HOLDS)
def test_holds(claims):
    assert verdict(claims) == ("ok", None)


FAILS = [
    ({401: {1: {3: "other.example"}}}, "uri", "catu"),
    ({401: {2: {1: "/live/", 2: ".mpd"}}}, "uri", "catu"),
    ({401: {3: {3: "m3u8"}}}, "uri", "catu"),
    ({"401": {"2": {"3": ["/vod/a", "/vod/b"]}}}, "uri", "catu"),
    ({402: ["198.51.100.0/24"]}, "network", "catnip"),
    ({402: ["2001:db8::/32"]}, "network", "catnip"),
    ({403: ["HEAD"]}, "method", "catm"),
]


@pytest.mark.parametrize(("claims", "reason", "claim"), FAILS)
def test_fails(claims, reason, claim):
    assert verdict(claims) == (reason, claim)


MALFORMED = [
    ({401: {}}, "catu"),
    ({401: {2: {}}}, "catu"),
    ({401: {4: {1: "/"}}}, "catu"),
    ({401: {2: {4: "/"}}}, "catu"),
    ({401: {2: {1: ""}}}, "catu"),
    ({401: {2: {1: []}}}, "catu"),
    ({401: {2: {1: ["/live/", 7]}}}, "catu"),
    ({401: {2: {1: "/live/", "1": "/vod/"}}}, "catu"),
    ({401: {2: "x"}}, "catu"),
    ({401: "x"}, "catu"),
    ({402: []}, "catnip"),
    ({402: "192.0.2.7"}, "catnip"),
    ({402: ["192.0.2.7/24"]}, "catnip"),
    ({402: ["192.0.2.0/33"]}, "catnip"),
    ({402: [7]}, "catnip"),
    ({403: []}, "catm"),
    ({403: "GET"}, "catm"),
    ({404: {1: "other"}}, "catr"),
    ({404: {3: "five"}}, "catr"),
    ({7: 5}, "cti"),
]


@pytest.mark.parametrize(("claims", "claim"), MALFORMED)
def test_malformed(claims, claim):
    assert verdict(claims) == ("claim_malformed", claim)


def test_an_unknown_address_is_unsupported():
    assert verdict({402: ["192.0.2.0/24"]}, ip=None) == ("claim_unsupported", "catnip")


def test_both_spellings_of_one_label_are_malformed():
    assert verdict({403: ["GET"], "403": ["GET"]}) == ("malformed", None)


def test_other_profiles_refuse_these_labels():
    """CAT-63."""
    for profile in ("cta", "akamai", "quicr"):
        for label in (401, 402, 403, 404):
            found = verdict({label: ["GET"]}, cat.Options(profile=profile))
            assert found == ("claim_contested", str(label))
    assert verdict({7: "4f2a"}, cat.Options()) == ("claim_malformed", "cti")


def test_uses_are_not_counted_so_nothing_is_renewed():
    token = cat.issue(
        {"exp": 1030, 404: {1: "header_renewal", 2: 900}}, KEYS.signer(), profile="cloudfront-docs"
    )
    mint = cat.Mint(KEYS)
    found = cat.verify(token, cat.Context(**ASKED), KEYS, OPTIONS, mint=mint)
    assert found.accept and found.renew is None


ALTITUDE = cat.issue({"exp": 2000, 318: [100, 5]}, KEYS.signer())


@pytest.mark.parametrize(
    ("alt", "reason"), [(95, "ok"), (105.0, "ok"), (94.9, "geo"), (None, "claim_unsupported")]
)
def test_altitude_is_judged_where_it_is_known(alt, reason):
    """CAT section 3, catgeoalt."""
    context = cat.Context(**ASKED, alt=alt)
    assert cat.verify(ALTITUDE, context, KEYS).reason == reason
