"""Codec strings, playlists and manifests as pure functions, with m3u8 and lxml as oracles."""

from fractions import Fraction

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from native.bmff.model import Colour, SampleEntry
from origin import dash, hls
from origin.codecs import codec_string
from origin.errors import OriginError
from origin.ingest.names import target
from origin.tracks import Rendition, Segment, average_bps, frame_rate, peak_bps

MPD = {"m": "urn:mpeg:dash:schema:mpd:2011"}
HDR = Colour(9, 16, 9, False)


def entry(fourcc: str, config: str = "", **known: object) -> SampleEntry:
    return SampleEntry(fourcc, b"", config=bytes.fromhex(config), **known)  # type: ignore[arg-type]


def aac(setup: str) -> SampleEntry:
    return entry("mp4a", object_type=0x40, setup=bytes.fromhex(setup))


@pytest.mark.parametrize(
    ("known", "text"),  # the worked examples of specs/tracks.md section 5
    [
        (entry("avc1", "0164000a"), "avc1.64000a"),
        (entry("hvc1", "01016000000090000000000" + "01e"), "hvc1.1.6.L30.90"),
        (entry("hvc1", "01022000000090000000000" + "01e"), "hvc1.2.4.L30.90"),
        (entry("av01", "81004c00"), "av01.0.00M.10"),
        (entry("av01", "81084c00", colour=HDR), "av01.0.08M.10.0.110.09.16.09.0"),
        (entry("vp09", "01000000000a820202020000"), "vp09.00.10.08.01.02.02.02.00"),
        (aac("118856e500"), "mp4a.40.2"),
        (aac("131056e598"), "mp4a.40.5"),
        (aac("130856e59d4880"), "mp4a.40.29"),
        (aac("2b118800"), "mp4a.40.5"),
        (entry("mp4a", object_type=0x6B), "mp4a.40.34"),
        (entry("Opus"), "Opus"),
        (entry("stpp"), "stpp.ttml.im1t"),
    ],
)
def test_codec_strings(known: SampleEntry, text: str) -> None:
    assert codec_string(known) == text


@pytest.mark.parametrize("known", [entry("xyz1"), entry("avc1", "01"), aac("")])
def test_unknown_or_cut_records_are_415(known: SampleEntry) -> None:
    with pytest.raises(OriginError) as error:
        codec_string(known)
    assert error.value.status == 415


@given(st.binary(max_size=40), st.sampled_from(["avc1", "hvc1", "av01", "vp09", "mp4a"]))
def test_hostile_records_never_escape_as_another_error(config: bytes, fourcc: str) -> None:
    try:
        text = codec_string(SampleEntry(fourcc, b"", config=config, object_type=64, setup=config))
    except OriginError as error:
        assert error.status == 415
    else:
        assert text.isascii() and '"' not in text


@pytest.mark.parametrize(
    ("path", "track"),
    [
        ("init-stream0.m4s", "stream0"),
        ("chunk-stream0-00001.m4s", "stream0"),
        ("Streams(video.cmfv)", "video"),
        ("Switching(1)/Streams(v_540.cmfv)", "v_540"),
        ("name.cmfv", "name"),
        ("v1/init.mp4", "v1"),
        ("v1/000123.m4s", "v1"),
    ],
)
def test_names_of_both_styles(path: str, track: str) -> None:
    assert target(path).track == track


@given(st.text(max_size=40))
def test_any_path_is_a_safe_name_or_refused(path: str) -> None:
    try:
        aim = target(path)
    except OriginError as error:
        assert error.status in (403, 415)
    else:
        assert not set(aim.track) & set("/\\.\0 ")


@given(
    st.sampled_from([24000, 48000, 44100, 12800, 90000, 1000, 10_000_000]),
    st.integers(0, 2**40),
    st.lists(st.integers(1, 10**6), min_size=1, max_size=40),
)
def test_extinf_sums_never_drift(timescale: int, start: int, durations: list[int]) -> None:
    """TR-35: the sum of all EXTINF is the true duration within a microsecond."""
    segments = []
    at = start
    for number, duration in enumerate(durations):
        segments.append(Segment(number, at, duration))
        at += duration
    text = hls.media_playlist(segments, timescale=timescale, target_duration_s=10**6, epoch_s=0)
    sums = sum(Fraction(line[8:-1]) for line in text.splitlines() if line.startswith("#EXTINF:"))
    assert abs(sums - Fraction(sum(durations), timescale)) <= Fraction(1, 10**6)


def ladder() -> list[Rendition]:
    return [
        Rendition("v1", "video", "avc1.64001f", 12800, "und", 1000, 900, 960, 540,
                  frame_rate=Fraction(24000, 1001)),
        Rendition("v2", "video", "avc1.64000d", 12800, "und", 500, 400, 720, 576,
                  sample_aspect=Fraction(64, 45), frame_rate=Fraction(25)),
        Rendition("en", "audio", "mp4a.40.2", 48000, "eng", 100, 90, channels=2, sample_rate=48000),
        Rendition("fr", "audio", "mp4a.40.2", 48000, "fra", 120, 90, channels=6, sample_rate=48000),
    ]  # fmt: skip


