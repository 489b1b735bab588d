"""Our protected boxes and the known answers' as GPAC's mp4box.js reads them, field by field
(PR-1..PR-9, PR-52, PR-175).
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.protection_rig import ALL_CASES, VECTORS, clear, key_of
from twins.process import missing, needs

from origin.protection.offers import moov_boxes, offer
from origin.protection.sealer import Sealer
from origin.settings import Protection

pytestmark = pytest.mark.twin

MODULE = Path(__file__).resolve().parents[2] / "node_modules/mp4box/dist/mp4box.all.mjs"
SCRIPT = Path(__file__).with_name("mp4box_fields.mjs")
SETTINGS = Protection.model_validate(
    {"systems": ["clearkey", "widevine", "playready"], "urls": {"clearkey": "https://a.test/l"}}
)
EMIT = [c for c in ALL_CASES if c["role"] == "emit" and c["id"] != "avc_cenc16"]  # PR-14
ROTATED = next(case for case in ALL_CASES if case["id"] == "avc4s_cbcs_rot")
PLACED = ("start", "hdr_size", "size")  # where a box lies follows from what we choose freely
PLAYREADY = "9a04f07998404286ab92e65be0885f95"

Rows = list[dict[str, Any]]


def read(path: Path) -> Rows:
    """Every box of protection, with its fields and its body in hex."""
    if not MODULE.exists():
        missing("mp4box is not in node_modules")
    done = subprocess.run(
        [needs("node"), str(SCRIPT), str(MODULE), str(path)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: Rows = json.loads(done.stdout)
    return [row for row in found if row.get("grouping_type") != "roll"]  # the packager's own


def fields(rows: Rows, *kinds: str) -> Rows:
    """Boxes of these kinds without their places."""
    return [
        {name: value for name, value in row.items() if name not in PLACED}
        for row in rows
        if row["type"] in kinds
    ]


def pointed(rows: Rows) -> list[bool]:
    """For each saio: whether it points at the first row of the senc behind it (PR-7)."""
    moof, senc = 0, {row["start"]: row for row in rows if row["type"] == "senc"}
    found = []
    for row in rows:
        if row["type"] == "moof":
            moof = row["start"]
        elif row["type"] == "saio":
            found += [moof + at - 16 in senc for at in row["offset"]]
    return found


def facts_of(case: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / case["facts"]).read_text())
    return found


@pytest.mark.parametrize("case", EMIT, ids=[case["id"] for case in EMIT])
def test_every_field_is_that_of_the_known_answer(case: dict[str, Any], tmp_path: Path) -> None:
    facts = facts_of(case)["fragments"]
    source = clear(case["source"], numbers=[len(each["samples"]) for each in facts])
    key = key_of(case)
    sealer = Sealer(source.init, key, boxes=moov_boxes(offer(key, SETTINGS.systems, SETTINGS.urls)))
    first = int(case["iv"], 16) if case["scheme"] == "cenc" else 0
    sealer._base_iv, first = first & ~0xFFFF, first & 0xFFFF
    pieces = [sealer.init()]
    for fragment, wanted in zip(source.fragments, facts, strict=True):
        pieces += sealer.seal(fragment, first)
        first += len(wanted["samples"])
    path = tmp_path / "ours.mp4"
    path.write_bytes(b"".join(pieces))
    ours, theirs = read(path), read(VECTORS / case["file"])
    for kind in ("frma", "schm", "tenc", "saiz", "senc"):
        assert fields(ours, kind) == fields(theirs, kind), kind
    assert len(fields(ours, "tenc")) == 1 and len(fields(ours, "senc")) == len(facts)
    assert not fields(ours, "sbgp", "sgpd")
    assert all(pointed(ours)) and len(pointed(ours)) == len(pointed(theirs))
    signalled = {row["system_id"]: row for row in fields(ours, "pssh")}
    for row in fields(theirs, "pssh"):
        mine = signalled[row["system_id"]]
        if row["system_id"] == PLAYREADY:  # a header of another version (PR-83)
            assert mine["version"] == row["version"] == 0
        else:
            assert mine == row


def test_keys_in_fragments_are_read_as_the_packager_s(tmp_path: Path) -> None:
    """seig in sgpd, sbgp and pssh of a track whose key changes (PR-52)."""
    facts = facts_of(ROTATED)["fragments"]
    source = clear(ROTATED["source"], numbers=[len(each["samples"]) for each in facts])
    pieces: list[bytes] = []
    for fragment, wanted in zip(source.fragments, facts, strict=True):
        entry = wanted["sgpd_seig"]["entries"][0]
        case = {
            **ROTATED, "kid": entry["KID"], "key": wanted["key"], "iv": entry["constant_IV"]
        }  # fmt: skip
        key = key_of(case)
        boxes = moov_boxes(offer(key, SETTINGS.systems, SETTINGS.urls))
        sealer = Sealer(source.init, key, boxes=boxes, inband=True)
        pieces = pieces or [sealer.init()]
        pieces += sealer.seal(fragment, 0)
    path = tmp_path / "ours.mp4"
    path.write_bytes(b"".join(pieces))
    ours, theirs = read(path), read(VECTORS / ROTATED["file"])
    for kind in ("schm", "sbgp", "sgpd", "saiz", "senc"):
        assert fields(ours, kind) == fields(theirs, kind), kind
    assert all(pointed(ours)) and len(pointed(ours)) == len(facts)
