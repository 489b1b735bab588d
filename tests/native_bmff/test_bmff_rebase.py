"""Chunks moved along the timeline, read back by the parser and byte by byte."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native.bmff import BoxError, Emsg, Prft, SampleEntry, Track, parse_chunk, walk
from native.bmff.rebase import rebase
from native.bmff.write import box, emsg, full, prft, sidx, styp

ENTRY = box("mp4a", bytes(6), b"\0\1", bytes(8), struct.pack(">4HI", 2, 16, 0, 0, 48000 << 16))
TRACK = Track(7, "soun", 48000, 0, "und", (SampleEntry("mp4a", ENTRY),))
MEDIA = bytes(range(60))


def large(data: bytes) -> bytes:
    """The same box with a 64-bit size."""
    return struct.pack(">I4sQ", 1, data[4:8], len(data) + 8) + data[8:]


def unit(version: int, time: int, *, wide: bool = False, offsets: str = ">I") -> bytes:
    """A chunk with everything that names a place or a time; saio points at tfhd and into mdat."""

    def moof(data_offset: int) -> bytes:
        tfdt = full("tfdt", version, 0, struct.pack(">Q" if version else ">I", time))
        truns = (
            full("trun", 0, 0x301, struct.pack(">Ii4I", 2, data_offset, 1024, 20, 1024, 20)),
            full("trun", 0, 0x300, struct.pack(">3I", 1, 1024, 20)),
        )
        places = struct.pack(offsets[0] + 2 * offsets[1], 40, data_offset)
        saio = full("saio", offsets == ">Q", 1, b"cenc", bytes(4), struct.pack(">I", 2), places)
        tfhd = full("tfhd", 0, 0x020000, struct.pack(">I", 7))
        traf = box("traf", tfhd, tfdt, *truns, saio)
        traf = large(traf) if wide else traf
        whole = box("moof", full("mfhd", 0, 0, struct.pack(">I", 3)), traf)
        return large(whole) if wide else whole

    return moof(len(moof(0)) + 8) + box("mdat", MEDIA)


def places(data: bytes, layout: str) -> tuple[int, int]:
    at = data.index(b"saio") + 20
    return struct.unpack_from(layout[0] + 2 * layout[1], data, at)


@given(
    st.integers(0, 1),
    st.booleans(),
    st.sampled_from([">I", ">Q"]),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 1 << 50),
)
def test_a_moved_chunk_differs_in_time_alone(
    version: int, wide: bool, offsets: str, time: int, ticks: int
) -> None:
    data = unit(version, time, wide=wide, offsets=offsets)
    moved = rebase(data, ticks, 48000)
    before, after = parse_chunk(data, TRACK), parse_chunk(moved, TRACK)
    assert after.decode_time == before.decode_time + ticks
    assert (after.duration, after.samples) == (before.duration, before.samples)
    grown = len(moved) - len(data)
    assert grown == (4 if not version and time + ticks >> 32 else 0)
    assert moved[after.mdat.body :] == MEDIA
    (trun,) = struct.unpack_from(">i", moved, moved.index(b"trun") + 12)
    assert after.moof.start + trun == after.mdat.body
    assert places(moved, offsets) == (40, trun), "what stands before the tfdt stays"
    back = rebase(moved, -ticks, 48000)
    assert parse_chunk(back, TRACK).decode_time == time
    assert grown or back == data


def test_what_stands_before_the_moof_moves_along() -> None:
    ticks = 48000 * 1000
    narrow = full("prft", 0, 24, struct.pack(">IQI", 7, 5, 9))
    relative = full("emsg", 0, 0, b"urn:a\0v\0", struct.pack(">4I", 1000, 50, 1, 2), b"x")
    absolute = emsg(Emsg(1, "urn:b", "v", 1000, 70, 1, 3, b"y"))
    index = sidx(7, 48000, 0, [(500, 3072, True)])
    front = styp("msdh", "lmsg") + narrow + relative + absolute + index
    data = front + unit(0, 100)
    moved = rebase(data, ticks, 48000)
    assert [b.kind for b in walk(moved)] == ["styp", "prft", "emsg", "emsg", "moof", "mdat"]
    chunk = parse_chunk(moved, TRACK)
    assert chunk.prft == Prft(7, 5, 9 + ticks, 24)
    assert [(e.scheme, e.time) for e in chunk.emsgs] == [("urn:a", 50), ("urn:b", 70 + 10**6)]
    assert "lmsg" in chunk.brands
    again = rebase(prft(Prft(7, 5, 9, 24)) + unit(1, 100), ticks, 48000)
    assert parse_chunk(again, TRACK).prft == chunk.prft


def test_lies_end_in_a_box_error() -> None:
    data = unit(0, 100)
    with pytest.raises(BoxError):
        rebase(data, -101, 48000)
    count = data.index(b"saio") + 16
    lie = data[:count] + b"\xff" * 4 + data[count + 4 :]
    parse_chunk(lie, TRACK)
    with pytest.raises(BoxError) as caught:
        rebase(lie, 1 << 40, 48000)
    assert caught.value.code == "bad_table"


@given(st.data())
def test_any_damage_ends_in_a_chunk_or_a_box_error(data: st.DataObject) -> None:
    good = bytearray(styp("msdh") + unit(0, 100))
    for at in data.draw(st.lists(st.integers(0, len(good) - 61), max_size=4)):
        good[at] = data.draw(st.integers(0, 255))
    try:
        parse_chunk(good, TRACK)
        parse_chunk(rebase(bytes(good), 1 << 40, 48000), TRACK)
    except BoxError as error:
        assert 400 <= error.status < 500
