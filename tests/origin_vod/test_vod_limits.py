"""Damaged films by the thousand in a process with limits, and lies that no damage makes by chance:
clean codes in bounded time and memory (TR-1, TR-5, TR-6, TR-28, PR-152).

HEADWATER_FUZZ=N makes N cases instead of some thousands, from a seed of its own.
"""

import json
import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from origin_rigs.damage_rig import damaged, described, one
from origin_rigs.recipes import recipe

from origin.vod import VodError, register

ROOT = Path(__file__).resolve().parents[2]
CASES = int(os.environ.get("HEADWATER_FUZZ", "0"))
FILMS = (
    "base", "frag_delay", "surround", "frag_every", "av1_opus", "open_265", "frag_sidx",
    "frag_in_moov", "mov_text", "stpp_in", "chapters", "hdr10",
)  # fmt: skip
CODES = {
    "bad_box", "bad_table", "offset_out_of_file", "truncated", "no_moov", "encrypted",
    "unsupported_codec", "unsupported_edit", "resolution_change", "no_rap", "misaligned",
    "bad_text",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(max(600, CASES // 20))
def test_damaged_films_end_cleanly(tmp_path: Path) -> None:
    """No case crashes, takes a second of processor time, or 64 MB."""
    seed = str(int.from_bytes(os.urandom(4), "big")) if CASES else "headwater"
    films = [str(recipe(name)) for name in FILMS]
    done = subprocess.run(
        [sys.executable, "-m", "origin_rigs.damage_rig", str(CASES or 3000), seed, *films],
        capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/token:{ROOT}/tests"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    print(told)
    assert set(told["refused"]) <= CODES
    assert told["taken"] > told["cases"] // 10 and len(told["refused"]) > 5


@pytest.mark.parametrize(
    ("seed", "films"),
    [
        ("a:1620", 6), ("a:4836", 6),  # offsets, and a segment, that leave 32 bits
        ("L7:4463", 12), ("L21:3441", 12), ("L33:159", 12),  # times that do not rise
    ],
)  # fmt: skip
def test_damage_that_was_an_error_of_python_s_own(seed: str, films: int, tmp_path: Path) -> None:
    goods = [recipe(name).read_bytes() for name in FILMS[:films]]
    dice = random.Random(seed)
    film = goods[dice.randrange(films)]
    assert one(tmp_path, damaged(film, described(film), dice)) == "bad_table"


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def nested(depth: int) -> bytes:
    data = b"".join(struct.pack(">I4s", 8 * left, b"trak") for left in range(depth, 0, -1))
    return box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", data)


def counted(film: bytes, kind: bytes, at: int, value: int) -> bytes:
    """A film with another number `at` bytes into the body of its first box of a kind."""
    start = film.index(kind) + 4 + at
    return film[:start] + struct.pack(">I", value) + film[start + 4 :]


LIES = {
    "nested": ("base", lambda film: nested(100)),
    "nested deep": ("base", lambda film: nested(200_000)),
    "trun": ("frag_every", lambda film: counted(film, b"trun", 4, 0xFFFFFFFF)),
    "trun of empty rows": (
        "frag_every",
        lambda film: counted(counted(film, b"trun", 4, 0xFFFFFFFF), b"trex", 16, 0),
    ),
    "uniform stsz": (
        "single_sample",
        lambda film: counted(counted(film, b"stsz", 8, 0xFFFFFFFF), b"stts", 8, 0xFFFFFFFF),
    ),
    "entries of stsd": ("base", lambda film: counted(film, b"stsd", 4, 0xFFFFFFFF)),
    "entries of ctts": ("base", lambda film: counted(film, b"ctts", 4, 0xFFFFFFFF)),
    "entries of stsc": ("base", lambda film: counted(film, b"stsc", 4, 0xFFFFFFFF)),
    "entries of stss": ("base", lambda film: counted(film, b"stss", 4, 0xFFFFFFFF)),
    "timescale 0": ("base", lambda film: counted(film, b"mdhd", 12, 0)),
    "timescale 1": ("base", lambda film: counted(film, b"mdhd", 12, 1)),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_without_bytes_behind_them(name: str, tmp_path: Path) -> None:
    film, lie = LIES[name]
    path = tmp_path / "lie.mp4"
    path.write_bytes(lie(recipe(film).read_bytes()))
    with pytest.raises(VodError, match=r"lie|film") as caught:
        register(tmp_path, [path], "film")
    assert caught.value.code in CODES
