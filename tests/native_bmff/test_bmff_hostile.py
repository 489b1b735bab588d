"""Boxes built to break their reader: depth, drips, lists, lies, mutations (TR-1, TR-4..7)."""

import random
import struct
import tracemalloc
from dataclasses import replace

import pytest

from native.bmff import BoxError, SampleEntry, Splitter, Track, parse_chunk, parse_init
from native.bmff.columns import Column
from native.bmff.fragment import segment
from native.bmff.gather import read_runs
from native.bmff.model import Emsg, Prft
from native.bmff.tables import read_samples
from native.bmff.write import box, emsg, full, header, prft, styp

SOUND = bytes(6) + b"\0\1" + bytes(8) + struct.pack(">4HI", 2, 16, 0, 0, 48000 << 16)
ENTRY = box("mp4a", SOUND)
TRACK = Track(1, "soun", 48000, 0, "fra", (SampleEntry("mp4a", ENTRY),))


def movie(entry: bytes, *more: bytes, ftyp: bytes = b"isom\0\0\0\0") -> bytes:
    """A header whose only track has this sample entry."""
    stsd = full("stsd", 0, 0, struct.pack(">I", 1), entry)
    tables = [
        full("stts", 0, 0, struct.pack(">3I", 1, 3, 10)),
        full("ctts", 0, 0, struct.pack(">3I", 1, 2, 5)),
        full("stsc", 0, 0, struct.pack(">4I", 1, 1, 3, 1)),
        full("stco", 0, 0, struct.pack(">2I", 1, 100)),
        full("stsz", 0, 0, struct.pack(">5I", 0, 3, 4, 5, 6)),
        full("stss", 0, 0, struct.pack(">2I", 1, 1)),
    ]
    hdlr = full("hdlr", 0, 0, bytes(4), b"soun", bytes(13))
    mdhd = full("mdhd", 0, 0, struct.pack(">4I2H", 0, 0, 48000, 0, 0, 0))
    mdia = box("mdia", mdhd, hdlr, box("minf", box("stbl", stsd, *tables)))
    edit = full("elst", 0, 0, struct.pack(">IIiI", 1, 5, -1, 1 << 16))
    tkhd = full("tkhd", 0, 7, bytes(8), struct.pack(">I", 1), bytes(68))
    kind = full("kind", 0, 0, b"urn:x\0main\0")
    trak = box("trak", tkhd, mdia, box("edts", edit), box("udta", kind), box("tref", box("cdsc")))
    mvhd = full("mvhd", 0, 0, struct.pack(">4I", 0, 0, 1000, 0), bytes(80))
    trex = full("trex", 0, 0, struct.pack(">5I", 1, 1, 2, 3, 4))
    return box("ftyp", ftyp) + box("moov", mvhd, trak, box("mvex", trex), *more)


def fragment(*values: int, video: bool) -> bytes:
    """A fragment whose sizes, durations, offsets and sync flags are all `values`."""
    column = memoryview(struct.pack(f"{len(values)}q", *values)).cast("q")
    return segment(1, 1000, column, column, column, column, video)[0]


def test_boxes_inside_wave_are_read_one_level_deep() -> None:
    depth = 200_000
    nest = b"".join(struct.pack(">I4s", 8 * (depth - i), b"wave") for i in range(depth))
    assert parse_init(movie(box("mp4a", SOUND, nest))).tracks[0].entry.config == b""
    inside = box("wave", full("esds", 0, 0, b"\x03\x03\0\0\0\x04\x0d\x40" + bytes(12)))
    assert parse_init(movie(box("mp4a", SOUND, inside))).tracks[0].entry.object_type == 0x40


def test_a_short_tenc_is_a_box_error() -> None:
    short = box("sinf", box("schi", box("tenc", b"\0\0")))
    with pytest.raises(BoxError, match="tenc"):
        parse_init(movie(box("enca", SOUND, short)))


@pytest.mark.parametrize(
    "data",
    [
        movie(ENTRY, ftyp=b"isom\0\0\0\0" + b"iso6" * 5000),
        movie(ENTRY, *[box("pssh")] * 5000),
    ],
)
def test_lists_of_tiny_items_end(data: bytes) -> None:
    with pytest.raises(BoxError, match="more than 4096"):
        parse_init(data)


