"""npm @eyevinn/cat as a foreign judge of the divergence suite's tokens: every difference belongs to
a class that docs/node-cat.md explains. `HEADWATER_DIVERGENCE=full` judges 20,000 new ones.
"""

import json
import os
import random
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import cat
from headwater.edge.divergence import draw, keys
from headwater.edge.peer import LETS_THROUGH, REFUSES, page
from headwater.edge.stand_ins import node

ROOT = Path(__file__).parents[2]
FULL = os.environ.get("HEADWATER_DIVERGENCE") == "full"
COUNT = 20_000 if FULL else 2_000
SEED = int(os.environ.get("HEADWATER_DIVERGENCE_SEED", random.randrange(1 << 32) if FULL else 5007))
OPTIONS = cat.Options(issuers=("me",), audiences=("here",))
FREE = cat.Options(audiences=("here",))


def drawn():
    """HS256 only: its `validate` knows no other algorithm."""
    rng = random.Random(SEED)
    found = []
    while len(found) < COUNT:
        one = draw(rng)
        if one.alg == "HS256" and one.token:
            found.append(one)
    return found


def url(asked):
    found = cat.candidates(asked["path"], asked["query"], asked["headers"])
    return f"{asked['scheme']}://{asked['host']}{found.path}" + (found.query and f"?{found.query}")


def ours(one, options):
    asked = one.request
    told = ("method", "now", "ip", "country", "asn", "lat", "lon", "alpn")
    known = {name: asked[name] for name in told if name in asked}
    context = cat.Context(uri=url(asked), headers=asked["headers"], **known)
    return cat.verify(one.token, context, keys(), options)


def theirs(cases, tmp_path):
    lines = [
        json.dumps(
            {
                "token": one.token,
                "key": bytes(range(32)).hex(),
                "issuer": "me",
                "audience": ["here"],
                "url": url(one.request),
                **{name: one.request.get(name) for name in ("now", "ip", "asn")},
            }
        )
        for one in cases
    ]
    (tmp_path / "cases").write_text("\n".join(lines))
    script = Path(__file__).parent / "node_cat.cjs"
    done = subprocess.run(
        [node(), script, tmp_path / "cases"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-500:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("options", [OPTIONS, FREE], ids=["issuer", "any issuer"])
def test_differences_are_the_known_ones(options, tmp_path):
    cases = drawn()
    tally = Counter()
    for one, other in zip(cases, theirs(cases, tmp_path), strict=True):
        verdict = ours(one, options)
        if verdict.accept == other["accept"]:
            tally["same"] += 1
            continue
        name = other["why"] if verdict.accept else verdict.reason
        assert name in (REFUSES if verdict.accept else LETS_THROUGH), f"seed {SEED}: {name} {one}"
        tally[name] += 1
    print(f"seed {SEED}: {COUNT} tokens, {dict(tally)}")
    assert tally["same"] > COUNT // 10
    assert tally["version"] and tally["claim_contested"] and tally["claim_malformed"]


def test_the_page_is_current():
    assert (ROOT / "docs" / "node-cat.md").read_text() == page()
