"""Runs copied from a file's pages: the bytes that reading gives, or none (TR-44, TR-7)."""

import os
import signal
import subprocess
import sys
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native.bmff import BoxError
from native.bmff.gather import read_runs
from native.bmff.source import WARM
from native.bmff.window import Window
from origin.vod.reading import FileReader

PAGE = os.sysconf("SC_PAGESIZE")
CUT = """
import mmap, os, sys
from native.bmff.window import Window
file = open(sys.argv[1], "r+b")
if sys.argv[2] == "ours":
    window = Window(file.fileno(), 2 * mmap.PAGESIZE)
    file.truncate(0)
    from array import array
    print(window.take(bytes(bytearray(9)), 0, array("q", [5000]), array("q", [9])))
other = mmap.mmap(file.fileno(), 2 * mmap.PAGESIZE) if sys.argv[2] == "others" else None
if other:
    file.truncate(0)
    other[5000]
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("window") / "film"
    path.write_bytes(os.urandom(40 * PAGE + 77))
    return path


@given(edges=st.lists(st.integers(0, 40 * PAGE + 77), max_size=60), lead=st.integers(0, 9))
def test_runs_are_what_reading_gives(film: Path, edges: list[int], lead: int) -> None:
    rising = sorted(edges)
    spans = [(a, b - a) for a, b in list(pairwise(rising))[::2]]
    starts, lengths = (
        array("q", column) for column in (zip(*spans, strict=True) if spans else ((), ()))
    )
    size = lead + sum(lengths)
    with film.open("rb") as file:
        window = Window(file.fileno(), film.stat().st_size)
        taken, read = bytes(bytearray(size)), bytes(bytearray(size))
        assert window.take(taken, lead, starts, lengths)
        assert read_runs(file.fileno(), read, lead, starts, lengths)
        assert taken[lead:] == read[lead:]


@pytest.mark.parametrize(
    ("starts", "lengths", "size", "code"),
    [
        ([-1], [4], 4, "bad_table"),
        ([0], [-4], 4, "bad_table"),
        ([0, 8], [4], 4, "bad_table"),
        ([0], [4], 5, "bad_table"),
        ([0], [5], 4, "bad_table"),
        ([40 * PAGE + 74], [4], 4, "truncated"),
        ([2**63 - 1], [4], 4, "truncated"),
    ],
)
def test_runs_that_cannot_be_are_refused(
    film: Path, starts: list[int], lengths: list[int], size: int, code: str
) -> None:
    with film.open("rb") as file, pytest.raises(BoxError) as refused:
        Window(file.fileno(), film.stat().st_size).take(
            bytes(bytearray(size)), 0, array("q", starts), array("q", lengths)
        )
    assert refused.value.code == code


def test_runs_far_apart_are_left_to_reading(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    with path.open("rb") as file:
        far = array("q", [0, 40 << 20])
        assert not Window(file.fileno(), 64 << 20).take(bytes(8), 0, far, array("q", [4, 4]))


def test_what_is_not_in_memory_is_left_to_reading(film: Path) -> None:
    """A hole of a file that nobody has read has no pages."""
    path = film.with_name("hole")
    with path.open("wb") as file:
        file.truncate(8 * PAGE)
    with path.open("rb") as file:
        window = Window(file.fileno(), 8 * PAGE)
        one = array("q", [PAGE]), array("q", [9])
        assert not window.take(bytes(bytearray(9)), 0, *one)
        os.pread(file.fileno(), 8 * PAGE, 0)
        assert window.take(bytes(bytearray(9)), 0, *one)


def test_a_file_that_becomes_short_ends_the_copy_alone(film: Path) -> None:
    """In a process of its own; the SIGBUS of any other mapping still ends that process."""
    ends = {}
    for whose in ("ours", "others"):
        path = film.with_name(whose)
        path.write_bytes(bytes(2 * PAGE))
        command = [sys.executable, "-c", CUT, str(path), whose]
        ends[whose] = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ends["ours"].stdout, ends["ours"].returncode) == ("False\n", 0)
    assert ends["others"].returncode == -signal.SIGBUS


def test_a_reader_falls_back_to_reading_a_file_cut_short(film: Path) -> None:
    path = film.with_name("shrinking")
    path.write_bytes(film.read_bytes())
    reader = FileReader(path)
    starts, lengths = array("q", range(0, 16 * PAGE, PAGE)), array("q", [100] * 16)
    wanted = b"".join(film.read_bytes()[at : at + 100] for at in starts)
    for _ in range(2 * WARM):
        assert reader.runs(bytes(bytearray(1600)), 0, starts, lengths, False) == wanted
    os.truncate(path, 3 * PAGE)
    with pytest.raises(BoxError) as refused:
        reader.runs(bytes(bytearray(1600)), 0, starts, lengths, True)
    assert refused.value.code == "truncated"
    assert reader.runs(bytes(bytearray(1600)), 0, starts, lengths, False) is None
    reader.close()


@pytest.mark.parametrize(("length", "mapped"), [(100, True), (5000, False)])
def test_only_short_runs_that_are_asked_for_often_map_a_file(
    film: Path, length: int, mapped: bool
) -> None:
    """What is mapped counts as the process's own: a walk over many films maps none."""
    path = film.with_name(f"asked-{length}")
    path.write_bytes(film.read_bytes())
    reader = FileReader(path)
    starts, lengths = array("q", range(0, 32 * PAGE, 2 * PAGE)), array("q", [length] * 16)
    seen = []
    for _ in range(WARM + 1):
        assert reader.runs(bytes(bytearray(16 * length)), 0, starts, lengths, False)
        seen.append(str(path) in Path("/proc/self/maps").read_text())
    assert seen == [False] * WARM + [mapped]
    reader.close()
