"""From headers to what players are told: known answers of specs/tracks.md section 5."""

import re
from dataclasses import replace
from fractions import Fraction

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin_rigs.events_rig import EVTE, URIM, event_header
from origin_rigs.text_rig import STPP, STPP_HEADER, WVTT_HEADER, text_header

from native.bmff import parse_init, write
from native.bmff.model import Colour, Kind, SampleEntry, Track
from native.bmff.write import box
from origin import hls
from origin.codecs import brands, codec_string
from origin.dash.sets import _channels
from origin.describe import describe
from origin.errors import OriginError, UnsupportedMedia
from origin.hls.groups import audio_groups, member
from origin.languages import tag
from origin.layouts import layout
from origin.tracks import Rendition

VISUAL = bytes(78)


def entry(fourcc: str, config: str = "", **more: object) -> SampleEntry:
    base = SampleEntry(fourcc, b"", "", bytes.fromhex(config))
    return replace(base, **more)  # type: ignore[arg-type]


def dolby(fourcc: str, kind: str, profile: int, level: int, compatible: int) -> SampleEntry:
    word = profile << 17 | level << 11 | 0b101 << 8 | compatible << 4
    record = box(kind, b"\1\0" + word.to_bytes(3, "big") + bytes(19))
    return entry(fourcc, "0102200000009000000000001e", data=box(fourcc, VISUAL, record))


KNOWN = [  # specs/tracks.md section 5
    (entry("avc1", "0164000a"), "avc1.64000a"),
    (entry("hvc1", "010160000000900000000000 1e"), "hvc1.1.6.L30.90"),
    (entry("hvc1", "010220000000900000000000 1e"), "hvc1.2.4.L30.90"),
    (entry("av01", "81004c00"), "av01.0.00M.10"),
    (
        entry("av01", "81084c00", colour=Colour(9, 16, 9, False)),
        "av01.0.08M.10.0.110.09.16.09.0",
    ),
    (entry("ac-3", "103dc0"), "ac-3"),
    (entry("ec-3", "0600200f00"), "ec-3"),
    (entry("Opus", "0006013800"), "Opus"),
    (entry("wvtt"), "wvtt"),
    (entry("stpp"), "stpp.ttml.im1t"),
    (entry("stpp", data=b"application/ttml+xml;codecs=im1i"), "stpp.ttml.im1i"),
    (entry("mp4a", object_type=0x40, setup=bytes.fromhex("118856e500")), "mp4a.40.2"),
    (entry("mp4a", object_type=0x40, setup=bytes.fromhex("131056e598")), "mp4a.40.5"),
    (entry("mp4a", object_type=0x40, setup=bytes.fromhex("130856e59d4880")), "mp4a.40.29"),
    (entry("mp4a", object_type=0x40, setup=bytes.fromhex("2b118800")), "mp4a.40.5"),
    (dolby("dvh1", "dvcC", 5, 6, 0), "dvh1.05.06"),
    (dolby("hvc1", "dvvC", 8, 6, 1), "hvc1.2.4.L30.90"),
]


@pytest.mark.parametrize(("given_entry", "codec"), KNOWN)
def test_codec_strings(given_entry: SampleEntry, codec: str) -> None:
    assert codec_string(given_entry) == codec


def track(given_entry: SampleEntry, handler: str = "soun", **more: object) -> Track:
    return replace(Track(1, handler, 48000, 0, "und", (given_entry,)), **more)  # type: ignore[arg-type]


CHANNELS = [  # TR-55, TR-65, TR-72
    (entry("ac-3", "103dc0", channels=2), (6, 0)),
    (entry("ec-3", "0600200f00", channels=2), (6, 0)),
    (entry("ec-3", "0600200f000110", channels=2), (6, 16)),
    (entry("ec-3", "0600200f0202", channels=2), (8, 0)),  # dependent substream: Lrs and Rrs
    (entry("Opus", "000601380000bb80000001", channels=2), (6, 0)),
    (entry("mp4a", object_type=0x40, setup=b"\x11\xb0", channels=2), (6, 0)),
    (entry("mp4a", object_type=0x40, setup=b"\x11\x88", channels=2), (1, 0)),
]


@pytest.mark.parametrize(("given_entry", "count"), CHANNELS)
def test_channels(given_entry: SampleEntry, count: tuple[int, int]) -> None:
    assert layout(track(given_entry))[:2] == count


