"""What each edge can evaluate, found by running one token a claim on each stand-in (E-60):

`python -m headwater.edge.table > docs/edges.md`, and with `js` for the console's page of tokens:
`python -m headwater.edge.table js > headwater/console/static/edges.js`
"""

import json
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA512_256, Hash

import cat
from cat import cbor
from cat.dpop import thumbprint
from cat.tables import LABELS
from cat.text import to_text
from headwater.edge.build import build
from headwater.edge.deploy import edge_keys
from headwater.edge.platforms import PLATFORMS
from headwater.edge.stand_ins import run

NOW: Final = 1_700_000_000
SOURCES: Final = Path(__file__).parents[2] / "edge_scripts"
SECRET: Final = {"kid": "k", "alg": "HS256", "k": to_text(bytes(range(32)))}
REQUEST: Final = {
    "method": "GET", "scheme": "https", "host": "cdn.example", "path": "/live/one/a.m3u8",
    "query": "", "headers": {"user-agent": "tv/1"}, "ip": "192.0.2.1", "asn": 7, "alpn": "h2",
    "country": "SE-AB", "lat": 59.33, "lon": 18.06, "now": NOW,
}  # fmt: skip
_CLIENT: Final = cat.generate("ES256", "client")
_CLIENT_JWK: Final = {"crv": "P-256", "kty": "EC", "x": _CLIENT["x"], "y": _CLIENT["y"]}


def _proof() -> str:
    """Of possession of the client's key, for the request above (RFC 9449, 4.2)."""
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": _CLIENT_JWK}
    where = f"{REQUEST['scheme']}://{REQUEST['host']}{REQUEST['path']}"
    body = {"htm": REQUEST["method"], "htu": where, "iat": NOW, "jti": "one"}
    text = ".".join(to_text(json.dumps(part).encode()) for part in (head, body))
    key = cat.KeySet.from_json([_CLIENT]).signer()
    assert key.secret is not None
    return f"{text}.{to_text(key.algorithm.seal(key.secret, text.encode()))}"


# What differs from the request above in a row's.
OTHERWISE: Final[Mapping[str, Mapping[str, Any]]] = {
    "catalpn, HTTP/3": {"alpn": "h3"},
    "cnf": {"headers": {"dpop": _proof()}},
}


def _short(data: bytes) -> bytes:
    """SHA-512/256 (FIPS 180-4, 5.3.6.2)."""
    digest = Hash(SHA512_256())
    digest.update(data)
    return digest.finalize()


# A claim that the request above meets, where the platform can tell.
PROBES: Final[Mapping[str, Mapping[str | int, Any]]] = {
    "catv": {"catv": 1},
    "nbf": {"nbf": NOW - 1},
    "exp": {},
    "iss": {"iss": "me"},
    "aud": {"aud": "here"},
    "sub": {"sub": "viewer"},
    "catm": {"catm": ["GET"]},
    "catu": {"catu": {"path": {"prefix": "/live/"}}},
    "catu, SHA-256": {"catu": {"scheme": {"sha256": sha256(b"https").digest()}}},
    "catu, SHA-512/256": {"catu": {"scheme": {"sha512_256": _short(b"https")}}},
    "catu, regular expression": {"catu": {"path": {"regex": ["live"]}}},
    "catalpn": {"catalpn": [b"h2"]},
    "catalpn, HTTP/3": {"catalpn": [b"h3"]},
    "cath": {"cath": {"user-agent": {"prefix": "tv"}}},
    "catnip, address": {"catnip": [cbor.Tag(52, (24, b"\xc0\x00\x02"))]},
    "catnip, ASN": {"catnip": [7]},
    "geohash": {"geohash": "u6sc"},
    "catgeoiso3166": {"catgeoiso3166": ["SE"]},
    "catgeocoord": {"catgeocoord": [(59.3, 18.0, 20_000)]},
    "catgeoalt": {LABELS["catgeoalt"]: (10, 20)},
    "cattpk": {"cattpk": b"spki"},
    "cnf": {"cnf": {323: thumbprint(_CLIENT_JWK, "ES256")}},
    "catpor, p = 0": {"catpor": (0, 1)},
    "catpor, 0 < p < 1": {"catpor": (0.5, 1)},
    "catreplay 1": {"catreplay": 1},
    "iat": {"iat": NOW},
    "cti": {"cti": b"id"},
    "catifdata": {"catifdata": "x"},
    "catif": {"catif": {4: (302, {}, "k")}},
    "catr": {"catr": {0: 2, 1: 3600}},
}  # fmt: skip
ALGORITHMS: Final = ("HS256", "ES256", "PS256")


def main() -> None:
    """Print the page, or the script."""
    shown = script if sys.argv[1:] == ["js"] else page
    sys.stdout.write(shown({name: probe(name) for name in PLATFORMS}))


def probe(platform: str) -> dict[str, bool]:
    """Whether the platform's stand-in lets each row's token through."""
    keys: list[dict[str, Any]] = [
        dict(SECRET),
        *(cat.generate(alg, alg) for alg in ALGORITHMS[1:]),
    ]
    held = cat.KeySet.from_json(keys)
    rows = {alg: cat.issue({"exp": NOW + 60}, held.signer(kid)) for alg, kid in _kids().items()}
    rows |= {
        name: cat.issue({"exp": NOW + 60, **claims}, held.signer("k"))
        for name, claims in PROBES.items()
    }
    stores = {"keys": json.dumps(edge_keys(keys))}
    cases = [
        {
            "request": {**REQUEST, "query": f"CAT={token}", **OTHERWISE.get(row, {})},
            "stores": stores,
        }
        for row, token in rows.items()
    ]
    settings: dict[str, Any] = {"audiences": ["here"]}
    if platform == "fastly":  # the config store has them, so that one wasm serves all
        stores["settings"], settings = json.dumps(settings), {}
    (bundle, *_) = build(platform, lambda path: (SOURCES / path).read_text(), settings)
    answers = run(platform, bundle, cases, SOURCES)
    return dict(zip(rows, ("status" not in answer for answer in answers), strict=True))


def _kids() -> dict[str, str]:
    return {"HS256": "k", **{alg: alg for alg in ALGORITHMS[1:]}}


def page(found: Mapping[str, Mapping[str, bool]]) -> str:
    """Markdown: a row a claim, a column a platform."""
    names = list(found)
    rows = list(found[names[0]])
    lines = [
        "# What each edge can evaluate",
        "",
        "Generated by `python -m headwater.edge.table`: one token a row, run on each platform's",
        "local stand-in with the default bundle. A token with a claim marked no is refused there.",
        "",
        _line(["", *names]),
        _line(["---"] * (len(names) + 1)),
        *(_line([row, *("yes" if found[n][row] else "no" for n in names)]) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def script(found: Mapping[str, Mapping[str, bool]]) -> str:
    """The platforms that evaluate each row, as a module of JavaScript."""
    rows = {row: [name for name in found if found[name][row]] for row in next(iter(found.values()))}
    listed = [f"  {json.dumps(row)}: {json.dumps(names)}," for row, names in rows.items()]
    head = "// Generated by `python -m headwater.edge.table js`: which edges evaluate a claim."
    return "\n".join([head, "export const EDGES = {", *listed, "};", ""])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
