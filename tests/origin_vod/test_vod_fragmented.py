"""Fragmented and CMAF sources: the same samples as the progressive film (TR-3, TR-24..26)."""

import struct
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from native.bmff import BoxError, parse_init
from native.bmff.fragments import read_fragments
from native.bmff.tables import Samples, read_samples
from native.bmff.write import box, full
from origin.vod import VodError, register
from origin.vod.source import Source

FORMS = {
    "cmaf": ["-movflags", "+cmaf+frag_keyframe+empty_moov+default_base_moof"],
    "in_moov": ["-movflags", "+frag_keyframe"],
    "offsets": ["-movflags", "+frag_keyframe+empty_moov+separate_moof+omit_tfhd_offset"],
    "based": ["-movflags", "+frag_keyframe+empty_moov"],
    "sidx": ["-movflags", "+frag_keyframe+empty_moov+default_base_moof+global_sidx+delay_moov"],
    "time": ["-movflags", "+empty_moov+default_base_moof", "-frag_duration", "700000"],
    "each": ["-movflags", "+frag_every_frame+empty_moov+default_base_moof"],
    "moov_first": ["-movflags", "+faststart"],
}


def content(path: Path) -> list[bytes]:
    """Media of each track, samples end to end."""
    data = path.read_bytes()
    source = Source.open(str(path))
    try:
        return [
            b"".join(data[a : a + n] for a, n in zip(s.offset, s.size, strict=True))
            for s in (source.samples(t) for t in source.media_tracks())
        ]
    finally:
        source.close()


@pytest.mark.parametrize("form", FORMS)
def test_the_same_samples_in_every_form(film: Path, tmp_path: Path, form: str) -> None:
    other = tmp_path / "other.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(film), "-map", "0"]
    subprocess.run([*command, "-c", "copy", *FORMS[form], str(other)], check=True, timeout=60)
    assert content(other) == content(film)
    report = register(tmp_path, [other], "film")
    assert [r.name for r in report.renditions] == ["v180", "a-eng", "a-fra"]
    assert report.segments == 4 and abs(report.duration_s - 16) < 0.2


def moof(
    samples: list[tuple[int, int, int, int]],
    time: int | None,
    *,
    offset: int = 0,
    base: int | None = None,
    track_id: int = 1,
) -> bytes:
    """One fragment; rows are (duration, size, flags, cto)."""
    rows = b"".join(struct.pack(">3Ii", *row) for row in samples)
    head = struct.pack(">I", track_id) + (b"" if base is None else struct.pack(">Q", base))
    tfhd = full("tfhd", 0, 0x020000 if base is None else 1, head)
    tfdt = b"" if time is None else full("tfdt", 1, 0, struct.pack(">q", time))
    trun = full("trun", 1, 0xF01, struct.pack(">Ii", len(samples), offset), rows)
    return box("moof", full("mfhd", 0, 0, bytes(4)), box("traf", tfhd, tfdt, trun))


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """ftyp and an empty moov."""
    path = tmp_path_factory.mktemp("header") / "h.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i"]
    command += ["sine=d=1", "-c:a", "aac", "-movflags", "+empty_moov+default_base_moof", str(path)]
    subprocess.run(command, check=True, timeout=60)
    data = path.read_bytes()
    return data[: data.index(b"moof") - 4]


def read(header: bytes, moofs: list[tuple[int, bytes]], mdats: list[tuple[int, int]]) -> Samples:
    movie = parse_init(header)
    begun = {t.id: read_samples(header, t, [], 1 << 40) for t in movie.tracks}
    return read_fragments(moofs, movie.tracks, begun, mdats)[1]