@pytest.mark.parametrize(
    ("given_entry", "told"),
    [
        (entry("mp4a", object_type=0x40, setup=b"\x11\xb8"), (8, "7")),  # wide front
        (entry("mp4a", object_type=0x40, setup=b"\x11\xe0"), (8, "12")),  # back
        (entry("mp4a", object_type=0x40, setup=b"\x11\x80", channels=2), (2, "2")),  # by the count
        (entry("ac-3", "103dc0"), (6, "6")),
        (entry("ac-3", "100000"), (2, "2")),
        (entry("ec-3", "0600200f0202"), (8, "12")),
        (entry("ec-3", "0600200f0201"), (8, "7")),
        (entry("ec-3", "0600200f0204"), (7, "11")),
        (entry("ec-3", "0600200f0240"), (8, "F811")),  # 5.1.2: no index, Dolby's own mask
        (entry("ec-3", "0600200f0220"), (8, "F821")),
        (entry("Opus", "000401380000bb80000001"), (4, "10")),
    ],
)
def test_channel_layouts(given_entry: SampleEntry, told: tuple[int, str]) -> None:
    """TR-72: a place each, not only a count."""
    r = replace(describe("a", track(given_entry, "soun")), bandwidth=64_000)
    text = _channels(r)
    value = re.findall('value="([^"]+)"', text)
    assert (r.channels, *value) == told
    assert (":audio_channel_configuration:2011" in text) == (len(told[1]) == 4)


def test_dolby_vision_stands_beside_its_base() -> None:
    """TR-66."""
    for level, compatible, brand, shown in ((6, 1, "db1p", "PQ"), (9, 4, "db4h", "HLG")):
        rendition = describe("v", track(dolby("hvc1", "dvvC", 8, level, compatible), "vide"))
        assert rendition.supplemental == f"dvh1.08.{level:02d}/{brand}"
        assert rendition.video_range == shown
        (row,) = [x for x in hls.multivariant([rendition]).splitlines() if "STREAM-INF" in x]
        assert f'SUPPLEMENTAL-CODECS="dvh1.08.{level:02d}/{brand}"' in row
        assert f"VIDEO-RANGE={shown}" in row
    alone = describe("v", track(dolby("dvh1", "dvcC", 5, 6, 0), "vide"))
    assert (alone.codecs, alone.supplemental, alone.video_range) == ("dvh1.05.06", "", "PQ")


def test_roles_sets_and_rates_come_from_the_header() -> None:
    """I11, TR-57."""
    given_entry = entry("ac-3", "103dc0", max_bitrate=200_000, avg_bitrate=192_000)
    kinds = (
        Kind("urn:mpeg:dash:role:2011", "description"),
        Kind("urn:dashif:ingest:switchingset_id", "audio-1"),
        Kind("urn:x", "ignored"),
    )
    rendition = describe("a", track(given_entry, language="deu", kinds=kinds))
    assert (rendition.roles, rendition.switching_set) == (("description",), "audio-1")
    assert (rendition.bandwidth, rendition.average_bandwidth) == (200_000, 192_000)
    assert rendition.language == "de"


@pytest.mark.parametrize(
    ("code", "short"),
    [("eng", "en"), ("fre", "fr"), ("fra", "fr"), ("gsw", "gsw"), ("und", "und"), ("```", "und"),
     ("en-GB", "en-GB"), ("deu-AT", "de-AT"), ("", "und"), ('"x', "und")],
)  # fmt: skip
def test_language_tags(code: str, short: str) -> None:
    assert tag(code) == short


def test_headers_of_text_and_events() -> None:
    for header, kind, codec in (
        (WVTT_HEADER, "text", "wvtt"),
        (STPP_HEADER, "text", "stpp.ttml.im1t"),
        (event_header(EVTE), "event", "evte"),
        (event_header(URIM), "event", "urim"),
    ):
        rendition = describe("t", parse_init(header).tracks[0])
        assert (rendition.kind, rendition.codecs, rendition.sparse) == (kind, codec, True)
    with pytest.raises(UnsupportedMedia):
        describe("t", parse_init(text_header(EVTE, b"text")).tracks[0])
    with pytest.raises(UnsupportedMedia):
        describe("t", parse_init(event_header(STPP)).tracks[0])


@given(st.binary(max_size=40), st.sampled_from([e.fourcc for e, _ in KNOWN]), st.booleans())
def test_any_record_is_described_or_refused(data: bytes, fourcc: str, sound: bool) -> None:
    given_entry = SampleEntry(
        fourcc, box(fourcc, VISUAL, data), "", data, object_type=0x40, setup=data
    )
    try:
        describe("x", track(given_entry, "soun" if sound else "vide"))
    except OriginError as error:
        assert error.status == 415


AUDIO = st.builds(
    lambda n, codec, language, count, role: Rendition(
        f"a{n}", "audio", codec, 48_000, language, 1000 + n, channels=count, roles=(role,)
    ),
    st.integers(0, 999),
    st.sampled_from(["mp4a.40.2", "ac-3", "ec-3"]),
    st.sampled_from(["en", "fr", "und"]),
    st.sampled_from([2, 6]),
    st.sampled_from(["main", "description"]),
)


