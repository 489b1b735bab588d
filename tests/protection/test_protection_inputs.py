"""Films that come protected, opened with their keys and served like any other (PR-150..PR-153,
PR-175: role `read`, and what we would write ourselves).
"""

import asyncio
import base64
import hashlib
import json
import random
import struct
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.protection_rig import ALL_CASES, VECTORS, boxes, frames
from origin_rigs.recipes import recipe

from native.http import Answer, Entity, Refusal
from origin.protection.errors import ProtectionError
from origin.protection.inputs import InputKeys
from origin.protection.titles import Guards, protect
from origin.settings import Protection
from origin.vod import Library, VodError, register
from origin.vod.index import load
from origin.vod.opened import OpenedReader
from origin.vod.reading import open_reader
from origin.vod.served import Served

IDS = [case["id"] for case in ALL_CASES]
ROTATED = 2  # periods of avc4s_cbcs_rot: KID and key turned by a byte each


def document(folder: Path, case: dict[str, Any], key: str = "") -> Protection:
    """Settings that name a CPIX document with a case's keys."""
    kid, key = case["kid"], key or case["key"]
    rows = ""
    for turn in range(ROTATED):
        at = 2 * turn
        each = kid[at:] + kid[:at]
        value = bytes.fromhex(key[at:] + key[:at])
        text = f"{each[:8]}-{each[8:12]}-{each[12:16]}-{each[16:20]}-{each[20:]}"
        rows += (
            f'<ContentKey kid="{text}"><Data><p:Secret><p:PlainValue>'
            f"{base64.b64encode(value).decode()}"
            "</p:PlainValue></p:Secret></Data></ContentKey>"
        )
    path = folder / "keys.xml"
    path.write_text(
        '<CPIX xmlns="urn:dashif:org:cpix" xmlns:p="urn:ietf:params:xml:ns:keyprov:pskc" '
        f'version="2.3" contentId="in"><ContentKeyList>{rows}</ContentKeyList></CPIX>'
    )
    inputs = {"documents": [str(path)], "leftover": case["id"] == "avc_cbcs_5_5"}
    return Protection.model_validate({"master_key": "5a" * 32, "inputs": inputs})


def samples(home: Path, keys: InputKeys) -> list[bytes]:
    """Every sample of a title's only track, read from its index."""
    (path,) = home.glob("origin/vod/film/*.idx")
    index = load(path)
    assert index.seals is not None
    reader = OpenedReader(open_reader(index.source), index.seals, keys)
    track = Served(index.tracks[0], reader, "", 1)
    found = []
    for segment in track.segments:
        cut = track.samples(segment.number)
        data = track.payload(cut, wait=True)
        assert data is not None
        for size in cut.sizes:
            found.append(data[:size])
            data = data[size:]
    return found


def awaited(answer: Answer | Awaitable[Answer]) -> bytes:
    """The body of an answer, read from memory or from the disk."""
    if not isinstance(answer, Answer):

        async def wait() -> Answer:
            return await answer

        answer = asyncio.run(wait())
    assert isinstance(answer, Entity)
    return answer.body


@pytest.mark.parametrize("case", ALL_CASES, ids=IDS)
def test_samples_are_the_clear_ones(case: dict[str, Any], tmp_path: Path) -> None:
    """PR-175, read: also keys that change, other patterns, a clear lead and trailing layouts."""
    keys = InputKeys(document(tmp_path, case))
    register(tmp_path, [VECTORS / case["file"]], "film", keys=keys)
    facts = json.loads((VECTORS / case["facts"]).read_text())
    wanted = [row[3] for fragment in facts["fragments"] for row in fragment["samples"]]
    found = [hashlib.sha256(each).hexdigest()[:16] for each in samples(tmp_path, keys)]
    assert found == wanted


def test_blocks_left_over_follow_the_setting(tmp_path: Path) -> None:
    """PR-17: by default they are taken for clear."""
    case = next(each for each in ALL_CASES if each["id"] == "avc_cbcs_5_5")
    settings = document(tmp_path, case)
    settings = settings.model_copy(
        update={"inputs": settings.inputs.model_copy(update={"leftover": False})}
    )
    keys = InputKeys(settings)
    register(tmp_path, [VECTORS / case["file"]], "film", keys=keys)
    facts = json.loads((VECTORS / case["facts"]).read_text())
    wanted = [row[3] for fragment in facts["fragments"] for row in fragment["samples"]]
    found = [hashlib.sha256(each).hexdigest()[:16] for each in samples(tmp_path, keys)]
    assert 0 < sum(a == b for a, b in zip(found, wanted, strict=True)) < len(wanted)


def test_a_protected_film_is_served_clear_and_protected_anew(tmp_path: Path) -> None:
    """Progressive cenc of ffmpeg, its auxiliary data in the sample tables; out under cbcs."""
    source = recipe("encrypted_in")
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    settings = document(tmp_path, {"id": "", "kid": "a7e61c373e219033c21091fa607bf3b8", "key": key})
    keys = InputKeys(settings)
    report = register(tmp_path, [source], "film", keys=keys)
    library = Library(tmp_path, keys=keys)
    name = report.renditions[0].name

    def whole(library: Library) -> bytes:
        found = [
            awaited(library.answer("film", f"{name}/{leaf}")) for leaf in ("init.mp4", "1.m4s")
        ]
        return b"".join(found)

    clear = whole(library)
    assert b"encv" not in clear and b"sinf" not in clear
    pictures = [line.split(",")[-1] for line in frames(clear, tmp_path)]
    told = frames(source.read_bytes(), tmp_path, key)
    assert pictures == [line.split(",")[-1] for line in told if line.startswith("0,")]
    protect(tmp_path, "film", ["cbcs"], settings)
    sealed = whole(Library(tmp_path, keys=keys, guards=Guards(tmp_path, settings)))
    assert b"encv" in sealed and b"cbcs" in sealed


