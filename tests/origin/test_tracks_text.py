"""Text in live channels: wvtt and stpp in, WebVTT and ISO files out, silence between (C10, I15)."""

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from origin_rigs.text_rig import (
    NOTHING,
    STPP_HEADER,
    STYLED,
    TIMESCALE,
    WVTT_HEADER,
    chunk,
    cue,
    document,
)

from native.bmff import parse_chunk, parse_init
from native.bmff.samples import read_chunk_samples
from origin.text import webvtt, wvtt
from origin.text.errors import BadText
from origin.text.silence import silence
from origin.text.wvtt import Cue, merged, read_sample, write_sample

GRID_S = Fraction(48, 25)
MPD = "{urn:mpeg:dash:schema:mpd:2011}"
TIMES = re.compile(r"(\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d+):(\d\d):(\d\d)\.(\d{3})(.*)")


def seconds(parts: tuple[str, ...]) -> float:
    h, m, s, ms = map(int, parts)
    return h * 3600 + m * 60 + s + ms / 1000


def test_a_segment_is_header_map_and_cues() -> None:
    """TR-80, TR-81, TR-85."""
    cues = [Cue(1500, 2500, "one\n\ntwo --> three", "7", "line:0"), Cue(2000, 4000, "x")]
    text = webvtt.segment(STYLED, cues, 1000, 1000).decode()
    assert text == (
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"
        "STYLE\n::cue { color: yellow }\n\n"
        "7\n00:00:01.500 --> 00:00:02.500 line:0\none\ntwo --&gt; three\n\n"
        "00:00:02.000 --> 00:00:04.000\nx\n"
    )
    empty = webvtt.segment("WEBVTT", [], 1000, 0)
    assert len(empty) >= 10 and b"X-TIMESTAMP-MAP" in empty, "TR-84"


def test_the_rest_of_a_cue_has_no_id() -> None:
    rest = webvtt.segment("WEBVTT", [Cue(1000, 2000, "x", "7")], 1000, 1000).decode()
    assert "\n7\n" not in rest


@given(st.integers(0, 2**62), st.integers(1, 10**9), st.integers(1, 10**7))
def test_times_are_those_of_the_33_bit_clock(start: int, length: int, timescale: int) -> None:
    """TR-82, TR-83: the start modulo 2^33 of 90 kHz, the length whatever the turn, to 1 ms."""
    text = webvtt.segment("WEBVTT", [Cue(start, start + length, "x")], timescale, 0).decode()
    found = TIMES.search(text)
    assert found is not None
    begins, ends = seconds(found.groups()[:4]), seconds(found.groups()[4:8])
    turn_s = Fraction(2**33, 90_000)
    assert abs(Fraction(begins) - Fraction(start, timescale) % turn_s) <= Fraction(2, 1000)
    assert abs(ends - begins - length / timescale) <= 0.002


CUES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 40), st.text("ab c", min_size=1, max_size=4)),
    max_size=6,
)


@given(CUES)
def test_samples_and_cues_are_the_same(spans: list[tuple[int, int, str]]) -> None:
    """TR-86: cut at every change and merged again; sources tell equal texts apart."""
    cues = [Cue(s, s + d, text, source=n) for n, (s, d, text) in enumerate(spans)]
    cuts = sorted({0, 100, *(c.start for c in cues), *(c.end for c in cues)})
    samples = [
        read_sample(write_sample([c for c in cues if c.start <= a and b <= c.end]), a, b)
        for a, b in pairwise(cuts)
    ]
    key = lambda c: (c.start, c.end, c.source)  # noqa: E731
    assert sorted(merged(samples), key=key) == sorted(cues, key=key)


@given(st.binary(max_size=200))
def test_any_sample_is_read_or_refused(data: bytes) -> None:
    try:
        cues = read_sample(data, 0, 10)
    except BadText:
        return
    webvtt.segment(wvtt.HEADER, cues, 1000, 0).decode()


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_no_text_escapes_its_cue(text: str, number: str, settings: str) -> None:
    """A cue's payload can neither end the cue nor begin another (TR-88)."""
    out = webvtt.segment("WEBVTT", [Cue(1, 2, text, number, settings)], 1, 0).decode()
    assert out.count("-->") == 1 and len(re.findall(r"\n\n", out)) == 1


