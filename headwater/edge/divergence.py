"""Random tokens and requests on which every implementation has to agree: valid ones, ones on a
boundary, broken ones, by every transport, with every claim of the table (E-29, E-60).

`draw` makes a case from a seeded generator; `needs` says which rows of docs/edges.md its token asks
of an edge.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import cat
from cat import cbor
from cat.cose import build as envelope
from cat.cose import sealed_structure
from cat.keys import KeySet
from cat.tables import ALGORITHMS, PROFILES
from cat.text import to_text

NOW: Final = 1_000_000
LONG_CHARS: Final = 6_000  # over a token's 4,096, within the platforms' URLs of 8,192
DIGEST: Final = bytes.fromhex("b2e9e2a1e4c6f3f6c9b7c2c5a1f4a7d7b9f0c1d2e3f4a5b6c7d8e9f0a1b2c3d4")
_BRANCHES: Final[tuple[Mapping[cbor.Value, cbor.Value], ...]] = (
    {313: ("GET",)},
    {316: ("SE",)},
    {4: NOW - 1},
    {312: {3: {1: "/live/"}}},
    {311: (7,)},
    {1: "me"},
)
# Forms of each claim: right ones, then boundaries, then wrong ones.
VALUES: Final[Mapping[int, tuple[Any, ...]]] = {
    1: ("me", "you", "", 7),
    2: ("viewer", "", b"viewer"),
    3: ("here", ("here", "there"), "there", (), 5),
    4: (NOW + 1000, NOW + 1000.5, NOW + 1, NOW, NOW + 0.25, NOW - 1, 0, -1, 2**60, "x",
        float(NOW + 9)),
    5: (0, NOW, NOW - 0.5, NOW + 1, NOW + 0.25, 1.5, "x"),
    6: (1, NOW, 9e9, "x"),
    7: (b"id", b"", bytes(64), "id"),
    8: ({323: bytes(32)}, {3: bytes(32)}, {}, {323: b"x"}, 1),
    282: ("u6sce", ("u6", "9q"), "9q", "u", "u6sceu6sceu6", "a", (), "u6sceu6sceu6s"),
    308: (0, 1, 2, 3, -1, "1"),
    309: ((0, 1), (1, b"x", NOW + 5), (1, 1, NOW - 5), (0.5, 1), (2, 1), (-0.5, 1), ("0", 1), (0,)),
    310: (1, 2, 0, -1, "1"),
    311: (
        (cbor.Tag(52, b"\xc0\0\2\1"),), (cbor.Tag(52, b"\xc0\0\2\2"),), (cbor.Tag(52, (24,
        b"\xc0\0\2")),),
        (cbor.Tag(52, (24, b"\xc0\0\2\0")),), (cbor.Tag(54, (32, b"\x20\x01\x0d\xb8")),),
        ((64496, 64511), 7), (7,), (8,), (cbor.Tag(52, (0, b"")),), (cbor.Tag(52, (25,
        b"\xc0\0\2\1")),),
        (cbor.Tag(52, (33, b"")),), (cbor.Tag(52, b"\xc0\0\2"),), (cbor.Tag(53, b""),), ((9, 7),),
        (), 7,
    ),
    312: (
        {3: {1: "/live/"}}, {3: {1: "/live/", 2: ".m3u8"}}, {3: {2: ".mpd"}}, {3: {3: "demo"}},
        {0: {0: "https"}, 1: {0: "CDN.example"}}, {1: {0: "cdn.example"}}, {2: {0: ""}},
        {2: {0: "443"}},
        {4: {0: "q=1"}}, {4: {0: ""}}, {5: {0: "/live/demo"}}, {5: {0: "/"}}, {6: {3: "a"}},
        {6: {0: "a.m3u8"}},
        {7: {0: "a"}}, {8: {0: ".m3u8"}}, {8: {0: "m3u8"}}, {3: {-1: DIGEST}}, {3: {-2: DIGEST}},
        {3: {4: ("live",)}}, {3: {4: ("(a+)+$",)}}, {3: {4: ("^/(live)/", "live")}}, {3: {}}, {},
        {9: {0: "x"}}, {3: {5: "x"}}, {3: {1: ""}}, {3: "x"},
    ),
    313: (("GET",), ("GET", "HEAD"), ("HEAD", "POST"), ("get",), (), ("G ET",), "GET",
        ("GET",) * 50, ("GET",) * 51),
    314: ((b"h2",), (b"h3",), (b"http/1.1", b"h2"), ("h2",), (), (b"h2",) * 51),
    315: (
        {"User-Agent": {1: "moz"}}, {"user-agent": {0: "mozilla/5"}}, {"x-none": {0: "a"}},
        {"user-agent": {1: "moz", 2: "6"}}, {"user-agent": {3: "Mozilla"}}, {}, {"a b": {0: "x"}},
        {"x": {}},
    ),
    316: (("SE",), ("se-ab",), ("SE-AB", "NO"), ("US-CA",), ("SWE", "US"), (), "SE", ("SE",) * 251),
    317: (
        ((59.3, 18.0, 1000),), ((59.3, 18.0, 20_000),), ((0, 0, 10), (59, 18, 100_000)), (59.3,
        18.0, 20_000),
        ((91, 0, 1),), ((0, 181, 1),), ((0, 0, -1),), ((0, 0),), (),
    ),
    318: ((10, 20), (10,), "10"),
    319: (b"spki", "spki"),
    320: ("x", ("x", "y"), 7),
    321: ({0: 300}, {0: 0}, {-1: (1,)}, 1),
    322: ({4: (302, {"Location": "https://a.example/"}, "demo")}, {4: (302,)}, {4: (200, {},
        "demo")}, {}, 1),
    323: ({0: 2, 1: 60}, {0: 0, 1: 60, 2: 30}, {0: 9, 1: 60}, {0: 1, 1: 60, 3: "na me"}, {1: 1},
        {0: 2, 1: 0}),
    41: (({4: NOW + 1000},), (_BRANCHES[2], _BRANCHES[0]), (), ({323: {0: 2, 1: 60}},)),
    42: ((_BRANCHES[2],), (_BRANCHES[0],), ({1: "you"},)),
    43: ((_BRANCHES[0], _BRANCHES[3]), (_BRANCHES[0], _BRANCHES[2]), ()),
    45: ((312,), (4,), (), (99999,)),
    324: (({313: ("GET",)},), ({4: NOW - 1},)),
    325: (({4: NOW - 1},), ({313: ("GET",)},)),
    326: (({313: ("GET",)}, {4: NOW + 1000}),),
    401: ({1: {3: "cdn.example"}},),
    402: (("192.0.2.1",),),
    999: (None, True, 1.25),
}  # fmt: skip
_PLAIN: Final = (1, 2, 3, 4, 5, 6, 7, 282, 310, 311, 312, 313, 314, 315, 316, 317, 320, 323)
SEALS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "short": lambda seal: seal[:-1],
    "long": lambda seal: seal + b"\0",
    "none": lambda seal: b"",
    "zero": lambda seal: bytes(len(seal)),
}
# What can be wrong with an envelope, and the forms of it.
BREAKS: Final[Mapping[str, Sequence[Any]]] = {
    "alg": ({}, {1: 4}, {1: -7}, {1: 5}, {1: 5, 2: (99,)}, {1: -37}),
    "bit": range(1 << 15),
    "cut": range(1 << 12),
    "kid": (b"none", b"", *(name.encode() for name in ALGORITHMS)),
    "order": (None,),
    "seal": tuple(SEALS),
    "tag": (None,),
    "tail": (None,),
}
PATHS: Final = (
    "/live/demo/a.m3u8", "/live/demo/a.m3u8", "/live/%64emo/../x", "/live/demo/%2e%2E/x", "/",
        "//a;b/c",
    "/live/%2Fa", "/live/%5c", "/a/%zz", "/live/./demo//f.tar.gz", "/live/demo/noext",
        "/LIVE/demo/a.m3u8",
)  # fmt: skip
HOSTS: Final = (
    "cdn.example", "cdn.example", "CDN.example.", "[2001:db8::1]", "cdn.example:443", "h:99",
)  # fmt: skip
ADDRESSES: Final = ("192.0.2.1", "192.0.2.77", "2001:db8::5", "198.51.100.7")
TRANSPORTS: Final = ("header", "query", "path", "segment", "cookie")


@dataclass(frozen=True, slots=True)
class Drawn:
    """`claims` by label, `alg` of the key; `forged`: bytes were changed after sealing."""

    claims: Mapping[int, Any]
    alg: str
    forged: bool
    token: str
    request: Mapping[str, Any]


@cache
def members() -> tuple[Mapping[str, Any], ...]:
    """One key of each algorithm, as JWK; the same in every run of a process."""
    secret = {"kid": "HS256", "alg": "HS256", "k": to_text(bytes(range(32)))}
    return secret, *(cat.generate(alg, alg) for alg in ALGORITHMS if alg != "HS256")


@cache
def keys() -> KeySet:
    return KeySet.from_json(list(members()))


def draw(rng: random.Random) -> Drawn:
    """One token in one request."""
    claims = _claims(rng)
    alg = rng.choices(("HS256", "ES256", "PS256"), (16, 3, 1))[0]
    forged = rng.random() < 0.15
    how = rng.choice(list(BREAKS)) if forged else ""
    token = to_text(sealed(claims, alg, how, rng.choice(BREAKS[how]) if forged else None))
    if rng.random() < 0.02:
        token = rng.choice(
            (token + "=", token + "A", token[:-1], "+" + token[1:], (token * 20)[:LONG_CHARS], "")
        )
        forged = True
    return Drawn(claims, alg, forged, token, _request(token, rng))


def _claims(rng: random.Random) -> dict[int, Any]:
    from_all = rng.random() < 0.4
    labels = rng.sample(list(VALUES) if from_all else _PLAIN, rng.randrange(0, 4))
    claims: dict[int, Any] = {} if rng.random() < 0.03 else {4: NOW + 1000}
    for label in labels:
        forms = VALUES[label]
        claims[label] = rng.choice(forms[: rng.choice((1, 2, 3, len(forms)))])
    return claims


def sealed(claims: Mapping[int, Any], alg: str, how: str = "", form: Any = None) -> bytes:
    """A token of these claims; `how` and `form` say what is wrong with it, by `BREAKS`."""
    key = keys().signer(alg)
    assert key.secret is not None
    payload = cbor.encode(dict(claims))
    head = cbor.encode(form if how == "alg" else {1: ALGORITHMS[alg]})
    tag = (17 if alg == "HS256" else 18) ^ (3 if how == "tag" else 0)
    if how == "order":
        payload = payload[:1] + payload[1:][::-1]
    seal = key.algorithm.seal(key.secret, sealed_structure(tag, head, payload))
    seal = SEALS[form](seal) if how == "seal" else seal
    data = bytearray(envelope(tag, head, form if how == "kid" else alg.encode(), payload, seal))
    if how == "bit":
        data[form // 8 % len(data)] ^= 1 << form % 8
    elif how == "tail":
        data += b"\0"
    elif how == "cut":
        del data[1 + form % (len(data) - 1) :]
    return bytes(data)


def _request(token: str, rng: random.Random) -> dict[str, Any]:
    path, query = rng.choice(PATHS), rng.choice(("", "q=1", "a=2&q=1", "q=1&CMCD=bl%3D1"))
    headers = {"user-agent": "mozilla/5"} if rng.random() < 0.7 else {}
    if rng.random() < 0.05:
        headers["dpop"] = "x.y.z"
    for way in rng.sample(TRANSPORTS, 1 if rng.random() < 0.9 else 2):
        value = token if rng.random() < 0.97 else rng.choice(("abc", "", token[:-8]))
        if way == "header":
            headers["cta-common-access-token"] = value
        elif way == "query":
            query = "&".join(filter(None, (query, f"{rng.choice(('CAT', 'cat'))}={value}")))
        elif way == "cookie":
            headers["cookie"] = f"k=v; cta-common-access-token={value}"
        else:
            path = f"/{'cat:' if way == 'path' else ''}{value}{path}"
    asked: dict[str, Any] = {
        "method": rng.choice(("GET", "GET", "HEAD")),
        "scheme": rng.choice(("https", "https", "http")),
        "host": rng.choice(HOSTS), "path": path, "query": query, "headers": headers,
        "now": rng.choice((NOW, NOW, NOW + 0.25, NOW + 1)), "ip": rng.choice(ADDRESSES),
    }  # fmt: skip
    known = {
        "country": ("SE", "SE-AB", "US-CA"),
        "alpn": ("h2", "h2", "h3"),
        "asn": (7, 64500),
    }
    asked |= {name: rng.choice(some) for name, some in known.items() if rng.random() < 0.7}
    if rng.random() < 0.7:
        asked |= {"lat": 59.33, "lon": 18.06}
    if asked["scheme"] == "http":
        asked.pop("alpn", None)  # it is negotiated in TLS
    return asked


_COMPOSITIONS: Final = frozenset({41, 42, 43, 324, 325, 326})
_MATCHES: Final = {-1: "SHA-256", -2: "SHA-512/256", 4: "regular expression"}
_NAMES: Final = {
    label: claim.name for profile in PROFILES.values() for label, claim in profile.claims.items()
}


def needs(drawn: Drawn) -> frozenset[str]:
    """Rows of docs/edges.md that an edge has to have for this token, and names of other claims."""
    return frozenset({drawn.alg, *_rows(drawn.claims, drawn.request)})


def _rows(claims: Mapping[Any, Any], asked: Mapping[str, Any]) -> set[str]:
    rows: set[str] = set()
    for label, value in claims.items():
        name = _NAMES.get(label, "")
        rows |= {name} if name else set()
        if label in _COMPOSITIONS and isinstance(value, tuple):
            for inner in value:
                rows |= _rows(inner, asked)
        elif name in ("catu", "cath") and isinstance(value, dict):
            forms = [form for tests in value.values() if isinstance(tests, dict) for form in tests]
            rows |= {f"catu, {_MATCHES[form]}" for form in forms if form in _MATCHES}
        elif name == "catnip":
            entries = value if isinstance(value, tuple) and value else (value,)
            rows |= {f"catnip, {'ASN' if isinstance(v, int) else 'address'}" for v in entries}
        elif name == "catpor":
            is_sure = isinstance(value, tuple) and value[0] in (0, 1)
            rows.add("catpor, p = 0" if is_sure else "catpor, 0 < p < 1")
        elif name == "catreplay" and value != 0:
            rows = rows - {name} | {"catreplay 1"}
        elif name == "catalpn" and asked.get("alpn") != "h2":
            rows.add("catalpn, HTTP/3")
    return rows - {"catnip", "catpor"}