def test_a_chunk_of_events_only_ends() -> None:
    event = box("emsg", bytes(22))
    with pytest.raises(BoxError, match="more than 4096"):
        parse_chunk(event * 5000, TRACK)


def test_a_decode_time_has_no_sign() -> None:
    data = fragment(4, video=False)
    assert parse_chunk(data, TRACK).decode_time == 1000
    at = data.index(b"tfdt") + 8
    with pytest.raises(BoxError, match="decode time"):
        parse_chunk(data[:at] + b"\xff" * 8 + data[at + 8 :], TRACK)


def test_a_splitter_takes_nothing_after_a_fault() -> None:
    splitter = Splitter(100)
    for piece in [b"\0\0\0\2mdat", *[b"\xff" * 7] * 1000]:
        with pytest.raises(BoxError, match="bad_box"):
            splitter.feed(piece)
    assert splitter.pending_bytes == 0


def test_a_drip_costs_no_more_than_its_bytes() -> None:
    size = 1 << 18
    stream = box("moof") + box("mdat", bytes(range(256)) * (size // 256))
    splitter = Splitter(1 << 20)
    tracemalloc.start()
    try:
        units = [unit for i in range(len(stream)) for unit in splitter.feed(stream[i : i + 1])]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [unit.data for unit in units] == [stream]
    assert peak < 4 * size


def test_tables_of_no_data_and_columns_without_end() -> None:
    with pytest.raises(BoxError, match="outside"):
        read_samples(b"", replace(TRACK, tables=(0, 0)), [], 0)
    with pytest.raises(BoxError, match="too long"):
        Column(struct.pack("<IIQq", 0, 0, 1 << 63, 1), 0)
    far = memoryview(struct.pack("q", (1 << 63) - 1)).cast("q")
    one = memoryview(struct.pack("q", 1)).cast("q")
    with pytest.raises(BoxError, match="every file"):
        read_runs(0, b"x", 0, far, one)


SEEDS = [
    movie(ENTRY),
    header(TRACK),
    styp("cmfs", "lmsg")
    + prft(Prft(1, 5, 7, 0))
    + emsg(Emsg(1, "urn:x", "1", 90000, 5, 6, 7, b"data"))
    + fragment(4, 5, 6, 7, video=True),
]
TELLING = (0, 1, 7, 8, 15, 16, 0x7F, 0x80, 0xFF)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """A few octets, words or stretches of `data` changed."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(out))
        match chance.randrange(5):
            case 0:
                out[at] = chance.choice(TELLING)
            case 1:
                out[at] ^= 1 << chance.randrange(8)
            case 2:
                out[at : at + 4] = struct.pack(">I", chance.choice((0, 1, 8, 2**31, 2**32 - 1)))
            case 3:
                del out[at : at + chance.randint(1, 16)]
            case _:
                out[at:at] = out[at : at + chance.randint(1, 64)]
        if not out:
            return b""
    return bytes(out)


def read(data: bytes, chance: random.Random) -> None:
    """Everything that reads hostile bytes; any error but BoxError fails the test."""
    splitter, at = Splitter(1 << 16), 0
    try:
        while at < len(data):
            size = chance.choice((1, 3, 17, 400))
            splitter.feed(data[at : at + size])
            at += size
        splitter.finish()
    except BoxError:
        assert splitter.pending_bytes <= len(data)
    for reader in (lambda: parse_chunk(data, TRACK), lambda: tables(data)):
        try:
            reader()
        except BoxError as error:
            assert error.status >= 400


def tables(data: bytes) -> None:
    for track in parse_init(data).tracks:
        assert len(read_samples(data, track, [(0, 1 << 32)], 1 << 20)) <= 1 << 20


@pytest.mark.slow
def test_mutations_end_in_values_or_box_errors() -> None:
    chance = random.Random(20261121)
    for _ in range(20_000):
        read(mutate(chance.choice(SEEDS), chance), chance)


def test_seeds_of_the_mutations_are_sound() -> None:
    assert parse_init(SEEDS[0]).tracks[0].kinds
    assert parse_init(SEEDS[1]).fragmented
    assert parse_chunk(SEEDS[2], TRACK).emsgs[0].data == b"data"
    assert len(read_samples(SEEDS[0], parse_init(SEEDS[0]).tracks[0], [(0, 200)], 200)) == 3
    with pytest.raises(BoxError):
        tables(b"")