def test_without_its_key_a_film_is_refused_and_not_served(tmp_path: Path) -> None:
    """TR-12, PR-43; no key is ever told."""
    case = ALL_CASES[0]
    none = InputKeys(Protection.model_validate({}))
    with pytest.raises(VodError, match=f"cenc, KID {case['kid']}") as refused:
        register(tmp_path, [VECTORS / case["file"]], "film", keys=none)
    assert refused.value.code == "encrypted" and case["key"] not in str(refused.value)
    keys = InputKeys(document(tmp_path, case))
    report = register(tmp_path, [VECTORS / case["file"]], "film", keys=keys)
    for others in (None, none):
        answer = Library(tmp_path, keys=others).answer("film", f"{report.renditions[0].name}/1.m4s")
        assert isinstance(answer, Refusal) and (answer.status, answer.code) == (503, "no_key")
    gone = Protection.model_validate({"inputs": {"documents": [str(tmp_path / "gone.xml")]}})
    with pytest.raises(ProtectionError, match=r"gone\.xml"):
        register(tmp_path, [VECTORS / case["file"]], "film", keys=InputKeys(gone))


def patched(case_id: str, kind: bytes, at: int, value: bytes) -> bytes:
    data = bytearray((VECTORS / "enc" / f"{case_id}.mp4").read_bytes())
    place = data.index(kind, data.index(b"moof")) + 4 + at
    data[place : place + len(value)] = value
    return bytes(data)


LIES = {
    "senc counts more": ("avc_cenc8", b"senc", 4, struct.pack(">I", 2**32 - 1)),
    "senc counts fewer": ("avc_cenc8", b"senc", 4, struct.pack(">I", 3)),
    "ranges past the sample": ("avc_cenc8", b"senc", 16, struct.pack(">HHI", 1, 9, 2**31)),
    "65,535 ranges": ("avc_cenc8", b"senc", 16, b"\xff\xff"),
    "saiz of other rows": ("avc4s_cbcs", b"saiz", 4, b"\x07"),
    "saiz of more samples": ("avc4s_cbcs", b"saiz", 5, struct.pack(">I", 2**32 - 1)),
    "saio elsewhere": ("avc4s_cbcs", b"saio", 8, struct.pack(">I", 9)),
    "saio of many places": ("avc4s_cbcs", b"saio", 4, struct.pack(">I", 2**32 - 1)),
    "a group that is nowhere": ("avc4s_cbcs_rot", b"sbgp", 16, struct.pack(">I", 0x10009)),
    "a group of no length": ("avc4s_cbcs_rot", b"sgpd", 8, struct.pack(">I", 3)),
}


@pytest.mark.parametrize("lie", LIES)
def test_boxes_that_disagree_are_refused(lie: str, tmp_path: Path) -> None:
    """PR-151, PR-152"""
    path = tmp_path / "lie.mp4"
    path.write_bytes(patched(*LIES[lie]))
    case = next(each for each in ALL_CASES if each["id"] == LIES[lie][0])
    with pytest.raises(VodError) as refused:
        register(tmp_path, [path], "film", keys=InputKeys(document(tmp_path, case)))
    assert refused.value.code == "aux_info"


def test_rows_that_only_saio_finds_are_read(tmp_path: Path) -> None:
    """PR-150: senc under a name that nobody knows leaves saio and saiz."""
    case = next(each for each in ALL_CASES if each["id"] == "avc_cenc16")
    path = tmp_path / "hidden.mp4"
    path.write_bytes((VECTORS / case["file"]).read_bytes().replace(b"senc", b"free"))
    keys = InputKeys(document(tmp_path, case))
    register(tmp_path, [path], "film", keys=keys)
    facts = json.loads((VECTORS / case["facts"]).read_text())
    wanted = [row[3] for fragment in facts["fragments"] for row in fragment["samples"]]
    assert [hashlib.sha256(each).hexdigest()[:16] for each in samples(tmp_path, keys)] == wanted


def test_any_damage_ends_in_a_code(tmp_path: Path) -> None:
    """Bytes of moov and moof changed at random: a title, or a refusal that says why."""
    chance = random.Random(5)
    path = tmp_path / "damaged.mp4"
    for case in ALL_CASES[:: len(ALL_CASES) // 4]:
        whole = (VECTORS / case["file"]).read_bytes()
        keys = InputKeys(document(tmp_path, case))
        heads = [i for i in range(len(whole)) if whole[i : i + 4] in (b"moof", b"moov")]
        for _ in range(60):
            data = bytearray(whole)
            start = chance.choice(heads)
            for _ in range(chance.randrange(1, 4)):
                at = start + chance.randrange(700)
                data[min(at, len(data) - 1)] = chance.randrange(256)
            path.write_bytes(data)
            try:
                register(tmp_path, [path], "film", keys=keys)
            except (VodError, ProtectionError) as error:
                assert error.code


def test_the_header_is_as_it_was(tmp_path: Path) -> None:
    """The sample entry loses its sinf and gets its name back; all else stays (PR-1 undone)."""
    case = next(each for each in ALL_CASES if each["id"] == "aac_cbcs")
    keys = InputKeys(document(tmp_path, case))
    register(tmp_path, [VECTORS / case["file"]], "film", keys=keys)
    (path,) = tmp_path.glob("origin/vod/film/*.idx")
    init = load(path).tracks[0].init
    assert b"mp4a" in init and b"enca" not in init and b"sinf" not in init
    assert [kind for kind, _ in boxes(init)] == ["ftyp", "moov"]
