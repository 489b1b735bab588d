"""Random tokens and requests: the standing verifier and the reference give one verdict, with
renewals, answers and lists (CAT-100). `HEADWATER_FUZZ__COUNT` and `HEADWATER_FUZZ__SEED` make the
run longer and other.
"""

import os
import random
from collections import Counter

import pytest

import cat
from cat import cose
from cat.cbor import Tag, encode
from cat.text import from_text, to_text
from native.crypto import Mac

COUNT = int(os.environ.get("HEADWATER_FUZZ__COUNT", "20000"))
SEED = int(os.environ.get("HEADWATER_FUZZ__SEED", "5007"))
KEYS = cat.KeySet.from_json([cat.generate("HS256", "k"), cat.generate("HS256", "k2")])
KEY = KEYS.signer("k")
MAC = Mac(KEY.secret)
MINT = cat.Mint(KEYS, "us", entropy=bytes)
NOW = 1_000_000
HOST = "https://cdn.example"
PATHS = ["/live/a.m3u8", "/live/v1/7.m4s", "/vod/x", "/", "/live/%2e%2e/x", "/a;b//c", "/%2F", "/é"]


PATTERNS = ["^/live/", "(v[0-9])/", "(a|ab)c", "a**"]


def _pick(rng, values):
    """Mostly the first, which is right and common."""
    return values[0] if rng.random() < 0.8 else rng.choice(values)


def _matches(rng):
    value = _pick(rng, ["/live/", ".m4s", "cdn.example", "/live/v1", "a", "live", "https", ""])
    return {
        rng.choice([1, 1, 0, 2, 3]): value
        if rng.random() < 0.98
        else _pick(rng, [b"", 7, "é", ("a+", None)])
        for _ in range(_pick(rng, [1, 1, 2]))
    } | (
        {4: (_pick(rng, ["^/live/", "(v[0-9])/", "(a|ab)c", "a**"]),)} if rng.random() < 0.2 else {}
    )


CLAIMS = {
    1: lambda rng: _pick(rng, ["me", "you", b"me", ""]),
    2: lambda rng: _pick(rng, ["viewer", "a@b.example", 7]),
    3: lambda rng: _pick(rng, ["edge", ("edge", "x"), ("x",), (), b"edge"]),
    4: lambda rng: NOW + _pick(rng, [30, 0, 0.5, 1, 59, 60, 61, 3600, -1, 2**53]),
    5: lambda rng: NOW + _pick(rng, [-60, 0, 0.5, 1]),
    6: lambda rng: NOW + _pick(rng, [-60, 600, -0.5]),
    7: lambda rng: _pick(rng, [b"1", b"2", b"", "1"]),
    8: lambda rng: _pick(rng, [{323: bytes(32)}, {3: b"x"}, {}, 7]),
    282: lambda rng: _pick(rng, ["u6sc", ("u6sc", "gc"), "x", "U6", ()]),
    308: lambda rng: _pick(rng, [0, 1, 2, 3, 0.0]),
    309: lambda rng: _pick(rng, [(0, 1), (1, 1), (0.5, 7), (0.5, b"x", NOW), (2, 1), "x"]),
    310: lambda rng: _pick(rng, [1, 1, 1, 2, 0, "1"]),
    311: lambda rng: tuple(
        _pick(rng, [64500, (1, 9), Tag(52, (24, b"\xc0\0\2")), Tag(54, (32, b"\x20\1")), (9, 1)])
        for _ in range(_pick(rng, [1, 1, 2, 0]))
    ),
    312: lambda rng: {
        rng.choice([*[3] * 9, *range(10)]): _matches(rng) for _ in range(_pick(rng, [1, 1, 2, 0]))
    },
    313: lambda rng: _pick(rng, [("GET",), ("GET", "HEAD"), ("POST",), (), "GET", ("g t",)]),
    314: lambda rng: _pick(rng, [(b"h2",), (b"h3", b"h2"), ("h2",), ()]),
    315: lambda rng: {_pick(rng, ["User-Agent", "x-a", "b c"]): _matches(rng)},
    316: lambda rng: _pick(rng, [("SE",), ("se-ab",), ("DE", "NO"), (), "SE"]),
    317: lambda rng: _pick(rng, [((59.33, 18.06, 5000),), (59, 18, 10), ((91, 0, 1),)]),
    320: lambda rng: _pick(rng, ["x", ("x", "y"), 7]),
    321: lambda rng: _pick(rng, [{0: 60}, {}, 7]),
    322: lambda rng: _pick(
        rng,
        [
            {4: (307, {"Location": "https://l.example/"}, b"k")},
            {(4, 313, 312): (302, {"Location": ("https://l/?CAT=", {1: None, 4: NOW})}, b"k")},
            {312: (200,)},
            {},
        ],
    ),
    323: lambda rng: (
        {0: rng.choice([0, 1, 2, 3, 2, 4]), 1: _pick(rng, [600, 30, 0, 0.5])}
        | ({2: _pick(rng, [30, 0, 29, 31, -5, 29.5, NOW * 2000])} if rng.random() < 0.5 else {})
    ),
    324: lambda rng: 1,
    999: lambda rng: _pick(rng, [1, ((),), {}, True, None, 1.0]),
}
COMMON = (1, 3, 4, 7, 312, 313, 323)


