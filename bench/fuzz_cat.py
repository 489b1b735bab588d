"""Hostile tokens by the million: nothing crashes, and the kernel accepts only what Python accepts.

    python -m bench.fuzz_cat --count 10000000 --seed 1

Inputs are random texts, damaged tokens, and damaged claims under a good seal (so that they get past
the signature), with requests that meet some of their claims. The kernel's yes is held against
`cat.verify`; everything it leaves is `cat.verify`'s own verdict. Prints one JSON line.
"""

import argparse
import json
import random
import sys
import time
from typing import Any

import cat
from cat import cbor, cose
from cat.cbor import Tag
from cat.tables import REASONS
from cat.text import to_text
from native.crypto import Mac

NOW = 1_700_000_000
SECRET = bytes(range(32))
KEYS = cat.KeySet.from_json([{"kid": "k", "alg": "HS256", "k": to_text(SECRET)}])
SEAL = Mac(SECRET)
PROTECTED = b"\xa1\x01\x05"
PROFILES = ("cta", "cta", "cta", "akamai", "quicr", "cloudfront-docs")
HEAD_BYTES = (0x00, 0x18, 0x19, 0x1A, 0x1B, 0x3B, 0x40, 0x5F, 0x60, 0x7F, 0x80, 0x9F, 0xA0, 0xBF)
TEXT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ ."
NESTED: Any = {4: NOW + 9, 312: {3: {1: "/live/"}}}
SEEDS: tuple[dict[Any, Any], ...] = (
    {4: NOW + 60, 5: NOW - 60, 6: NOW, 310: 1},
    {1: "me", 2: "viewer", 3: ["edge", "other"], 4: NOW + 60, 7: bytes(16)},
    {4: NOW + 60, 312: {0: {0: "https"}, 1: {0: "cdn.example"}, 3: {1: "/live/", 2: ".m4s"}}},
    {4: NOW + 60, 312: {5: {3: "live"}, 8: {0: ".m4s"}, 3: {4: ["^/(live|vod)/", "live"]}}},
    {4: NOW + 60, 313: ["GET", "HEAD"], 314: [b"h2"], 315: {"user-agent": {1: "player/"}}},
    {4: NOW + 60, 311: [64500, (1, 9), Tag(52, (24, b"\xc0\x00\x02")), Tag(54, {32: bytes(4)})]},
    {4: NOW + 60, 282: ["u6sc"], 316: ["SE", "US-CA"], 317: [[59.3, 18.06, 9000]], 318: (10, 5)},
    {4: NOW + 60, 8: {323: bytes(32)}, 321: {0: 60, 1: 1}, 309: (0.5, 7), 308: 1},
    {4: NOW + 60, 320: ["a"], 322: {4: (302, {"Location": "https://l.example/"}, b"k")}},
    {4: NOW + 30, 323: {0: 2, 1: 60, 2: 40, 4: "x-token", 7: 307}},
    {4: NOW + 60, 41: [NESTED, {313: ["PUT"]}], 42: [{1: "you"}], 45: [312]},
    {4: NOW + 60, 324: [{326: [NESTED]}], 401: {2: {1: "/live/"}}, 402: ["192.0.2.0/24"]},
)
REQUESTS = (
    {"uri": "https://cdn.example/live/ch1/1.m4s?q=1", "ip": "192.0.2.7", "alpn": "h2", "asn": 5},
    {"uri": "https://cdn.example/live/%2e%2e/vod/1.m4s", "method": "HEAD", "country": "SE-AB"},
    {"uri": "http://[2001:db8::1]:8080//live;a/1.m4s", "ip": "2001:db8::1", "lat": 59.33},
)


class Kernel(cat.Verifier):
    """The kernel alone: a refusal where it leaves a token to Python."""

    def otherwise(self, token: str, request: cat.Context) -> cat.Verdict:
        return LEFT


LEFT = cat.Verdict(False, "missing")


