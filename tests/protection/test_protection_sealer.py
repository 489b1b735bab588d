"""Headers and fragments as written: fields of the known answers, and frames after decryption."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.protection_rig import (
    ALL_CASES,
    VECTORS,
    boxes,
    child,
    clear,
    frames,
    key_of,
)

from origin.protection.errors import ProtectionError
from origin.protection.sealer import Sealer

CASES = [
    case
    for case in ALL_CASES
    if case["role"] == "emit" and case["id"] != "avc_cenc16"
]  # fmt: skip
each_case = pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
PSSH = bytes.fromhex(
    "0000003470737368010000001077efecc0b24d02ace33c1e52e2fb4b00000001"
    "000102030405060708090a0b0c0d0e0f00000000"
)


def facts_of(case: dict[str, Any]) -> dict[str, Any]:
    return json.loads((VECTORS / case["facts"]).read_text())


@each_case
def test_header_has_the_fields_of_the_known_answer(case: dict[str, Any]) -> None:
    """PR-1..PR-4, PR-11"""
    source = clear(case["source"])
    sealed = Sealer(source.init, key_of(case), boxes=[PSSH]).init()
    entry = facts_of(case)["init"]["sample_entries"][0]
    path = ("moov", "trak", "mdia", "minf", "stbl", "stsd")
    assert child(sealed, *path)[8:][4:8].decode() == entry["type"]
    sinf = child(sealed, *path, entry["type"], "sinf")
    assert (struct.pack(">I", len(sinf) + 8) + b"sinf" + sinf).hex() == entry["sinf_box"]
    stsd, old = child(sealed, *path)[8:], child(source.init, *path)[8:]
    assert stsd[8 : len(old)] == old[8:]
    assert len(stsd) == len(old) + len(sinf) + 8
    assert [kind for kind, _ in boxes(child(sealed, "moov"))][-1] == "pssh"
    assert sealed.endswith(PSSH)
    with pytest.raises(ProtectionError, match="protected already") as refused:
        Sealer(sealed, key_of(case))
    assert refused.value.code == "double"


@each_case
def test_fragments_have_the_fields_and_bytes_of_the_known_answer(case: dict[str, Any]) -> None:
    """PR-5..PR-10, PR-175. The start IV of cenc is the known answer's, not PR-16's."""
    facts = facts_of(case)["fragments"]
    source = clear(case["source"], numbers=[len(fragment["samples"]) for fragment in facts])
    sealer = Sealer(source.init, key_of(case))
    first = int(case["iv"], 16) if case["scheme"] == "cenc" else 0
    sealer._base_iv, first = first & ~0xFFFF, first & 0xFFFF
    for fragment, wanted in zip(source.fragments, facts, strict=True):
        sealed = b"".join(sealer.seal(fragment, first))
        first += len(wanted["samples"])
        traf = child(sealed, "moof", "traf")
        children = [kind for kind, _ in boxes(traf)]
        assert children == [kind for kind in wanted["traf_children"] if kind != "sbgp"]
        moof_at = sealed.index(b"moof") - 4
        (media_at,) = struct.unpack_from(">i", child(traf, "trun"), 8)
        assert moof_at + media_at == sealed.index(b"mdat") + 4
        senc = child(traf, "senc")
        assert senc[:4] == wanted["senc"]["flags"].to_bytes(4, "big")
        rows = senc[8:]
        if "saiz" in wanted:
            saiz, saio = child(traf, "saiz"), child(traf, "saio")
            assert saiz[4] == wanted["saiz"]["default_sample_info_size"]
            assert list(saiz[9:]) == (wanted["saiz"]["sample_info_sizes"] or [])
            assert saio[:8] == bytes(7) + b"\1"
            at = moof_at + int.from_bytes(saio[8:], "big")
            assert sealed[at : at + len(rows)] == rows
        media = sealed[moof_at + media_at :]
        for size, iv, ranges, _, digest in wanted["samples"]:
            assert hashlib.sha256(media[:size]).hexdigest()[:16] == digest
            media = media[size:]
            if iv:
                assert rows[:8].hex() == iv
                rows = rows[8:]
            if ranges:
                assert rows[: 2 + 6 * len(ranges)] == struct.pack(">H", len(ranges)) + b"".join(
                    struct.pack(">HI", *pair) for pair in ranges
                )
                rows = rows[2 + 6 * len(ranges) :]
        assert rows == b""
        assert len(sealed) - len(fragment) == len(traf) - len(child(fragment, "moof", "traf"))


@each_case
def test_ffmpeg_decrypts_to_the_clear_frames(case: dict[str, Any], tmp_path: Path) -> None:
    """PR-176"""
    per = 12 if case["id"].startswith("av1") else 7  # AV1 starts at random accesses (PR-30)
    source = clear(case["source"], per=per)
    sealer = Sealer(source.init, key_of(case), number=3)
    pieces, first = [sealer.init()], 0
    for fragment in source.fragments:
        pieces += sealer.seal(fragment, first)
        first += per
    wanted = frames(source.init + b"".join(source.fragments), tmp_path)
    assert len(wanted) == len(source.samples)
    assert frames(b"".join(pieces), tmp_path, case["key"]) == wanted