Rows = st.lists(
    st.tuples(
        st.integers(0, 5000),
        st.integers(1, 900),
        st.sampled_from([0x02000000, 0x01010000, 0]),
        st.integers(-3000, 3000),
    ),
    min_size=1,
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fragments=st.lists(st.tuples(Rows, st.integers(0, 9000)), min_size=1, max_size=6))
def test_against_a_plain_reading(
    header: bytes, fragments: list[tuple[list[tuple[int, int, int, int]], int]]
) -> None:
    """Times, places and jumps as a few lines of Python tell them."""
    moofs, mdats, want = [], [], []
    place, now = 1000, 0
    for rows, jump in fragments:
        if want and jump:
            want[-1][2] += jump
        now += jump
        size = sum(row[1] for row in rows)
        data = moof(rows, now, offset=500)
        moofs.append((place, data))
        mdats.append((place + 500, place + 500 + size))
        at = place + 500
        for duration, length, flags, cto in rows:
            sync = not flags & 0x10000 and flags >> 24 & 3 != 1
            want.append([at, now, duration, length, cto, sync])
            at += length
            now += duration
        place += 500 + size
    s = read(header, moofs, mdats)
    got = zip(s.offset, s.dts, s.duration, s.size, s.cto, s.sync, strict=True)
    assert [list(row) for row in got] == want


GOOD = [(10, 100, 0, 0)] * 3
LIES = {
    "backwards": ([(0, moof(GOOD, 50, offset=200)), (0, moof(GOOD, 10, offset=200))], "bad_table"),
    "outside": ([(0, moof(GOOD, 0, offset=4000))], "offset_out_of_file"),
    "far base": ([(0, moof(GOOD, 0, base=1 << 62))], "offset_out_of_file"),
    "negative": ([(0, moof(GOOD, 0, offset=-9))], "offset_out_of_file"),
    "leap": ([(0, moof(GOOD, 0, offset=200)), (0, moof(GOOD, 1 << 40, offset=200))], "bad_table"),
}


@pytest.mark.parametrize("name", LIES)
def test_lies(header: bytes, name: str) -> None:
    moofs, code = LIES[name]
    with pytest.raises(BoxError) as caught:
        read(header, moofs, [(200, 2000)])
    assert caught.value.code == code


def test_counts_without_bytes(header: bytes) -> None:
    """2^32-1 samples in 20 bytes, with a default size and without one (TR-6)."""
    for size in (0, 1):
        tfhd = full("tfhd", 0, 0x020010, struct.pack(">II", 1, size))
        trun = full("trun", 0, 1, struct.pack(">Ii", 0xFFFFFFFF, 200))
        data = box("moof", box("traf", tfhd, full("tfdt", 1, 0, bytes(8)), trun))
        with pytest.raises(BoxError) as caught:
            read(header, [(0, data)], [(200, 2000)])
        assert caught.value.code == "bad_table"


def test_no_tfdt_goes_on_and_a_negative_one_is_read_as_such(header: bytes) -> None:
    data = [(0, moof(GOOD, -20, offset=200)), (0, moof(GOOD, None, offset=500))]
    assert list(read(header, data, [(200, 2000)]).dts) == [-20, -10, 0, 10, 20, 30]


def test_other_tracks_are_stepped_over(header: bytes) -> None:
    data = [(0, moof(GOOD, 7, offset=99999, track_id=9)), (0, moof(GOOD, 5, offset=200))]
    assert list(read(header, data, [(200, 2000)]).dts) == [5, 15, 25]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_to_a_fragment_ends_cleanly(
    film: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    home = tmp_path_factory.getbasetemp()
    other = home / "fragmented.mp4"
    if not other.exists():
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(film), "-c", "copy"]
        subprocess.run([*command, *FORMS["cmaf"], str(other)], check=True, timeout=60)
    good = bytearray(other.read_bytes())
    at = good.index(b"moof") - 4
    for place in data.draw(st.lists(st.integers(0, 700), min_size=1, max_size=5)):
        good[at + place] = data.draw(st.integers(0, 255))
    bad = home / "bad.mp4"
    bad.write_bytes(good)
    try:
        register(home / "data", [bad], "bad")
    except VodError as error:
        assert error.code and 400 <= error.status < 600