def _token(rng):
    labels = {label for label in COMMON if rng.random() < 0.6}
    labels |= set(rng.sample(sorted(CLAIMS), rng.choice([0, 0, 0, 1, 2])))
    payload = bytearray(encode({label: CLAIMS[label](rng) for label in labels}))
    if rng.random() < 0.05:
        payload[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)
    protected, kid = b"\xa1\x01\x05", rng.choice([b"k"] * 18 + [b"k2", b"x"])
    made = MAC.digest(cose.sealed_structure(17, protected, bytes(payload)))
    data = bytearray(cose.build(17, protected, kid, bytes(payload), made))
    if rng.random() < 0.05:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return to_text(bytes(data))


def _request(rng, token):
    uri = HOST + rng.choice(PATHS)
    headers = {"user-agent": rng.choice(["/live/", "a", "player"])}
    way = rng.randrange(4)
    if way == 0:
        uri += f"?CAT={token}&x=1"
    elif way == 1:
        headers["cookie"] = f"cta-common-access-token={token}"
    elif way == 2:
        headers["cta-common-access-token"] = token
    return {
        "uri": uri,
        "now": NOW + rng.choice([0, 0, 0, 0.5, 31]),
        "method": rng.choice(["GET", "GET", "HEAD", "POST"]),
        "ip": rng.choice(["192.0.2.7", "198.51.100.1", "2001:db8::1", "::ffff:192.0.2.9", None]),
        "asn": rng.choice([64500, 5, None]),
        "country": rng.choice(["SE-AB", "DE", None]),
        "lat": rng.choice([59.33, None]),
        "lon": 18.06,
        "alpn": rng.choice(["h2", "h3", None]),
        "headers": headers,
    }


def _options(rng):
    return cat.Options(
        profile=rng.choice(["cta", "cta", "cta", "akamai", "quicr"]),
        issuers=rng.choice([(), ("me",)]),
        audiences=("edge",),
        skew_s=rng.choice([0, 0, 30]),
        require=rng.choice([(), ("exp",)]),
        foreign=rng.choice(["ignore", "ignore", "reject"]),
        privacy=rng.choice(["off", "off", "reject"]),
        settled=rng.random() < 0.2,
        query_ignore=rng.choice([(), ("x",)]),
        encoded_slash=rng.choice(["refuse", "allow"]),
    )


def _lists(rng):
    listed = cat.Revocations()
    if rng.random() < 0.5:
        listed.revoke(*rng.choice([("cti", b"1"), ("sub", "viewer"), ("use", "me", b"2")]))
    if rng.random() < 0.2:
        listed.revoke_before("you", NOW)
    if rng.random() < 0.3:
        return cat.Snapshot(listed.snapshot(NOW), max_age_s=rng.choice([10, 100]))
    return rng.choice([listed, None])


@pytest.mark.slow
def test_random_tokens_have_one_verdict():
    rng = random.Random(SEED)
    reasons, renewed, answered = Counter(), 0, 0
    for round_ in range(COUNT // 50):
        options, listed = _options(rng), _lists(rng)
        mint = rng.choice([MINT, None])
        standing = cat.Verifier(KEYS, options, most=16, mint=mint, revoked=listed)
        tokens = [_token(rng) for _ in range(10)]
        for number in range(50):
            token = rng.choice(tokens)
            asked = _request(rng, token)
            said = cat.verify(token, cat.Context(**asked), KEYS, options, mint=mint, revoked=listed)
            here = standing.verify(token, cat.Context(**asked))
            assert here == said, (SEED, round_, number, token, asked, options)
            assert (here.pending is None) == (said.pending is None)
            reasons[said.reason] += 1
            renewed += said.renew is not None
            answered += said.respond is not None
            if number == 25 and isinstance(listed, cat.Revocations):
                listed.revoke("cti", b"2")
    print(f"{sum(reasons.values())} verdicts, seed {SEED}: {dict(reasons)}")
    assert reasons["ok"] > COUNT // 50 and renewed > COUNT // 500 and answered
    assert set(reasons) >= {"revoked", "uri", "method", "claim_malformed", "signature", "store"}


@pytest.mark.slow
def test_random_octets_crash_nothing():
    """Any text and any octets behind a good head get a verdict of their own."""
    rng = random.Random(SEED)
    standing = cat.Verifier(KEYS, most=16, mint=MINT)
    good = from_text(cat.issue({"exp": NOW + 60, "catm": ["GET"]}, KEY))
    said, asked = cose.parse(good).claims, cat.Context(HOST + "/live/a", NOW)
    for _ in range(COUNT):
        data = bytearray(good[: rng.randrange(len(good))] + rng.randbytes(rng.randrange(40)))
        if rng.random() < 0.5:
            data = bytearray(good)
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        verdict = standing.verify(to_text(bytes(data)), asked)
        assert not verdict.accept or verdict.claims == said  # a kid that is gone is no harm (CAT-8)
