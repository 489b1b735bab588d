"""What headers and manifests say of pictures is what the pictures say (TR-32, TR-52..TR-54)."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
from origin_rigs.outputs_rig import Title
from origin_rigs.protection_rig import frames
from origin_rigs.recipes import made, recipe

from native.bmff import parse_init
from native.bmff.model import Colour, SampleEntry
from native.cenc import avc, hevc
from native.cenc.errors import SampleError
from origin.codecs import brands
from origin.tracks import Rendition, VideoRange
from origin.vod import Library, entries, register

X264 = ["-f", "lavfi", "-i", "testsrc2=s=128x72:r=24:d=4", "-c:v", "libx264", "-g", "48",
        "-pix_fmt", "yuv420p", "-threads", "1"]  # fmt: skip


def served(film: Path, home: Path, segment_s: int = 4) -> Title:
    register(home, [film], "film", segment_s=Fraction(segment_s))
    return Title(Library(home))


def changed(name: str, folder: Path, old: bytes, new: bytes, *, film: Path | None = None) -> Path:
    data = (film or recipe(name)).read_bytes()
    assert data.count(old) >= 1
    path = folder / f"{name}.mp4"
    path.write_bytes(data.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("name", "independent", "sap"), [("open_265", False, 3), ("closed_265", True, 1)]
)
def test_starts_of_open_gops_are_told(
    name: str, independent: bool, sap: int, tmp_path: Path
) -> None:
    """TR-32: no player is promised what its decoder cannot show. I frames stand alone anyhow."""
    title = served(recipe(name), tmp_path, 1)
    for leaf in ("master.m3u8", "v72/media.m3u8"):
        assert ("INDEPENDENT-SEGMENTS" in title.get(leaf).decode()) == independent, leaf
    assert "INDEPENDENT-SEGMENTS" in title.get("v72/iframe.m3u8").decode()
    mpd = title.get("manifest.mpd").decode()
    assert re.findall(r'startWithSAP="(\d)"', mpd) == [str(sap), "1"]


@pytest.mark.parametrize(("name", "transfer", "told"), [("hdr10", 16, "PQ"), ("hlg", 18, "HLG")])
def test_colours_of_the_parameter_sets_are_told(
    name: str, transfer: int, told: VideoRange, tmp_path: Path
) -> None:
    """TR-53, TR-64: where there is no colr box."""
    film = tmp_path / "film.mp4"
    film.write_bytes(recipe(name).read_bytes().replace(b"colrnclx", b"freenclx"))
    title = served(film, tmp_path)
    entry = parse_init(title.get("v72/init.mp4")).tracks[0].entry
    assert entry.colour == Colour(9, transfer, 9, False)
    assert f"VIDEO-RANGE={told}" in title.get("master.m3u8").decode()


def test_a_colr_box_beats_the_parameter_sets() -> None:
    entry = parse_init(recipe("hdr10").read_bytes()).tracks[0].entry
    mine = SampleEntry(
        **{f: getattr(entry, f) for f in entry.__slots__} | {"colour": Colour(1, 1, 1, True)}
    )
    assert entries.completed(mine, []).colour == Colour(1, 1, 1, True)


def test_the_shape_of_pixels_comes_from_the_parameter_sets(tmp_path: Path) -> None:
    title = served(changed("sar", tmp_path, b"pasp", b"free"), tmp_path)
    assert parse_init(title.get("v116/init.mp4")).tracks[0].entry.pixel_aspect == (64, 45)
    assert 'sar="64:45"' in title.get("manifest.mpd").decode()


def test_a_record_without_sets_gets_those_of_the_first_key_frame(tmp_path: Path) -> None:
    """TR-54: as Dolby's own films of profile 8 have it."""
    config = parse_init(recipe("hev1_inband").read_bytes()).tracks[0].entry.config
    bare = changed("hev1_inband", tmp_path, config[:23], config[:22] + b"\0")
    title = served(bare, tmp_path)
    entry = parse_init(title.get("v72/init.mp4")).tracks[0].entry
    assert entry.fourcc == "hvc1" and entry.config[22] == 3
    assert hevc.shown(entry.config) == hevc.shown(config)
    pictures = frames(title.get("v72/init.mp4") + title.get("v72/1.m4s"), tmp_path)
    assert [line.split(",")[-1] for line in pictures] == [
        line.split(",")[-1]
        for line in frames(recipe("hev1_inband").read_bytes(), tmp_path)
        if line.startswith("0,")
    ]