@pytest.mark.parametrize("header", [WVTT_HEADER, STPP_HEADER])
def test_silence_is_a_sound_chunk(header: bytes) -> None:
    track = parse_init(header).tracks[0]
    data = silence(track, 5000, 7000, language='e"<')
    read = parse_chunk(data, track)
    assert (read.decode_time, read.duration, read.samples) == (5000, 2000, 1)
    assert read.independent and "slat" in read.brands
    (sample,) = read_chunk_samples(data, track)
    body = data[sample.start : sample.end]
    if track.entry.fourcc == "wvtt":
        assert read_sample(body, 0, 1) == []
    else:
        root = etree.fromstring(body)
        assert root.tag.endswith("}tt") and root[0].tag.endswith("}body") and len(root[0]) == 0


def test_text_never_holds_the_edge_and_has_no_holes(
    start: Callable[..., Any], wait: Callable[..., Any], video_media: Any, now_number: int
) -> None:
    """A wvtt track that says something in two of six segments, and a stpp track."""
    origin = start()
    n = now_number
    starts = [int(k * GRID_S * TIMESCALE) for k in range(n, n + 8)]
    for name, header in (("v", video_media.header), ("en", WVTT_HEADER), ("fr", STPP_HEADER)):
        assert origin.push(f"/ingest/c/Streams({name}.cmft)", header).status == 200
    length = starts[1] - starts[0]
    spoken = {
        1: [(length, cue("hello", number="1"))],
        3: [(500, NOTHING), (length - 500, cue("long", number="2", source=5))],
        4: [(700, cue("long", number="2", source=5))],  # and silent for the rest of it
    }
    for k in range(7):
        if k in spoken:
            body = chunk(starts[k], spoken[k])
            assert origin.push("/ingest/c/Streams(en.cmft)", body).status == 200
        if k != 5:
            words = document(starts[k] / 1000, starts[k + 1] / 1000, f"mot {k}")
            body = chunk(starts[k], [(starts[k + 1] - starts[k], words)])
            assert origin.push("/ingest/c/Streams(fr.cmft)", body).status == 200
        assert origin.push("/ingest/c/Streams(v.cmfv)", video_media.segment(n + k)).status == 200

    wait(lambda: len(playlist_of(origin, "v").segments) >= 6, "six segments")
    shown = {name: playlist_of(origin, name) for name in ("v", "en", "fr")}
    numbers = [int(s.uri.split(".")[0]) for s in shown["v"].segments]
    for name, suffix in (("en", "vtt"), ("fr", "m4s")):
        assert [s.uri for s in shown[name].segments] == [f"{k}.{suffix}" for k in numbers], name
        assert not any(s.gap_tag for s in shown[name].segments), "no holes (C10)"
        assert shown[name].target_duration == shown["v"].target_duration, "HLS-38"
        times = [s.program_date_time for s in shown[name].segments]
        assert times == [s.program_date_time for s in shown["v"].segments], "HLS-40"
    assert not shown["en"].segments[0].init_section and shown["fr"].segments[0].init_section

    def cues(k: int) -> list[tuple[float, float, str]]:
        answer = origin.get(f"/live/c/en/{n + k}.vtt")
        assert answer.status == 200 and answer.headers["content-type"] == "text/vtt"
        assert "immutable" in answer.headers["cache-control"]
        text = answer.text
        assert text.startswith("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n")
        assert "color: yellow" in text
        found = [m.groups() for m in TIMES.finditer(text)]
        return [(seconds(m[:4]), seconds(m[4:8]), m[8]) for m in found]

    turn_s = 2**33 / 90_000
    at = [starts[k] / 1000 % turn_s for k in range(8)]
    by_number = {k: cues(k) for k in range(numbers[0] - n, numbers[-1] - n + 1)}
    for k, found in by_number.items():
        expected = {1: (at[1], at[2]), 3: (at[3] + 0.5, at[4]), 4: (at[4], at[4] + 0.7)}.get(k)
        assert len(found) == (expected is not None), k
        if expected is not None:
            assert found[0][:2] == pytest.approx(expected, abs=0.002), k
    assert origin.get(f"/live/c/v/{numbers[-1]}.vtt").status == 404, "video has no such form"

    master = origin.get("/live/c/master.m3u8").text
    media = {m.uri.split("/")[0]: m for m in m3u8.loads(master).media}
    assert (media["en"].type, media["en"].language) == ("SUBTITLES", "en")
    for variant in m3u8.loads(master).playlists:
        assert variant.stream_info.subtitles == media["en"].group_id
        assert variant.stream_info.codecs.endswith(",stpp.ttml.im1t"), "no CODECS for sidecars"
    mpd = etree.fromstring(origin.get("/live/c/manifest.mpd").body)
    for name, codec in (("en", "wvtt"), ("fr", "stpp.ttml.im1t")):
        (rep,) = [r for r in mpd.iter(f"{MPD}Representation") if r.get("id") == name][-1:]
        assert codec in (rep.get("codecs"), rep.getparent().get("codecs"))
        assert rep.getparent().get("lang") == {"en": "en", "fr": "fr"}[name]
    silent = origin.get(f"/live/c/fr/{n + 5}.m4s")
    assert silent.status == 200 and b"<body/>" in silent.body
    sidecar = origin.get(f"/live/c/en/{n + 3}.vtt").body
    origin.kill()
    again = start(data=origin.data)
    assert len(playlist_of(again, "en").segments) == len(shown["en"].segments)
    assert again.get(f"/live/c/fr/{n + 5}.m4s").body == silent.body
    assert again.get(f"/live/c/en/{n + 3}.vtt").body == sidecar