class Source:
    """One seed, one sequence of inputs."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._payloads = [cbor.encode(claims) for claims in SEEDS]

    def damaged(self, data: bytes, most: int = 4) -> bytes:
        """A few octets changed, dropped, doubled or put in."""
        draw, octets = self._draw, bytearray(data)
        for _ in range(draw.randint(0, most)):
            at, kind = draw.randrange(len(octets) or 1), draw.randrange(6)
            if kind == 0:
                octets[at : at + 1] = bytes([draw.randrange(256)])
            elif kind == 1 and octets:
                octets[at % len(octets)] ^= 1 << draw.randrange(8)
            elif kind == 2:
                del octets[at : at + draw.randint(1, 8)]
            elif kind == 3:
                octets[at:at] = octets[at : at + draw.randint(1, 16)]
            elif kind == 4:
                octets[at:at] = bytes([draw.choice(HEAD_BYTES)])
            else:
                octets[at:at] = b"\xff" * draw.randint(1, 9)
        return bytes(octets)

    def claims(self) -> bytes:
        """The payload of one seed, damaged; or pairs of some, with one value of another claim."""
        draw = self._draw
        if draw.randrange(3) == 0:
            return self.damaged(draw.choice(self._payloads))
        pairs: dict[bytes, bytes] = {}
        for payload in draw.choices(self._payloads, k=draw.randint(1, 3)):
            pairs |= cbor.items(payload)
        if draw.randrange(2):
            pairs[draw.choice(list(pairs))] = draw.choice(list(pairs.values()))
        return cbor.join(pairs)

    def token(self) -> str:
        draw, kind = self._draw, self._draw.randrange(8)
        if kind == 0:
            return "".join(draw.choices(TEXT, k=draw.randint(0, 200)))
        payload = self.claims()
        data = cose.sealed_structure(17, PROTECTED, payload)
        made = cose.build(17, PROTECTED, b"k", payload, SEAL.digest(data))
        if kind == 1:
            return to_text(self.damaged(made))
        if kind == 2:
            text = to_text(made)
            at = draw.randrange(len(text))
            return text[:at] + draw.choice(TEXT) + text[at + draw.randrange(2) :]
        return to_text(made)

    def request(self) -> tuple[cat.Options, cat.Context]:
        draw = self._draw
        asked: dict[str, Any] = draw.choice(REQUESTS)
        headers = {"user-agent": "player/1"} if draw.randrange(2) else {}
        return OPTIONS[draw.randrange(len(OPTIONS))], cat.Context(
            now=NOW + draw.choice((0, 0, 0, 59, 61, -61, 0.5)), headers=headers, **asked
        )


OPTIONS = tuple(
    cat.Options(profile=profile, issuers=issuers, audiences=("edge",), skew_s=skew_s)
    for profile in PROFILES
    for issuers in ((), ("me",))
    for skew_s in (0, 60)
)


def run(count: int, seed: int) -> dict[str, object]:
    """Feed `count` inputs; AssertionError for a disagreement."""
    source, kernels = Source(seed), {id(each): Kernel(KEYS, each, most=64) for each in OPTIONS}
    reasons: dict[str, int] = {}
    quick = 0
    for number in range(count):
        token, (options, context) = source.token(), source.request()
        verdict = cat.verify(token, context, KEYS, options)
        reasons[verdict.reason] = reasons.get(verdict.reason, 0) + 1
        assert verdict.reason == "ok" if verdict.accept else verdict.reason in REASONS
        for _ in range(2 if verdict.accept else 1):
            said = kernels[id(options)].verify(token, context)
            if said is not LEFT:
                assert said == verdict, (seed, number, token)
                quick += 1
    return {"count": count, "seed": seed, "kernel": quick, "reasons": dict(sorted(reasons.items()))}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    started = time.perf_counter()
    found = run(args.count, args.seed)
    print(json.dumps({**found, "s": round(time.perf_counter() - started, 1)}))
    sys.exit(0)


if __name__ == "__main__":
    main()