def test_multivariant_against_m3u8() -> None:
    playlist = m3u8.loads(hls.multivariant(ladder()))
    first, second = playlist.playlists
    assert first.uri == "v1/media.m3u8"
    assert first.stream_info.bandwidth == 1000 + 120
    assert first.stream_info.codecs == "avc1.64001f,mp4a.40.2"
    assert first.stream_info.frame_rate == 23.976
    assert second.stream_info.resolution == (1024, 576), "after the sample aspect (TR-70)"
    assert [m.language for m in playlist.media] == ["eng", "fra"]
    assert [m.default for m in playlist.media] == ["YES", None]
    assert {m.group_id for m in playlist.media} == {first.stream_info.audio}


def test_media_playlist_against_m3u8() -> None:
    segments = [
        Segment(7, 70, 10),
        Segment(8, 80, 10, gap=True),
        Segment(9, 90, 11, discontinuity=True),
    ]
    text = hls.media_playlist(
        segments, timescale=5, target_duration_s=2, epoch_s=0, discontinuity_sequence=3
    )
    playlist = m3u8.loads(text)
    assert (playlist.media_sequence, playlist.target_duration) == (7, 2)
    assert playlist.discontinuity_sequence == 3
    assert [s.uri for s in playlist.segments] == ["7.m4s", "8.m4s", "9.m4s"]
    assert [bool(s.gap_tag) for s in playlist.segments] == [False, True, False]
    assert [s.discontinuity for s in playlist.segments] == [False, False, True]
    assert playlist.segments[2].program_date_time.timestamp() == 18
    assert not playlist.is_endlist
    film = hls.media_playlist(
        segments, timescale=5, target_duration_s=2, playlist_type="VOD", end=True
    )
    assert film.endswith("#EXT-X-ENDLIST\n") and "PROGRAM-DATE-TIME" not in film


@given(st.lists(st.integers(1, 3), min_size=1, max_size=60), st.integers(0, 100))
def test_timeline_expands_to_the_segments(durations: list[int], number: int) -> None:
    segments = []
    at = 1000
    for index, duration in enumerate(durations):
        segments.append(Segment(number + index, at, duration))
        at += duration
    expanded: list[tuple[int, int]] = []
    time = -1
    for line in dash.timeline_lines(segments, dash.BLOCK):
        s = etree.fromstring(line)
        time = int(s.get("t", time))
        for _ in range(int(s.get("r", 0)) + 1):
            expanded.append((time, int(s.get("d", 0))))
            time += int(s.get("d", 0))
    assert expanded == [(s.start, s.duration) for s in segments]


def test_static_mpd_is_well_formed_and_complete() -> None:
    lines = [Segment(0, 0, 25600), Segment(1, 25600, 25600)]
    period = dash.Period(
        "film", Fraction(0), [dash.Timeline(r, lines) for r in ladder()], Fraction(4)
    )
    root = etree.fromstring(dash.static_mpd(period, min_buffer_s=Fraction(2)).encode())
    assert (root.get("type"), root.get("mediaPresentationDuration")) == ("static", "PT4S")
    sets = root.findall(".//m:AdaptationSet", MPD)
    assert [s.get("id") for s in sets] == ["1", "2", "3"]
    assert [s.get("lang") for s in sets] == [None, "eng", "fra"]
    assert [len(s.findall("m:Representation", MPD)) for s in sets] == [2, 1, 1]


def test_bit_rates_are_the_worst_run() -> None:
    """TR-67: runs of 0.5..1.5 target durations; gaps carry no bits."""
    sizes = [100, 900, 100, 100]
    segments = [Segment(n, n * 2, 2, size) for n, size in enumerate(sizes)]
    assert peak_bps(segments, 1, 2) == 900 * 8 // 2
    assert average_bps([*segments, Segment(4, 8, 2, gap=True)], 1) == 1200 * 8 // 8
    assert peak_bps([Segment(0, 0, 50, 100)], 1, 2) == 16, "no such run: the whole track"


@pytest.mark.parametrize(
    ("samples", "ticks", "timescale", "rate"),
    [
        (48, 48 * 1001, 24000, Fraction(24000, 1001)),
        (48, 2002, 1000, Fraction(24000, 1001)),
        (50, 25600, 12800, Fraction(25)),
        (60, 90090, 90000, Fraction(60000, 1001)),
    ],
)
def test_frame_rates_snap(samples: int, ticks: int, timescale: int, rate: Fraction) -> None:
    assert frame_rate(samples, ticks, timescale) == rate