def test_avc3_without_sets_gets_those_of_the_first_key_frame(tmp_path: Path) -> None:
    film = made("avc3_repeating", [*X264, "-x264-params", "repeat-headers=1", "-tag:v", "avc3"])
    config = parse_init(film.read_bytes()).tracks[0].entry.config
    bare = changed("avc3", tmp_path, config, config[:5] + b"\xe0\0" + config[7:], film=film)
    title = served(bare, tmp_path)
    entry = parse_init(title.get("v72/init.mp4")).tracks[0].entry
    assert entry.fourcc == "avc1" and entry.config[5:8] == config[5:8]
    pictures = frames(title.get("v72/init.mp4") + title.get("v72/1.m4s"), tmp_path)
    told = frames(film.read_bytes(), tmp_path)
    assert [p.split(",")[-1] for p in pictures] == [p.split(",")[-1] for p in told]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("base", "cfsd"),
        ("closed_265", "chhd"),
        ("hdr10", ""),
        ("interlaced", ""),
        ("surround", "cfsd"),
    ],
)
def test_headers_name_the_media_profile(name: str, told: str, tmp_path: Path) -> None:
    """TR-52"""
    title = served(recipe(name), tmp_path)
    rung = re.findall(r"^(v\d+)/media", title.get("master.m3u8").decode(), re.M)[0]
    movie = parse_init(title.get(f"{rung}/init.mp4"))
    assert list(movie.brands[6:]) == ([told] if told else [])


@pytest.mark.parametrize(
    ("kind", "profile", "level", "size", "rate", "told"),
    [
        ("avcC", 100, 31, (864, 576), 60, ("cfsd",)),
        ("avcC", 100, 31, (866, 576), 60, ("cfhd",)),
        ("avcC", 100, 40, (1920, 1080), 61, ()),
        ("avcC", 100, 42, (1920, 1080), 60, ("chdf",)),
        ("avcC", 100, 50, (1920, 1080), 60, ()),
        ("avcC", 110, 31, (640, 360), 24, ()),
        ("hvcC", 1, 123, (1920, 1080), 60, ("chhd",)),
        ("hvcC", 1, 150, (3840, 2160), 60, ("cud8",)),
        ("hvcC", 2, 123, (1920, 1080), 50, ("chh1",)),
        ("hvcC", 2, 153, (3840, 2160), 60, ("cud1",)),
        ("hvcC", 2, 156, (3840, 2160), 60, ()),
    ],
)
def test_media_profiles_end_where_they_say(
    kind: str, profile: int, level: int, size: tuple[int, int], rate: int, told: tuple[str, ...]
) -> None:
    config = bytearray(23)
    config[1], config[3 if kind == "avcC" else 12] = profile, level
    entry = SampleEntry("avc1", b"", kind, bytes(config))
    rendition = Rendition(
        "v", "video", "", 1, width=size[0], height=size[1], frame_rate=Fraction(rate)
    )
    assert brands(entry, rendition) == told


def test_records_that_are_cut_say_nothing() -> None:
    for name, shown in (("sar", avc.shown), ("hdr10", hevc.shown)):
        config = parse_init(recipe(name).read_bytes()).tracks[0].entry.config
        assert shown(config)
        for size in range(len(config)):
            try:
                shown(config[:size])
            except SampleError as error:
                assert error.code in ("config", "slice_header")
    entry = SampleEntry("hev1", b"\0\0\0\x08hev1", "hvcC", bytes(22))
    assert entries.completed(entry, []) is entry
