"""Sample entries as they are served (TR-53, TR-54)."""

import struct
from pathlib import Path

import pytest
from origin_rigs.outputs_rig import Title
from origin_rigs.recipes import made, recipe

from native.bmff import parse_init, walk
from native.bmff.model import SampleEntry, Track
from native.bmff.tables import Samples
from native.bmff.write import box, full
from native.cenc.avc import interlaced
from native.cenc.errors import SampleError
from origin.vod import Library, entries, register

X264 = ["-f", "lavfi", "-i", "testsrc2=s=128x72:r=24:d=4", "-c:v", "libx264", "-g", "48",
        "-pix_fmt", "yuv420p"]  # fmt: skip


def entry_of(film: Path, home: Path, track: str = "v72") -> SampleEntry:
    register(home, [film], "film")
    return parse_init(Title(Library(home)).get(f"{track}/init.mp4")).tracks[0].entry


def kinds(entry: SampleEntry, at: int = 86) -> list[str]:
    return [b.kind for b in walk(entry.data, at)]


def test_hev1_with_its_sets_is_hvc1(tmp_path: Path) -> None:
    """TR-54: Apple plays hvc1 alone; the arrays say that they are complete."""
    source = parse_init(recipe("hev1_inband").read_bytes()).tracks[0].entry
    entry = entry_of(recipe("hev1_inband"), tmp_path)
    assert (source.fourcc, entry.fourcc) == ("hev1", "hvc1")
    assert entry.config[23] & 0x80 and entry.config[:22] == source.config[:22]
    master = Title(Library(tmp_path)).get("master.m3u8").decode()
    assert 'CODECS="hvc1.1.6.L30.90' in master


def test_hev1_without_sets_stays(tmp_path: Path) -> None:
    config = bytes(22) + b"\0"
    entry = SampleEntry("hev1", box("hev1", bytes(78), box("hvcC", config)), "hvcC", config)
    samples = one_sample()
    assert entries.served(track(entry), samples, 0, 1).entry.fourcc == "hev1"
    for lie in (b"\x04", b"\x01\xa0\xff\xff\xff\xff"):
        cut = bytes(22) + lie
        entry = SampleEntry("hev1", box("hev1", bytes(78), box("hvcC", cut)), "hvcC", cut)
        assert entries.served(track(entry), samples, 0, 1).entry.fourcc == "hev1"


def track(entry: SampleEntry) -> Track:
    return Track(1, "vide", 1000, 0, "und", (entry,))


def one_sample() -> Samples:
    samples = Samples(1)
    samples.size[0], samples.duration[0] = 500, 2000
    return samples


def test_what_is_kept_and_what_goes() -> None:
    """TR-53"""
    keep = box("pasp", struct.pack(">2I", 4, 3)) + box("mdcv", bytes(24)) + box("clli", bytes(4))
    keep += box("dvvC", bytes(24)) + box("clap", bytes(32))
    colour = box("colr", b"nclc", struct.pack(">3H", 9, 16, 9))
    gone = box("fiel", b"\1\0") + box("gama", bytes(4)) + box("btrt", bytes(12))
    config = bytes.fromhex("0164000affe10001670100ff28")
    data = box("avc3", bytes(78), box("avcC", config), gone, keep, colour)
    entry = entries.served(
        track(SampleEntry("avc3", data, "avcC", config)), one_sample(), 0, 1
    ).entry
    assert kinds(entry) == ["avcC", "pasp", "mdcv", "clli", "dvvC", "clap", "colr", "btrt"]
    assert box("colr", b"nclx", struct.pack(">3HB", 9, 16, 9, 0)) in entry.data
    assert entry.fourcc == "avc3"  # its record is cut: what it lacks may be in the samples
    assert struct.unpack(">3I", entry.data[-12:]) == (0, 4000, 2000)


@pytest.mark.parametrize("track", ["v72", "a-und"])
def test_bit_rates_are_those_of_the_samples(track: str, tmp_path: Path) -> None:
    entry = entry_of(recipe("base"), tmp_path, track)
    at = 86 if track == "v72" else 36
    (rate,) = (entry.data[b.body : b.end] for b in walk(entry.data, at) if b.kind == "btrt")
    _, most, average = struct.unpack(">3I", rate)
    total = 0
    for n in (1,):
        data = Title(Library(tmp_path)).get(f"{track}/{n}.m4s")
        total += sum(b.end - b.body for b in walk(data) if b.kind == "mdat")
    assert abs(average - total * 8 / 4) < 0.03 * average and average <= most < 3 * average


def test_avc3_with_its_sets_is_avc1(tmp_path: Path) -> None:
    film = made("avc3", [*X264, "-tag:v", "avc3", "-movflags", "+faststart"])
    entry = entry_of(film, tmp_path)
    assert entry.fourcc == "avc1"


def test_sound_of_quicktime_is_left_as_it_is() -> None:
    data = box("mp4a", bytes(8), b"\0\1", bytes(26), full("esds", 0, 0, bytes(4)))
    mine = Track(1, "soun", 1000, 0, "und", (SampleEntry("mp4a", data),))
    assert entries.served(mine, one_sample(), 0, 1) is mine


def test_what_browsers_cannot_show_is_noted(tmp_path: Path) -> None:
    """TR-74"""
    tens = [*X264[:-1], "yuv420p10le"]
    (note,) = register(tmp_path, [made("tens", tens)], "film").notes
    assert "v72 is AVC of 10 bits" in note


def test_interlaced_pictures_are_told_of(tmp_path: Path) -> None:
    """TR-74: to who packages and to players of DASH, as the parameter sets have it."""
    told = register(tmp_path, [recipe("interlaced")], "film")
    assert "interlaced.mp4: v96 may be interlaced; browsers show combs" in told.notes
    mpd = Title(Library(tmp_path)).get("manifest.mpd").decode()
    assert 'scanType="interlaced"' in mpd
    assert not any("interlaced" in n for n in register(tmp_path, [recipe("base")], "film").notes)
    assert "scanType" not in Title(Library(tmp_path)).get("manifest.mpd").decode()


def test_parameter_sets_that_cannot_be_read_say_nothing_of_fields() -> None:
    record = parse_init(recipe("interlaced").read_bytes()).tracks[0].entry.config
    assert interlaced(record)
    for size in range(len(record) - 1):
        try:
            interlaced(record[:size])
        except SampleError as error:
            assert error.code in ("config", "slice_header")
