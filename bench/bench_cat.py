"""Common Access Tokens in one process on one core (specs/cat.md CAT-130).

    python -m bench.bench_cat --json

The token carries every claim that an HTTP edge evaluates, in about the size of the anchor (CAT-10).
Every verification has a request of its own, so that the URI is cut each time. "cold" meets each
token for the first time, "seen" again (`cat.Verifier`), "reference" is `cat.verify`, which every
verdict agrees with; "raw" is the library's own ES256 verification; "signature" is a token with exp
and nbf only; "garbage_4kb" the dearest bytes known to be refused before the signature (CAT-120).
The peer is the `cwt` library, signature and times only, where it is installed.
"""

import importlib
import itertools
import os
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import cat
from bench import harness

NOW = 1_700_000_000
ROUND_S = 0.4
BATCH = 64
URI = "https://cdn.example/live/ch1/video/1234.m4s"
HEADERS = {"user-agent": "player/1.0"}
OPTIONS = cat.Options(issuers=("headwater",), audiences=("edge",))
TIMES: dict[str | int, Any] = {"exp": NOW + 3600, "nbf": NOW - 60}
CLAIMS: dict[str | int, Any] = {
    **TIMES,
    "iss": "headwater",
    "aud": "edge",
    "sub": "viewer-1",
    "iat": NOW - 60,
    "cti": bytes(range(16)),
    "catm": ["GET", "HEAD"],
    "catu": {"host": {"exact": "cdn.example"}, "path": {"prefix": "/live/", "suffix": ".m4s"}},
    "catalpn": [b"h2", b"http/1.1"],
    "cath": {"user-agent": {"prefix": "player/"}},
    "catnip": [64500, cat.cbor.Tag(52, (24, b"\xc0\x00\x02"))],
    "geohash": "u6sc",
    "catgeoiso3166": ["SE", "NO"],
    "catr": {0: 2, 1: 3600},
}


def request() -> cat.Context:
    """What an edge knows of one request."""
    return cat.Context(
        uri=URI,
        now=NOW,
        ip="192.0.2.7",
        asn=64500,
        country="SE-AB",
        lat=59.33,
        lon=18.06,
        alpn="h2",
        headers=HEADERS,
    )


def rate(work: Callable[[], object]) -> float:
    """Calls per second of processor time of one round: nobody else on the core counts."""
    done = 0
    started = time.thread_time()
    while (spent := time.thread_time() - started) < ROUND_S:
        for _ in range(BATCH):
            work()
        done += BATCH
    return done / spent


def accepted(verdict: cat.Verdict) -> None:
    if not verdict.accept:
        raise SystemExit(f"the bench's own token is refused: {verdict.reason} ({verdict.claim})")


def foreign(secret: bytes) -> tuple[str, Callable[[], object]] | None:
    """The `cwt` library on a token of its own making."""
    try:
        cwt = importlib.import_module("cwt")
    except ImportError:
        return None
    key = cwt.COSEKey.from_symmetric_key(alg="HS256", key=secret, kid="k1")
    now = int(time.time())
    token = cwt.encode({"iss": "headwater", "exp": now + 3600, "nbf": now - 60}, key)
    return "cwt", lambda: cwt.decode(token, keys=[key])


def measure() -> list[str]:
    """One line per case."""
    secret = os.urandom(32)
    members = cat.generate("HS256", "k1", lambda size: secret)
    keys = cat.KeySet.from_json([members, cat.generate("ES256", "k2"), cat.generate("PS256", "k3")])
    key = keys.signer("k1")
    full, short = cat.issue(CLAIMS, key), cat.issue(TIMES, key)
    garbage = full[:-8] + "AAAAAAAA"
    many = b"\xa1\x01\x98\xa0" + (b"\xa1\x00" * 6 + b"\x00") * 157  # maps beyond the limit of items
    dear = cat.text.to_text(cat.cose.build(17, b"\xa1\x01\x05", b"k1", many, bytes(32)))
    standing = cat.Verifier(keys, OPTIONS)
    cases: dict[str, Callable[[], object]] = {
        "hs256_cold": _cold(key, keys, 20_000),
        "hs256_seen": lambda: standing.verify(full, request()),
        "hs256_reference": lambda: cat.verify(full, request(), keys, OPTIONS),
        "es256_cold": _cold(keys.signer("k2"), keys, 1_000),
        "es256_raw": _raw(keys.signer("k2")),
        "ps256_cold": _cold(keys.signer("k3"), keys, 200),
        "forged": lambda: cat.verify(garbage, request(), keys, OPTIONS),
        "garbage_4kb": lambda: cat.verify(dear, request(), keys, OPTIONS),
        "issue": lambda: cat.issue(CLAIMS, key),
    }
    accepted(cat.verify(full, request(), keys, OPTIONS))
    lines = []
    for case, work in cases.items():
        value, _ = harness.alternate(lambda work=work: rate(work), lambda: 0)  # type: ignore[misc]
        lines.append(harness.line("cat", case, value, "1/s", None, None))
    return [*lines, _signature_row(short, keys, secret)]


def _cold(key: cat.Key, keys: cat.KeySet, count: int) -> Callable[[], object]:
    """Verifications of `count` tokens in turn by a verifier that has room for few of them."""
    standing = cat.Verifier(keys, OPTIONS, most=max(count // 8, 1))
    tokens = [cat.issue({**CLAIMS, "cti": n.to_bytes(16, "big")}, key) for n in range(count)]
    accepted(standing.verify(tokens[0], request()))
    each = itertools.cycle(tokens)
    return lambda: standing.verify(next(each), request())


def _raw(key: cat.Key) -> Callable[[], object]:
    """The library's verification of one signature of the token's size."""
    data, rule = bytes(300), ec.ECDSA(hashes.SHA256())
    assert isinstance(key.secret, ec.EllipticCurvePrivateKey)
    seal, public = key.secret.sign(data, rule), key.secret.public_key()
    return lambda: public.verify(seal, data, rule)


def _signature_row(token: str, keys: cat.KeySet, secret: bytes) -> str:
    plain = cat.Context(uri=URI, now=NOW)
    peer = foreign(secret)
    value, other = harness.alternate(
        lambda: rate(lambda: cat.verify(token, plain, keys)),
        lambda: rate(peer[1]) if peer else 0,
    )
    name, beside = (peer[0], other) if peer else (None, None)
    return harness.line("cat", "signature", value, "1/s", name, beside)


if __name__ == "__main__":
    harness.main(__doc__, measure, harness.SERVER_CORE)
