"""Inputs that lie, are cut, or do not fit together: a code, a sentence, bounded time (TR-28)."""

import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from origin.vod import VodError, register


def patched(data: bytes, box: bytes, at: int, value: int, nth: int = 0) -> bytes:
    """The nth box of that name with a 32-bit field changed, `at` bytes into its body."""
    start = -1
    for _ in range(nth + 1):
        start = data.index(box, start + 1)
    start += 4 + at
    return data[:start] + struct.pack(">I", value) + data[start + 4 :]


Encode = Callable[..., Path]

LIES = {
    "lie_stsz": (b"stsz", 8, 0xFFFFFFFF, "bad_table"),
    "lie_stts": (b"stts", 8, 0x7FFFFFFF, "bad_table"),
    "lie_stco": (b"stco", 8, 0xF0000000, "offset_out_of_file"),
    "lie_stsc": (b"stsc", 8, 0, "bad_table"),
    "lie_elst": (b"elst", 4, 0x20000000, "bad_table"),
    "lie_mdia": (b"mdia", -8, 4, "bad_box"),
}


def refused(tmp_path: Path, data: bytes) -> VodError:
    path = tmp_path / "bad.mp4"
    path.write_bytes(data)
    started = time.process_time()
    with pytest.raises(VodError) as caught:
        register(tmp_path / "data", [path], "bad")
    assert time.process_time() - started < 10  # a runaway loop, not a measurement
    assert "bad.mp4" in str(caught.value)
    assert not (tmp_path / "data" / "origin" / "vod" / "bad").exists()
    return caught.value


@pytest.mark.parametrize("name", LIES)
def test_lies(film: Path, tmp_path: Path, name: str) -> None:
    box, at, value, code = LIES[name]
    assert refused(tmp_path, patched(film.read_bytes(), box, at, value)).code == code


def test_text_empty_and_cut_files(film: Path, tmp_path: Path) -> None:
    assert refused(tmp_path, b"This is a shopping list, not a film.\n" * 50).code == "no_moov"
    assert refused(tmp_path, b"").code == "no_moov"
    data = film.read_bytes()
    assert refused(tmp_path, data[: len(data) // 2]).code == "truncated"
    assert refused(tmp_path, data[:-100]).code == "truncated"


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(VodError, match=r"nosuch\.mp4") as caught:
        register(tmp_path, [tmp_path / "nosuch.mp4"], "film")
    assert caught.value.code == "unreadable"


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_to_the_moov_ends_cleanly(
    film: Path, tmp_path: Path, data: st.DataObject
) -> None:
    good = bytearray(film.read_bytes())
    moov = good.index(b"moov") - 4
    for at in data.draw(st.lists(st.integers(moov, len(good) - 1), min_size=1, max_size=5)):
        good[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "bad.mp4"
    path.write_bytes(good)
    try:
        register(tmp_path / "data", [path], "bad")
    except VodError as error:
        assert error.code and 400 <= error.status < 600


def test_one_key_frame_is_not_enough(encode: Encode, tmp_path: Path) -> None:
    path = encode(tmp_path / "huge_gop.mp4", seconds=10, gop=999)
    with pytest.raises(VodError, match=r"between 0\.021 s and 10\.021 s.*-g") as caught:
        register(tmp_path, [path], "film")
    assert caught.value.code == "no_rap"


@pytest.fixture(scope="module")
def rungs(tmp_path_factory: pytest.TempPathFactory, encode: Encode) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("rungs")
    return {
        "good": encode(home / "ladder_a.mp4", seconds=12),
        "low": encode(home / "ladder_b.mp4", seconds=12, size="160x90"),
        "gop": encode(home / "ladder_bad_gop.mp4", seconds=12, gop=50, size="160x90"),
        "short": encode(home / "ladder_bad_short.mp4", seconds=10.5, size="160x90"),
    }


def test_a_good_ladder(rungs: dict[str, Path], tmp_path: Path) -> None:
    report = register(tmp_path, [rungs["good"], rungs["low"]], "ladder")
    assert [r.name for r in report.renditions] == ["v180", "a-eng", "a-fra", "v90"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "gop",
            "key frame 2 at 2.083 s, ladder_a.mp4 has 2.000 s; 1 of 6 key frames is common. "
            "Re-encode with -g 48 -keyint_min 48 -sc_threshold 0",
        ),
        ("short", "lasts 10.500 s, ladder_a.mp4 12.000 s"),
    ],
)
def test_a_misaligned_ladder_is_refused_in_words(
    rungs: dict[str, Path], tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(VodError) as caught:
        register(tmp_path, [rungs["good"], rungs[name]], "ladder")
    assert caught.value.code == "misaligned"
    assert words in str(caught.value)
    assert not (tmp_path / "origin").exists()
