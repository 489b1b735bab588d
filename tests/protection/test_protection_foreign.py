"""Films that came protected: refused by scheme and key until their clear copy is given, never
passed on as if they were clear, never protected twice (TR-12, PR-153).
"""

import json
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.protection_rig import ALL_CASES, VECTORS, key_of
from origin_rigs.recipes import recipe

from native.bmff import parse_init
from origin.protection.errors import ProtectionError
from origin.protection.sealer import Sealer
from origin.vod import VodError, register


@pytest.mark.parametrize("case", ALL_CASES, ids=[case["id"] for case in ALL_CASES])
def test_a_protected_film_is_refused_by_scheme_and_key(
    case: dict[str, Any], tmp_path: Path
) -> None:
    facts = json.loads((VECTORS / case["facts"]).read_text())
    kid = facts["init"]["sample_entries"][0]["tenc"]["default_KID"]
    with pytest.raises(VodError, match=Path(case["file"]).name) as refused:
        register(tmp_path, [VECTORS / case["file"]], "film")
    assert refused.value.code == "encrypted"
    assert case["scheme"] in str(refused.value) and kid in str(refused.value)
    assert case["key"] not in str(refused.value)


@pytest.mark.parametrize("scheme", ["cens", "cbc1", "piff", "\0\0\0\0"])
def test_schemes_that_nobody_plays_are_refused_too(scheme: str, tmp_path: Path) -> None:
    """PR-2, PR-153"""
    path = tmp_path / "odd.mp4"
    path.write_bytes(recipe("encrypted_in").read_bytes().replace(b"cenc", scheme.encode()))
    with pytest.raises(VodError) as refused:
        register(tmp_path, [path], "film")
    assert refused.value.code in ("encrypted", "bad_box")


@pytest.mark.parametrize("case", ALL_CASES, ids=[case["id"] for case in ALL_CASES])
def test_nothing_is_protected_twice(case: dict[str, Any]) -> None:
    data = (VECTORS / case["file"]).read_bytes()
    init = data[: data.index(b"moof") - 4]
    entries = parse_init(init).tracks[0].entries
    assert any(entry.protection for entry in entries)
    with pytest.raises(ProtectionError) as refused:
        Sealer(init, key_of(case, scheme="cbcs", constant_iv=bytes(range(1, 17))))
    assert refused.value.code == "double"
