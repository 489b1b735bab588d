"""Revocation at the edges: exact items, and filters that spare reading them (E-50, CAT-73)."""

import json
import random
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cat
from cat.revocation import Revocations, Snapshot, SnapshotError, name_of
from cat.text import to_text
from headwater.edge import BuildError, build
from headwater.edge.deploy import edge_filter
from headwater.edge.stand_ins import run
from headwater.edge_cli import edge_app

SOURCES = Path(__file__).parents[2] / "edge_scripts"
NOW = 1_700_000_000
KEY = {"kid": "demo", "alg": "HS256", "k": to_text(bytes(range(32)))}
SIGNER = cat.KeySet.from_json([KEY]).signer()
MANY = 100_000
ENGINE = {"cloudfront": "njs", "akamai": "node", "lambda": "node", "fastly": "node"}


def case(held, **claims):
    token = cat.issue({"exp": NOW + 600, **claims}, SIGNER)
    asked = {
        "method": "GET", "scheme": "https", "host": "cdn.example", "path": "/live/one/a.m3u8",
        "query": f"CAT={token}", "headers": {}, "ip": "192.0.2.1", "now": NOW,
    }  # fmt: skip
    return {"request": asked, "stores": {"keys": json.dumps([KEY]), **held}}


def refused(platform, cases):
    """The claim by which each is revoked, or None."""
    if shutil.which(ENGINE[platform]) is None:
        pytest.skip(f"{ENGINE[platform]} is not installed")
    (bundle, *_) = build(platform, lambda path: (SOURCES / path).read_text())
    bodies = [json.loads(one.get("body", "null")) for one in run(platform, bundle, cases, SOURCES)]
    assert {body["reason"] for body in bodies if body} <= {"revoked"}
    return [body and body["claim"] for body in bodies]


@pytest.fixture(scope="module")
def many():
    """A list of 100,000; one of its ids has no exact item, as if the filter were wrong of it."""
    held = Revocations()
    for number in range(MANY):
        held.revoke("cti", number.to_bytes(8))
    held.revoke("sub", "viewer")
    held.revoke("kid", "other")
    held.revoke_before("old", NOW - 100)
    return held


@pytest.mark.parametrize("platform", ENGINE)
def test_a_hundred_thousand_revoked(many, platform):
    """A hit is confirmed by the exact item; what the filter does not know is not looked up; an old
    filter or none of ours spares nothing. CloudFront reads the exact items only.
    """
    fresh = {"revoked-filter": edge_filter(many.snapshot(NOW - 1, 1e-3))}
    stale = {"revoked-filter": edge_filter(many.snapshot(NOW - 3_601, 1e-3))}
    first, false, other = ((n).to_bytes(8) for n in (1, 2, MANY + 7))
    subject = sha256(b"viewer").hexdigest()[:32]
    exact = {f"revoked:{first.hex()}": "1", f"revoked:{other.hex()}": "1"}
    assert name_of("cti", other) not in Snapshot(many.snapshot(NOW))
    found = refused(
        platform,
        [
            case(fresh | exact, cti=first),
            case(fresh | exact, cti=false),
            case(fresh | exact, cti=other),
            case(stale | exact, cti=other),
            case({"revoked-filter": "abc"} | exact, cti=other),
            case({"revoked-filter": fresh["revoked-filter"][:-8]} | exact, cti=other),
            case(exact, cti=other),
            case(fresh | {f"revoked-sub:{subject}": "1"}, sub="viewer"),
            case(fresh | {"revoked-kid:demo": "1"}),
            case({"revoked-kid:demo": "1"}),
            case(fresh, iss="old", iat=NOW - 101),
            case(fresh, iss="old", iat=NOW - 99.5),
            case(fresh, iss="old"),
            case(fresh, iss="new"),
        ],
    )
    filtered = platform != "cloudfront"
    assert found == [
        "cti", None, None if filtered else "cti", "cti", "cti", "cti", "cti", "sub",
        None if filtered else "kid", "kid", "iss" if filtered else None, None,
        "iss" if filtered else None, None,
    ]  # fmt: skip


def test_the_edge_reads_filters_as_python_does():
    """Any size, many false positives: every name hits or misses on both sides."""
    rng = random.Random(5007)
    cases, wanted = [], []
    for entries, wrong in ((0, 0.5), (1, 0.9), (40, 0.3), (1_000, 0.2)):
        held = Revocations()
        for _ in range(entries):
            held.revoke("cti", rng.randbytes(8))
        snapshot = held.snapshot(NOW, wrong)
        for _ in range(100):
            cti = rng.randbytes(8)
            item = {"revoked-filter": edge_filter(snapshot), f"revoked:{cti.hex()}": "1"}
            cases.append(case(item, cti=cti))
            wanted.append("cti" if name_of("cti", cti) in Snapshot(snapshot) else None)
    assert refused("akamai", cases) == wanted
    assert len(set(wanted)) == 2


def test_a_filter_has_to_fit(many):
    with pytest.raises(BuildError, match="over the limit"):
        edge_filter(many.snapshot(NOW, 1e-6))
    with pytest.raises(SnapshotError):
        edge_filter(b"x" * 40)


def test_deploy_writes_the_item(many, tmp_path):
    (tmp_path / "snapshot").write_bytes(many.snapshot(NOW, 1e-3))
    command = ["deploy", "akamai", "--revoked", str(tmp_path / "snapshot"), "--out", str(tmp_path)]
    assert CliRunner().invoke(edge_app, command).exit_code == 0
    item = (tmp_path / "akamai" / "revoked-filter").read_text()
    assert item == edge_filter(many.snapshot(NOW, 1e-3))
    (tmp_path / "snapshot").write_bytes(b"none of ours" * 9)
    assert CliRunner().invoke(edge_app, command).exit_code == 3
