"""Proof of possession at the edges that verify signatures, beside the library (CAT-80..CAT-84)."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

import cat
from cat.dpop import thumbprint
from cat.text import to_text
from headwater.edge import build
from headwater.edge.stand_ins import run

SOURCES = Path(__file__).parents[2] / "edge_scripts"
NOW = 1_700_000_000
KEY = cat.generate("HS256", "demo")
KEYS = cat.KeySet.from_json([KEY])
CLIENTS = {
    "ES256": {**cat.generate("ES256", "es"), "kty": "EC", "crv": "P-256"},
    "PS256": {**cat.generate("PS256", "ps"), "kty": "RSA"},
}
PUBLIC = {"ES256": ("kty", "crv", "x", "y"), "PS256": ("kty", "n", "e")}
GOOD = {"htm": "GET", "htu": "https://cdn.example/live/a.m3u8", "iat": NOW, "jti": "one"}

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def public(alg):
    return {name: CLIENTS[alg][name] for name in PUBLIC[alg]}


def proof(alg="ES256", head=(), body=(), text=None):
    """A compact JWS; `text` is its body where no dict can say it."""
    header = {"typ": "dpop+jwt", "alg": alg, "jwk": public(alg), **dict(head)}
    claims = text or json.dumps({**GOOD, **dict(body)})
    signed = f"{to_text(json.dumps(header).encode())}.{to_text(claims.encode())}"
    key = cat.KeySet.from_json([CLIENTS[alg]]).signer()
    return f"{signed}.{to_text(key.algorithm.seal(key.secret, signed.encode()))}"


TOKEN = cat.issue(
    {"exp": NOW + 60, "cnf": {323: thumbprint(public("ES256"), "ES256")}}, KEYS.signer()
)
CASES = {
    "good": (TOKEN, proof()),
    "PS256": (
        cat.issue(
            {"exp": NOW + 60, "cnf": {323: thumbprint(public("PS256"), "PS256")}}, KEYS.signer()
        ),
        proof("PS256"),
    ),
    "none": (TOKEN, None),
    "rubbish": (TOKEN, "a.b.c"),
    "two": (TOKEN, f"{proof()}, {proof()}"),
    "another's key": (TOKEN, proof("PS256")),
    "a bit turned": (TOKEN, proof()[:-4] + "AAAA"),
    "typ": (TOKEN, proof(head={"typ": "jwt"})),
    "alg none": (TOKEN, proof(head={"alg": "none"})),
    "crit": (TOKEN, proof(head={"crit": ["x"]})),
    "private key": (TOKEN, proof(head={"jwk": {**public("ES256"), "d": "x"}})),
    "method": (TOKEN, proof(body={"htm": "HEAD"})),
    "place": (TOKEN, proof(body={"htu": "https://cdn.example/live/b.m3u8"})),
    "place with query": (TOKEN, proof(body={"htu": GOOD["htu"] + "?a=1"})),
    "old": (TOKEN, proof(body={"iat": NOW - 301})),
    "edge of the window": (TOKEN, proof(body={"iat": NOW + 300})),
    "time as text": (TOKEN, proof(body={"iat": str(NOW)})),
    "no jti": (TOKEN, proof(body={"jti": ""})),
    "ath": (
        TOKEN,
        proof(body={"ath": to_text(hashlib.sha256(TOKEN.encode()).digest())}),
    ),
    "ath of another": (TOKEN, proof(body={"ath": to_text(bytes(32))})),
    "a name twice": (TOKEN, proof(text=json.dumps(GOOD)[:-1] + ', "jti": "two"}')),
    "a short window": (
        cat.issue(
            {
                "exp": NOW + 60,
                "cnf": {323: thumbprint(public("ES256"), "ES256")},
                "catdpop": {0: 5},
            },
            KEYS.signer(),
        ),
        proof(body={"iat": NOW - 6}),
    ),
}


def python(token, given):
    headers = {} if given is None else {"dpop": given}
    context = cat.Context(uri=GOOD["htu"], now=NOW, headers=headers, method="GET")
    return cat.verify(token, context, KEYS, cat.Options()).reason


@pytest.mark.parametrize("platform", ["akamai", "lambda"])
def test_proofs_get_one_verdict(platform):
    (bundle,) = build(platform, lambda path: (SOURCES / path).read_text(), {})
    drawn = [
        {
            "request": {
                "method": "GET", "scheme": "https", "host": "cdn.example", "path": "/live/a.m3u8",
                "query": f"CAT={token}", "headers": {} if given is None else {"dpop": given},
                "ip": "192.0.2.1", "now": NOW,
            },
            "stores": {"keys": json.dumps([KEY])},
        }
        for token, given in CASES.values()
    ]  # fmt: skip
    found = run(platform, bundle, drawn, SOURCES)
    for (name, case), answer in zip(CASES.items(), found, strict=True):
        assert answer["headers"].get("cat-reason", "ok") == python(*case), name
    accepted = {name for name, case in CASES.items() if python(*case) == "ok"}
    assert accepted >= {"good", "PS256", "edge of the window", "ath"}
    refused = found[list(CASES).index("none")]
    assert refused["headers"]["www-authenticate"] == 'DPoP error="invalid_dpop_proof"'
