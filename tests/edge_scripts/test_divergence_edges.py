"""One verdict everywhere (E-29, E-60): random tokens and requests through Python, Cython,
CloudFront in njs, Akamai in Node and Fastly as wasm. Where docs/edges.md says that a platform
cannot evaluate what a token asks for, it refuses.

A plain run judges the same 1,000 each time, `HEADWATER_DIVERGENCE=full` 20,000 new ones on each;
`HEADWATER_DIVERGENCE_SEED` draws the same again.
"""

import json
import os
import random
import shutil
from collections import Counter
from functools import cache

import pytest

import cat
from cat.tables import REASONS
from cat.uri import UriError, normal_path
from headwater.edge import build
from headwater.edge.deploy import edge_keys
from headwater.edge.divergence import draw, keys, members, needs
from headwater.edge.platforms import PLATFORMS
from headwater.edge.stand_ins import run
from headwater.edge.sweep import sweep
from headwater.edge.table import SOURCES, probe

FULL = os.environ.get("HEADWATER_DIVERGENCE") == "full"
COUNT = 20_000 if FULL else 1_000
STRIDES = {} if FULL else {"fastly": 5}  # an instance of the wasm for each case
SEED = int(os.environ.get("HEADWATER_DIVERGENCE_SEED", random.randrange(1 << 32) if FULL else 5007))
GROUPS = (
    {"issuers": [], "audiences": [], "profile": "cta"},
    {"issuers": ["me"], "audiences": ["here"], "profile": "cta"},
    {"issuers": [], "audiences": ["here"], "profile": "akamai"},
    {"issuers": [], "audiences": [], "profile": "quicr"},
)
# Refusals that cf.cwt gives no reason of.
UNTOLD = {"malformed", "alg", "header_crit", "key", "signature", "too_large"}
CWT_BYTES = 1_024
JUDGES = ("cloudfront", "akamai", "fastly")


def python(drawn, group, verifier=None):
    """Reason and claim."""
    asked = drawn.request
    found = cat.candidates(asked["path"], asked["query"], asked["headers"])
    try:
        normal_path(found.path)
    except UriError:
        return ["uri", None]
    query = asked["query"] and f"?{asked['query']}"
    told = ("method", "now", "ip", "country", "asn", "lat", "lon", "alpn")
    context = cat.Context(
        uri=f"{asked['scheme']}://{asked['host']}{asked['path']}{query}",
        headers=found.headers,
        **{name: asked[name] for name in told if name in asked},
    )
    verdict = (
        cat.verify_any(found.tokens, context, keys(), options(group))
        if verifier is None
        else verifier.verify_any(found.tokens, context)
    )
    return [verdict.reason, verdict.claim]


def options(group):
    return cat.Options(
        **{n: tuple(v) if isinstance(v, list) else v for n, v in group.items()}, require=("exp",)
    )


@cache
def drawn(count):
    """Every form there is, once for CTA's profile and once for Akamai's; then random ones."""
    rng = random.Random(SEED)
    swept = [(one, GROUPS[group]) for group in (0, 2) for one in sweep()]
    left = range(count - len(swept))
    return swept + [(draw(rng), GROUPS[number % len(GROUPS)]) for number in left]


@cache
def ours():
    return [python(one, group) for one, group in drawn(COUNT)]


def theirs(platform, asked):
    """The platform's word on every case, in order."""
    found = [None] * len(asked)
    stores = {"keys": json.dumps(edge_keys(members()))}
    for group in GROUPS:
        settings = {**group, "blackout_segment": 0}
        held = dict(stores)
        if platform == "fastly":
            held["settings"], settings = json.dumps(settings), {}
        places = [place for place, (_, own) in enumerate(asked) if own is group]
        cases = [{"request": asked[place][0].request, "stores": held} for place in places]
        (bundle, *_) = build(platform, lambda path: (SOURCES / path).read_text(), settings)
        answers = run(platform, bundle, cases, SOURCES)
        for place, answer in zip(places, answers, strict=True):
            found[place] = judged(answer)
    return found


def judged(answer):
    if "status" not in answer:
        return ["ok", None]
    told = json.loads(answer["body"])
    return [told["reason"], told["claim"]]


def lacks(platform, table, one):
    """What the token asks for and the platform has not: rows of the table, and claims that are not
    in its bundle.
    """
    held = PLATFORMS[platform].claims | {"HS256"}
    is_long = platform == "cloudfront" and len(one.token) * 3 // 4 > CWT_BYTES
    lacking = {row for row in needs(one) if not table.get(row, row in held)}
    return lacking | ({"a longer token"} if is_long else set())


def agree(platform, lacking, mine, other):
    """Whether two verdicts are one, or the platform refuses what it cannot evaluate."""
    if mine == other or other[0] == "ok":
        return mine == other
    if platform == "cloudfront":  # claims out of the bundle come first, cf.cwt tells no reasons
        return bool(lacking) or (other[0] == "signature" and mine[0] in UNTOLD)
    if "catnip, ASN" in lacking and other == ["network", "catnip"]:
        return True  # CAT-45: an unknown ASN matches no entry
    return bool(lacking) and other[0] in ("claim_unsupported", "alg")


def test_cython_is_python():
    """The kernel says yes to what `verify` accepts and to nothing else, cold and seen."""
    verifiers = {id(group): cat.Verifier(keys(), options(group)) for group in GROUPS}
    for _ in range(2):
        for (one, group), mine in zip(drawn(COUNT), ours(), strict=True):
            assert python(one, group, verifiers[id(group)]) == mine, f"seed {SEED}, {one}"
    print(f"seed {SEED}: {COUNT} cases, {Counter(reason for reason, _ in ours())}")


def test_the_draw_reaches_every_reason():
    """A suite that never sees a refusal proves nothing of it. What takes settings is not here."""
    without = {"subject", "revoked", "tls", "replay", "blackout", "store"}
    assert {reason for reason, _ in ours()} >= {"ok", *REASONS} - without
    assert sum(reason == "ok" for reason, _ in ours()) > COUNT // 10


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("platform", JUDGES)
def test_one_verdict(platform):
    if platform == "cloudfront" and shutil.which("njs") is None:
        pytest.skip("njs is not installed")
    asked, mine = (all_of[:: STRIDES.get(platform, 1)] for all_of in (drawn(COUNT), ours()))
    table = probe(platform)
    tally = Counter()
    wrong = []
    for (one, group), own, other in zip(asked, mine, theirs(platform, asked), strict=True):
        lacking = lacks(platform, table, one)
        tally["same" if own == other else "otherwise"] += 1
        if not agree(platform, lacking, own, other):
            wrong.append(f"{own} {other} {sorted(lacking)} {group['profile']} {one}")
    print(f"{platform}, seed {SEED}: {dict(tally)}")
    assert not wrong, f"seed {SEED}: {len(wrong)} of {len(asked)}: " + "\n".join(wrong[:12])
    assert tally["same"] > len(asked) // 3
