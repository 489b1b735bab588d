"""Written fragments against a plain-Python reader, chunks that lie, columns, runs and reads."""

import os
import struct
from array import array
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native.bmff import BoxError, Emsg, Prft, SampleEntry, Track, parse_chunk, parse_init, walk
from native.bmff.columns import Column, pack
from native.bmff.fragment import segment
from native.bmff.gather import read_runs
from native.bmff.model import Defaults, Kind
from native.bmff.runs import find_runs, place_runs
from native.bmff.write import box, emsg, full, header, prft, styp

ENTRY = box("mp4a", bytes(6), b"\0\1", bytes(8), struct.pack(">4HI", 2, 16, 0, 0, 48000 << 16))
TRACK = Track(
    7, "soun", 48000, 0, "fra", (SampleEntry("mp4a", ENTRY),), kinds=(Kind("urn:x", "main"),)
)

rows = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.integers(0, 5),
        st.integers(-(1 << 31), (1 << 31) - 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


def read_trun(moof: bytes) -> tuple[list[tuple[int, int, int, int]], int]:
    """Samples (size, duration, cto, flags) and data offset, straight from 8.8.7 and 8.8.8."""
    at = moof.index(b"tfhd") + 4
    flags, _ = struct.unpack_from(">II", moof, at)
    assert flags == 0x020028
    duration, default_flags = struct.unpack_from(">II", moof, at + 8)
    at = moof.index(b"trun") + 4
    flags, count, offset = struct.unpack_from(">IIi", moof, at)
    at += 12
    first = None
    if flags & 4:
        (first,) = struct.unpack_from(">I", moof, at)
        at += 4
    out = []
    for i in range(count):
        values = {0x100: duration, 0x200: 0, 0x400: default_flags, 0x800: 0}
        for bit in values:
            if flags & bit:
                (values[bit],) = struct.unpack_from(">i" if bit == 0x800 else ">I", moof, at)
                at += 4
        if i == 0 and first is not None:
            values[0x400] = first
        out.append((values[0x200], values[0x100], values[0x800], values[0x400]))
    return out, offset


@given(rows, st.booleans(), st.integers(0, 1 << 40))
def test_segment_says_what_the_arrays_say(
    samples: list[tuple[int, int, int, bool]], video: bool, decode_time: int
) -> None:
    if not video:
        samples = [(size, duration, cto, True) for size, duration, cto, _ in samples]
    columns = [array("q", [int(row[i]) for row in samples]) for i in range(4)]
    data, at = segment(9, decode_time, *columns, video)  # type: ignore[call-arg]
    boxes = {b.kind: b for b in walk(data)}
    moof, mdat = boxes["moof"], boxes["mdat"]
    found, offset = read_trun(data[moof.start : moof.end])
    assert moof.start + offset == mdat.body == at
    assert mdat.end - mdat.body == sum(row[0] for row in samples)
    for got, (size, duration, cto, sync) in zip(found, samples, strict=True):
        assert got == (size, duration, cto, 0x02000000 if sync else 0x01010000)
    chunk = parse_chunk(data, replace(TRACK, id=1))
    assert (chunk.sequence, chunk.decode_time, chunk.samples) == (9, decode_time, len(samples))
    assert chunk.duration == sum(row[1] for row in samples)
    assert chunk.independent == samples[0][3]
    times = [
        decode_time + sum(row[1] for row in samples[:i]) + row[2] for i, row in enumerate(samples)
    ]
    assert chunk.earliest_pts == min(times)
    assert chunk.brands == ("msdh", "msdh", "msix", "cmfs")


def chunk_of(trun: bytes, *, tfhd: bytes | None = None, tfdt: bytes | None = None) -> bytes:
    tfhd = tfhd if tfhd is not None else full("tfhd", 0, 0x020000, struct.pack(">I", 7))
    tfdt = tfdt if tfdt is not None else full("tfdt", 1, 0, struct.pack(">Q", 5))
    moof = box("moof", full("mfhd", 0, 0, bytes(4)), box("traf", tfhd, tfdt, trun))
    return moof + box("mdat", bytes(100))


BIG = struct.pack(">I", 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (chunk_of(full("trun", 0, 0, BIG)), "bad_table"),
        (chunk_of(full("trun", 0, 0x200, BIG, bytes(8))), "bad_table"),
        (chunk_of(full("trun", 0, 0xF00, BIG, bytes(16))), "bad_table"),
        (chunk_of(full("trun", 0, 0x200, struct.pack(">II", 1, 101))), "offset_out_of_file"),
        (chunk_of(full("trun", 0, 0x201, struct.pack(">IiI", 1, -50, 9))), "offset_out_of_file"),
        (
            chunk_of(full("trun", 0, 0x201, struct.pack(">IiI", 1, 2**31 - 1, 9))),
            "offset_out_of_file",
        ),
        (chunk_of(full("trun", 0, 0, struct.pack(">I", 0))), "bad_table"),
        (chunk_of(b""), "bad_table"),
        (chunk_of(b"", tfdt=b""), "bad_box"),
        (chunk_of(b"", tfhd=full("tfhd", 0, 0x020000, struct.pack(">I", 8))), "wrong_track"),
        (chunk_of(b"", tfhd=full("tfhd", 0, 1, struct.pack(">IQ", 7, 0))), "bad_box"),
        (box("moof") + box("mdat"), "bad_box"),
        (box("mdat"), "bad_box"),
        (box("moof"), "truncated"),
        (b"", "truncated"),
    ],
)
def test_lying_chunks(data: bytes, code: str) -> None:
    with pytest.raises(BoxError) as caught:
        parse_chunk(data, TRACK)
    assert caught.value.code == code