@given(st.lists(AUDIO, min_size=1, max_size=12, unique_by=lambda r: r.name))
def test_groups_have_equal_members(audio: list[Rendition]) -> None:
    """HLS-35, HLS-M29, TR-63: for any set of tracks."""
    video = Rendition("v", "video", "avc1.64000a", 90_000, bandwidth=5000, width=2, height=2,
                      frame_rate=Fraction(25))  # fmt: skip
    groups = audio_groups(audio)
    wanted = {member(r) for r in audio}
    assert {r.name for g in groups for _, r in g.members} == {r.name for r in audio}
    assert len({tuple(r.name for _, r in g.members) for g in groups}) == len(groups)
    for group in groups:
        assert {m for m, _ in group.members} == wanted and len(group.members) == len(wanted)
        assert all(member(r) == m for m, r in group.members)
    master = m3u8.loads(hls.multivariant([video, *audio]))
    by_group: dict[str, list[m3u8.Media]] = {}
    for media in master.media:
        by_group.setdefault(media.group_id, []).append(media)
    shapes = {
        tuple((m.name, m.language, m.characteristics, m.default, m.autoselect) for m in group)
        for group in by_group.values()
    }
    assert len(shapes) == 1, "equal but for URI and CHANNELS"
    for group in by_group.values():
        assert len({m.name for m in group}) == len(group)
        assert sum(m.default == "YES" for m in group) == 1
    known = {r.name: r for r in audio}
    for variant in master.playlists:
        listed = by_group[variant.stream_info.audio]
        heard = [known[m.uri.split("/")[0]] for m in listed]
        assert set(variant.stream_info.codecs.split(",")[1:]) == {r.codecs for r in heard}
        assert variant.stream_info.bandwidth == 5000 + max(r.bandwidth for r in heard)


def test_forced_and_described_text() -> None:
    """TR-57, TR-92; images are for DASH (TR-87)."""

    def text(name: str, codec: str, *roles: str) -> Rendition:
        return Rendition(name, "text", codec, 1000, "en", roles=roles, default=True)

    video = Rendition("v", "video", "avc1.64000a", 90_000, width=2, height=2)
    master = hls.multivariant(
        [video, text("s", "wvtt", "main"), text("f", "wvtt", "forced-subtitle"),
         text("c", "stpp.ttml.im1t", "caption"), text("i", "stpp.ttml.im1i", "main")]
    )  # fmt: skip
    rows = {m.uri.split("/")[0]: m for m in m3u8.loads(master).media}
    assert set(rows) == {"s", "f", "c"}
    assert (rows["f"].forced, rows["f"].autoselect, rows["f"].default) == ("YES", "YES", None)
    assert [name for name, row in rows.items() if row.default == "YES"] == ["s"]
    assert "transcribes-spoken-dialog" in rows["c"].characteristics
    (variant,) = m3u8.loads(master).playlists
    assert variant.stream_info.codecs == "avc1.64000a,stpp.ttml.im1t"


@pytest.mark.parametrize(
    ("given_entry", "told"),
    [
        (dolby("dvh1", "dvcC", 5, 6, 0), ("dby1",)),
        (dolby("hvc1", "dvvC", 8, 6, 1), ("db1p",)),
        (dolby("hvc1", "dvvC", 8, 6, 2), ("db2g",)),
        (dolby("av01", "dvvC", 10, 6, 4), ("db4h",)),
        (dolby("hvc1", "dvvC", 8, 6, 9), ()),
        (entry("avc1", "0164000a"), ()),
        (entry("mp4a", object_type=0x40, setup=b"\x11\x90", sample_rate=48_000), ("caac",)),
        (entry("mp4a", object_type=0x40, setup=b"\x10\x10", sample_rate=96_000), ()),
        (entry("mp4a", object_type=0x40, setup=b"\x11\xb0", sample_rate=48_000), ()),  # 5.1
        (entry("mp4a", object_type=0x40, setup=b"\x09\x90", sample_rate=48_000), ()),  # AAC Main
        (entry("ac-3", "100000", sample_rate=48_000), ()),
    ],
)
def test_a_header_names_what_is_in_it(given_entry: SampleEntry, told: tuple[str, ...]) -> None:
    """TR-52, TR-58: behind CMAF's own brands."""
    channels = layout(track(given_entry)).channels
    rendition = Rendition(
        "t", "audio", "", 1, channels=channels, sample_rate=given_entry.sample_rate
    )
    found = brands(given_entry, rendition)
    assert found == told
    sample = replace(given_entry, data=box(given_entry.fourcc))
    data = write.header(Track(1, "soun", 48_000, 0, "und", (sample,)), found)
    named = data[16 : int.from_bytes(data[:4], "big")].decode()
    assert named == "cmf2cmf2cmfciso6mp41" + "".join(told)