def test_long_and_late_text_is_cut(
    start: Callable[..., Any], wait: Callable[..., Any], video_media: Any, now_number: int
) -> None:
    """One cue over three segments, told when the first of them is published already (TR-93)."""
    origin = start()
    n = now_number
    at = [int(k * GRID_S * TIMESCALE) for k in range(n, n + 9)]
    for name, header in (("v", video_media.header), ("en", WVTT_HEADER)):
        assert origin.push(f"/ingest/c/Streams({name}.cmft)", header).status == 200

    def edge() -> int:
        return max((int(s.uri.split(".")[0]) for s in playlist_of(origin, "v").segments), default=0)

    for k in range(4):
        assert origin.push("/ingest/c/Streams(v.cmfv)", video_media.segment(n + k)).status == 200
    wait(lambda: edge() == n + 3, "four segments")
    long = chunk(at[3] + 900, [(at[5] + 500 - at[3] - 900, cue("on and on", source=1))])
    assert origin.push("/ingest/c/Streams(en.cmft)", long).status == 200
    middle = chunk(at[6] + 700, [(400, cue("in between"))])
    assert origin.push("/ingest/c/Streams(en.cmft)", middle).status == 200
    for k in range(4, 8):
        assert origin.push("/ingest/c/Streams(v.cmfv)", video_media.segment(n + k)).status == 200
    wait(lambda: edge() == n + 7, "eight segments")
    turn_s = 2**33 / 90_000

    def shown(k: int) -> list[tuple[float, float]]:
        text = origin.get(f"/live/c/en/{n + k}.vtt").text
        found = [m.groups() for m in TIMES.finditer(text)]
        return [(seconds(m[:4]), seconds(m[4:8])) for m in found]

    assert [len(shown(k)) for k in range(3, 8)] == [0, 1, 1, 1, 0]
    assert shown(6)[0] == pytest.approx(
        ((at[6] + 700) / 1000 % turn_s, (at[6] + 1100) / 1000 % turn_s), abs=0.002
    )
    for mine, theirs in zip(
        playlist_of(origin, "en").segments, playlist_of(origin, "v").segments, strict=True
    ):
        assert mine.program_date_time == theirs.program_date_time, "silence before it too"
        assert mine.duration == pytest.approx(theirs.duration, abs=0.002)
    assert shown(4)[0] == pytest.approx((at[4] / 1000 % turn_s, at[5] / 1000 % turn_s), abs=0.002)
    ends = (at[5] + 500) / 1000 % turn_s
    assert shown(5)[0] == pytest.approx((at[5] / 1000 % turn_s, ends), abs=0.002)
    assert not any(s.gap_tag for s in playlist_of(origin, "en").segments)
    hour = chunk(at[8], [(3600_000, cue("x"))])
    assert origin.push("/ingest/c/Streams(en.cmft)", hour).json["error"] in (
        "too_long",
        "time_in_future",
    )


def playlist_of(origin: Any, name: str) -> Any:
    return m3u8.loads(origin.get(f"/live/c/{name}/media.m3u8").text)