@given(st.data())
def test_any_damage_ends_in_a_chunk_or_a_box_error(data: st.DataObject) -> None:
    trun = full("trun", 1, 0xF01, struct.pack(">Ii8I", 2, 92, 1, 30, 0, 0, 1, 30, 0, 0))
    good = bytearray(styp("msdh", "lmsg") + chunk_of(trun))
    for at in data.draw(st.lists(st.integers(0, len(good) - 1), max_size=4)):
        good[at] = data.draw(st.integers(0, 255))
    try:
        parse_chunk(bytes(good), TRACK)
    except BoxError as error:
        assert 400 <= error.status < 500


def test_trex_defaults_and_boxes_before_the_moof() -> None:
    event = Emsg(1, "urn:s", "v", 90000, 1 << 40, 5, 6, b"data")
    clock = Prft(7, 1 << 60, 1 << 40, 24)
    trun = full("trun", 0, 1, struct.pack(">Ii", 3, 96))
    data = styp("msdh", "lmsg") + prft(clock) + emsg(event) + chunk_of(trun)
    track = replace(TRACK, defaults=Defaults(1, 1024, 20, 0x01010000))
    chunk = parse_chunk(data, track)
    assert (chunk.samples, chunk.duration, chunk.independent) == (3, 3072, False)
    assert "lmsg" in chunk.brands
    assert (chunk.prft, chunk.emsgs) == (clock, (event,))


def test_header_is_read_back() -> None:
    movie = parse_init(header(TRACK))
    (track,) = movie.tracks
    assert movie.fragmented
    assert movie.brands[0] == "cmf2"
    assert (track.id, track.handler, track.timescale, track.language) == (1, "soun", 48000, "fra")
    assert track.kinds == TRACK.kinds
    assert track.entry.data == ENTRY
    assert (track.entry.channels, track.entry.sample_rate) == (2, 48000)
    long_name = parse_init(header(replace(TRACK, language="pt-BR"))).tracks[0]
    assert long_name.language == "pt-BR"


@given(st.binary(max_size=200), st.integers(0, 600))
def test_damaged_headers_end_in_a_movie_or_a_box_error(noise: bytes, at: int) -> None:
    good = header(TRACK)
    data = good[:at] + noise + good[at + len(noise) :]
    try:
        parse_init(data)
    except BoxError as error:
        assert 400 <= error.status < 500


integers = st.one_of(
    st.integers(0, 3), st.integers(0, 65535), st.integers(-(1 << 31), (1 << 31) - 1)
) | st.integers(-(1 << 63), (1 << 63) - 1)


@given(st.lists(integers, max_size=600), st.data())
def test_columns_give_back_what_they_were_given(values: list[int], data: st.DataObject) -> None:
    packed = pack(array("q", values))
    column = Column(b"\0" * 8 + packed, 8)
    assert (column.rows, column.end) == (len(values), 8 + len(packed))
    a = data.draw(st.integers(0, len(values)))
    b = data.draw(st.integers(a, len(values)))
    assert list(column.slice(a, b)) == values[a:b]
    with pytest.raises(BoxError):
        column.slice(0, len(values) + 1)
    with pytest.raises(BoxError):
        Column(packed[:-1], 0)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=1, max_size=40), st.data()
)
def test_runs_lead_to_every_sample(samples: list[tuple[int, int]], data: st.DataObject) -> None:
    source = os.urandom(2000)
    offsets, at = [], 0
    for gap, size in samples:
        at += gap * (gap > 15)
        offsets.append(at)
        at += size
    sizes = [size for _, size in samples]
    inner = data.draw(st.lists(st.integers(0, len(samples)), max_size=4))
    bounds = sorted([0, *inner, len(samples)])
    counts, gaps, first_run, first_byte, lengths = find_runs(
        array("q", offsets), array("I", sizes), array("q", bounds)
    )
    for s, (a, b) in enumerate(pairwise(bounds)):
        low, high = first_run[s], first_run[s + 1]
        starts, long = place_runs(
            array("q", sizes[a:b]), counts[low:high], gaps[low:high], first_byte[s]
        )
        media = b"".join(source[x : x + n] for x, n in zip(starts, long, strict=True))
        assert media == b"".join(
            source[x : x + n] for x, n in zip(offsets[a:b], sizes[a:b], strict=True)
        )
        assert len(media) == lengths[s]


@given(
    st.lists(st.tuples(st.integers(0, 90_000), st.integers(0, 3000)), max_size=12), st.booleans()
)
def test_media_is_read_in_place(runs: list[tuple[int, int]], forward: bool) -> None:
    source = os.urandom(1 << 17)
    if forward:
        runs = sorted(runs)
    fd = os.memfd_create("source")
    try:
        os.write(fd, source)
        want = b"".join(source[a : a + n] for a, n in runs)
        out = bytes(bytearray(b"head" + b"\0" * len(want)))
        starts, lengths = array("q", [a for a, _ in runs]), array("q", [n for _, n in runs])
        assert read_runs(fd, out, 4, starts, lengths)
        assert out == b"head" + want
    finally:
        os.close(fd)


def test_a_short_file_is_truncated_and_never_a_short_body(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(b"x" * 100)
    with path.open("rb") as file, pytest.raises(BoxError, match="truncated"):
        read_runs(file.fileno(), bytes(bytearray(60)), 0, array("q", [50]), array("q", [60]))
    with path.open("rb") as file, pytest.raises(BoxError, match="bad_table"):
        read_runs(file.fileno(), bytes(bytearray(10)), 0, array("q", [50]), array("q", [60]))
