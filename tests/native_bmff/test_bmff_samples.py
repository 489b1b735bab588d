"""Samples of a chunk, one by one, against the kernel that sums them and a plain second reading."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native.bmff import BoxError, parse_chunk
from native.bmff.model import Defaults, SampleEntry, Track
from native.bmff.samples import read_chunk_samples
from native.bmff.write import box, fragment, full

TRACK = Track(
    3, "vide", 1000, 0, "und", (SampleEntry("avc1", b""),), defaults=Defaults(1, 40, 2, 0x10000)
)
RUNS = st.lists(
    st.tuples(
        st.integers(0, 15).map(lambda bits: bits << 8),  # which columns
        st.booleans(),  # first-sample-flags
        st.lists(
            st.tuples(st.integers(0, 90), st.integers(0, 9), st.booleans(), st.integers(-50, 50)),
            max_size=5,
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(RUNS, st.integers(0, 15), st.integers(0, 2**40))
def test_samples_of_any_chunk(
    runs: list[tuple[int, bool, list[tuple[int, int, bool, int]]]], head: int, time: int
) -> None:
    """Columns that are left out come from tfhd, then trex; a run follows the one before."""
    tfhd_flags = (head & 7) << 3 | 0x020000
    defaults = [41 if tfhd_flags & 8 else 40, 3 if tfhd_flags & 16 else 2]
    default_sync = bool(tfhd_flags & 32)
    extra = b"".join(
        struct.pack(">I", value) for bit, value in ((8, 41), (16, 3), (32, 0)) if tfhd_flags & bit
    )
    expected, truns, payload, now = [], b"", b"", time
    for columns, first_flags, rows in runs:
        flags = columns | (4 if first_flags and not columns & 0x400 else 0)
        table = b""
        for index, (duration, size, sync, cto) in enumerate(rows):
            duration = duration if columns & 0x100 else defaults[0]
            size = size if columns & 0x200 else defaults[1]
            synced = sync if columns & 0x400 else default_sync
            synced = True if flags & 4 and index == 0 else synced
            cto = cto if columns & 0x800 else 0
            for bit, layout, value in (
                (0x100, ">I", duration), (0x200, ">I", size),
                (0x400, ">I", 0 if sync else 0x10000), (0x800, ">i", cto),
            ):  # fmt: skip
                table += struct.pack(layout, value) if columns & bit else b""
            data = bytes([len(expected) & 255]) * size
            expected.append((now, duration, cto, synced, data))
            payload += data
            now += duration
        first = struct.pack(">I", 0) if flags & 4 else b""
        truns += full("trun", 1, flags, struct.pack(">I", len(rows)), first, table)
    traf = box(
        "traf",
        full("tfhd", 0, tfhd_flags, struct.pack(">I", 3), extra),
        full("tfdt", 1, 0, struct.pack(">Q", time)),
        truns,
    )
    data = box("moof", full("mfhd", 0, 0, bytes(4)), traf) + box("mdat", payload)
    try:
        chunk = parse_chunk(data, TRACK)
    except BoxError as error:
        assert error.code == "bad_table" and not expected
        return
    found = read_chunk_samples(data, TRACK)
    read = [(s.decode_time, s.duration, s.cto, s.sync, data[s.start : s.end]) for s in found]
    assert read == expected
    assert (chunk.samples, chunk.duration) == (len(found), sum(s.duration for s in found))
    assert chunk.earliest_pts == min(s.decode_time + s.cto for s in found)
    assert read_chunk_samples(data, TRACK, limit=1) == found[:1]


@given(
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**61),
    st.lists(st.tuples(st.integers(1, 10**6), st.binary(max_size=9)), min_size=1, max_size=6),
)
def test_fragments_read_back(number: int, time: int, parts: list[tuple[int, bytes]]) -> None:
    track = Track(number, "text", 1000, 0, "und", (SampleEntry("wvtt", b""),))
    data = fragment(number, 9, time, parts)
    chunk = parse_chunk(data, track)
    assert (chunk.sequence, chunk.decode_time, chunk.independent) == (9, time, True)
    found = read_chunk_samples(data, track, chunk=chunk)
    assert [(s.duration, data[s.start : s.end]) for s in found] == parts
    assert all(s.sync and not s.cto for s in found)


def test_a_billion_empty_samples_cost_nothing() -> None:
    """A count without bytes amplifies: only as many rows as were asked for are made."""
    trun = full("trun", 0, 0, struct.pack(">I", 1 << 24))
    tfhd = full("tfhd", 0, 0x020018, struct.pack(">3I", 3, 1, 0))
    traf = box("traf", tfhd, full("tfdt", 1, 0, bytes(8)), trun)
    data = box("moof", full("mfhd", 0, 0, bytes(4)), traf) + box("mdat")
    assert parse_chunk(data, TRACK).samples == 1 << 24
    assert len(read_chunk_samples(data, TRACK)) == 4096


def test_a_sample_outside_of_its_mdat() -> None:
    """The kernel checks each run as a whole; a run that moves on by itself is checked here too."""
    trun = full("trun", 0, 0x201, struct.pack(">IiI", 1, 5000, 4))
    tfhd = full("tfhd", 0, 0x020000, struct.pack(">I", 3))
    traf = box("traf", tfhd, full("tfdt", 1, 0, bytes(8)), trun)
    data = box("moof", full("mfhd", 0, 0, bytes(4)), traf) + box("mdat", bytes(4))
    with pytest.raises(BoxError) as caught:
        read_chunk_samples(data, TRACK)
    assert caught.value.code == "offset_out_of_file"
