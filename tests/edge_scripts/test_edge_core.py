"""The JavaScript core in njs and in Node gives the verdicts of `cat`, or refuses what it cannot
evaluate.
"""

import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import cat
from cat import cbor
from cat.javascript import javascript
from cat.tables import PROFILES
from cat.text import normal_text, to_text
from headwater.edge import lint

ROOT = Path(__file__).parents[2]
CORE = ROOT / "edge_scripts" / "core"
VECTORS = ROOT.parent / "shared" / "vectors"
NODE = ROOT / ".venv" / "bin" / "node"
ENGINES = {"njs": ["njs", "-q"], "node": [str(NODE)]}

# What this core does not evaluate (edge.md section 6); each must be refused with the reason beside
# it.
UNSUPPORTED = {
    ("dpop_es256_real_binding", 0): "alg",  # public-key verification
    ("sha512trunc", 0): "claim_unsupported",  # SHA-512/256
}


@pytest.fixture(params=ENGINES)
def run(request, tmp_path):
    """Judge many cases in one process."""
    command = ENGINES[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{request.param} is not installed")

    def run(cases):
        path = tmp_path / "cases.jsonl"
        path.write_text("".join(json.dumps(case) + "\n" for case in cases))
        done = subprocess.run(
            [*command, "run.js", str(path)], cwd=CORE, capture_output=True, text=True, timeout=110
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return [tuple(json.loads(line).values()) for line in done.stdout.splitlines()]

    return run


def test_the_generated_table_is_up_to_date():
    """CAT-32, E-58."""
    assert (CORE / "claims.generated.js").read_text() == javascript()


def test_every_shape_and_judge_has_its_javascript():
    shapes, judges = (CORE / "shapes.js").read_text(), (CORE / "judges.js").read_text()
    rows = [claim for profile in PROFILES.values() for claim in profile.claims.values()]
    for claim in rows:
        assert f"\n    {claim.shape}: " in shapes
        assert claim.judge is None or f"\n    {claim.judge}: " in judges


def test_the_core_stays_inside_the_documented_language():
    """E-3: a module without its export is held against the lint of the bundles."""
    for path in sorted(CORE.glob("*.js")):
        if path.name != "run.js":
            lint.check(re.sub(r"(?m)^export default .*$", "", path.read_text()))


def _shared():
    for name in ("cat_known_answer_tokens", "cat_quicr_cose", "cat_divergence_cases"):
        document = json.loads((VECTORS / f"{name}.json").read_bytes())
        for case in document.get("tokens", []) + document.get("cases", []):
            for index, wanted in enumerate(case["verify"]):
                args = {"method": "GET", **wanted["args"]}
                args["issuers"] = args.pop("issuer", [])
                args["audiences"] = args.pop("audience", [])
                args["headers"] = args.pop("header", {})
                yield (
                    (case["id"], index),
                    wanted,
                    {
                        "token": normal_text(case.get("token") or case["cose_b64url"]),
                        "context": args,
                        "keys": document["keysets"][wanted["keys"]],
                        "profile": wanted["profile"],
                    },
                )


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not here")
def test_shared_known_answers(run):
    names, wanted, cases = zip(*_shared(), strict=True)
    for name, want, got in zip(names, wanted, run(cases), strict=True):
        if name in UNSUPPORTED:
            assert got[:2] == (False, UNSUPPORTED[name]), name
        else:
            assert got == (want["accept"], want["reason"], want["claim"]), name


KEY = {"kid": "demo", "alg": "HS256", "k": to_text(bytes(range(32)))}
KEYS = cat.KeySet.from_json([KEY])
OWN = json.loads((Path(__file__).parent / "own_known_answers.json").read_bytes())


def test_own_known_answers(run):
    """Tokens our issuer wrote once, kept as text: neither side may drift."""
    cases = [
        {"token": OWN["token"], "context": context, "keys": OWN["keys"], "profile": "cta"}
        for context, _ in OWN["verify"]
    ]
    wanted = [tuple(answer) for _, answer in OWN["verify"]]
    assert run(cases) == wanted
    assert [_python(case) for case in cases] == wanted


def test_our_issuer_still_writes_the_same_bytes():
    claims = {
        **OWN["claims"],
        "cti": bytes.fromhex(OWN["cti_hex"]),
    }
    assert cat.issue(claims, cat.KeySet.from_json(OWN["keys"]).signer()) == OWN["token"]


def _python(case):
    context = dict(case["context"])
    options = cat.Options(
        profile=case["profile"],
        issuers=context.pop("issuers", ()),
        audiences=context.pop("audiences", ()),
    )
    keys = cat.KeySet.from_json(case["keys"])
    verdict = cat.verify(case["token"], cat.Context(**context), keys, options)
    return verdict.accept, verdict.reason, verdict.claim


def _sealed(payload, rng):
    """A token around any payload bytes, now and then with one flipped bit."""
    from cat.cose import build, sealed_structure

    protected = cbor.encode({1: 5})
    (key,) = KEYS
    seal = key.algorithm.seal(key.secret, sealed_structure(17, protected, payload))
    data = bytearray(build(17, protected, b"demo", payload, seal))
    if rng.random() < 0.2:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return to_text(bytes(data))


PATHS = [
    "/live/demo/a.m3u8",
    "/live/%64emo/../x",
    "/live/demo/%2e%2e/x",
    "/",
    "//a;b/c",
    "/%2F",
    "/é",
]
HOSTS = ["cdn.example", "CDN.example.", "[2001:db8::1]", "cdn.example:443", "u@cdn.example", "h:99"]
VALUES = {
    1: ["me", "you", 7],
    3: ["here", ("here", "there"), ()],
    4: [2000, 1000, 1000.5, 2**60, True, "x", -1],
    5: [0, 1000, 1001, 1.5],
    6: [1, 9e9],
    7: [b"id", "id"],
    8: [{323: bytes(32)}, {3: b"x"}, {}, {323: b""}],
    282: ["u6sce", ("u6", "9q"), "a", ()],
    308: [0, 1, 2, 3],
    309: [(0, 1), (1, b"x", 5), (0.5, 1), (2, 1), (0,)],
    310: [1, 2, -1, 1.0],
    311: [
        (cbor.Tag(52, b"\xc0\0\2\1"),),
        (cbor.Tag(52, (24, b"\xc0\0\2")), 64512),
        (cbor.Tag(52, (20, b"\xc0\0\2")),),
        (cbor.Tag(54, {32: bytes.fromhex("20010db8")}),),
        ((64496, 64511), 7),
        (cbor.Tag(52, (b"\xc0\0\2\0", 24)),),
        (),
        (-1,),
    ],
    312: [
        {3: {1: "/live/"}},
        {3: {1: "/live/", 2: ".m3u8"}},
        {0: {0: "https"}, 1: {0: "CDN.example"}},
        {2: {0: ""}},
        {2: {0: "443"}},
        {4: {0: "q=1"}},
        {5: {0: "/live/demo"}},
        {5: {0: "/"}},
        {6: {3: "a"}},
        {7: {0: "a"}},
        {8: {0: ".m3u8"}},
        {8: {0: "m3u8"}},
        {3: {-1: bytes(32)}},
        {3: {}},
        {},
        {9: {0: "x"}},
        {3: {5: "x"}},
        {3: {1: ""}},
    ],
    313: [("GET",), ("HEAD", "POST"), (), ("G ET",)],
    314: [(b"h2",), (b"h3",), ("h2",)],
    315: [{"User-Agent": {1: "moz"}}, {"x-none": {0: "a"}}, {"a": {}, "A": {}}, {}],
    316: [("SE",), ("se-ab",), ("SWE", "US"), ()],
    317: [((59.3, 18.0, 1000),), (59.3, 18.0, 5), ((91, 0, 1),), ((0, 0, 1.5),)],
    318: [(1, 2), (1,)],
    319: [b"spki", 5],
    320: ["x", ("y",), 1],
    321: [{0: 60}, {0: 4000}, {}],
    322: [{4: (302, {}, "k")}, {}],
    323: [{0: 2, 1: 60}, {0: 9, 1: 60}, {0: 1, 1: 60, 3: "na me"}, {1: 1}],
    41: [
        ({4: 2000},),
        ({4: 1}, {313: ("HEAD",)}),
        (),
        ({},),
        ({308: 1},),
        ({316: ("SE",)}, {4: 1}),
    ],
    42: [({4: 2000},), ({4: 1},)],
    43: [({4: 2000}, {41: ({313: ("GET",)},)}), ({319: b"k"}, {4: 1})],
    45: [(4,), (999,), ("x",), ()],
    324: [({4: 2000},)],
    326: [({4: 2000}, {324: ({4: 1}, {5: 1})}), ({41: ()},)],
    401: [1],
    "7": [1],
    999: [None, True, 1.25],
}


def _random_case(rng):
    labels = rng.sample(list(VALUES), rng.randrange(1, 6))
    claims = {label: rng.choice(VALUES[label][: rng.choice((2, 99))]) for label in labels}
    optional = {
        "ip": ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::5", "198.51.100.7"],
        "asn": [64512, 7],
        "country": ["SE", "SE-AB", "US-CA"],
        "alpn": ["h2", "h3"],
        "headers": [{"user-agent": "mozilla/5"}, {"dpop": "x"}],
    }
    context = {
        "uri": f"{rng.choice(['https', 'HTTP'])}://{rng.choice(HOSTS)}{rng.choice(PATHS)}"
        + rng.choice(["", "?q=1", "?CAT=abc&q=1", "?%zz"]),
        "now": rng.choice([1000, 1000.25, 1001]),
        "method": rng.choice(["GET", "HEAD"]),
        "issuers": rng.choice([[], ["me"]]),
        "audiences": rng.choice([[], ["here"]]),
        **{name: rng.choice(some) for name, some in optional.items() if rng.random() < 0.7},
    }
    if rng.random() < 0.7:
        context |= {"lat": 59.3, "lon": 18.0}
    return {
        "token": _sealed(cbor.encode(claims), rng),
        "context": context,
        "keys": [KEY],
        "profile": rng.choice(list(PROFILES)),
    }


def test_random_tokens_get_one_verdict_everywhere(run):
    rng = random.Random(5007)
    cases = [_random_case(rng) for _ in range(3000)]
    ours = [_python(case) for case in cases]
    for case, here, there in zip(cases, ours, run(cases), strict=True):
        if there[1:] == ("claim_unsupported", "cnf"):
            assert here[1:] in (there[1:], ("dpop", "cnf"))  # proofs are not checked there
        else:
            assert here == there, case
    assert {reason for _, reason, _ in ours} >= {"ok", "uri", "expired", "network", "geo", "crit"}
    assert sum(accept for accept, _, _ in ours) > 100
