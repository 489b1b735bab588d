"""Subtitles beside a film: SRT, WebVTT and TTML in; WebVTT files and wvtt out (TR-80..TR-92)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native.bmff import parse_chunk, parse_init
from native.bmff.samples import read_chunk_samples
from native.http import Entity, Refusal
from origin.text import subrip, ttml, vtt, wvtt
from origin.text.document import Document
from origin.text.errors import BadText
from origin.vod import Library, VodError, register

SRT = (
    "\ufeff1\r\n00:00:00,500 --> 00:00:01,500\r\nOne <i>two</i>\r\nline 2\r\n\r\n"
    "3\r\n00:00:03,000 --> 00:00:03,900 X1:10 X2:20\r\noverlap --> text\r\n\r\n"
    '2\r\n00:00:01,500 --> 00:00:05,250\r\n{\\an8}<font color="#ffff00">Å & 日</font>\r\n\r\n'
    "4\r\n00:00:09,000 --> 00:00:09,000\r\nnever\r\n"
)
VTT = (
    "WEBVTT - t\nX-TIMESTAMP-MAP=MPEGTS:90000,LOCAL:00:00:00.000\n\nSTYLE\n"
    "::cue { color: lime }\n\nNOTE x\n\n"
    "id 1\n00:00.500 --> 00:09.000 line:0 align:start\n<v Ann>Long <c.y>cue</c>\n\n"
    "00:02.000 --> 00:02.000\nzero\n"
)
TTML = """<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"
 xmlns:tts="http://www.w3.org/ns/ttml#styling" ttp:frameRate="25" ttp:tickRate="10">
 <body begin="1s"><div begin="00:00:01"><p begin="5t" dur="00:00:01:05">A
 <span tts:fontStyle="italic">b</span><br/>c &lt;d&gt;</p><p begin="10s" end="11s"/></div>
 <div end="3s"><p begin="1s">x</p></div></body></tt>"""


def test_subrip() -> None:
    document = subrip.read(SRT.encode())
    rows = [(c.start_ms, c.end_ms, c.text, c.settings) for c in document.cues]
    assert rows == [
        (500, 1500, "One <i>two</i>\nline 2", ""),
        (1500, 5250, "Å &amp; 日", "line:5%"),
        (3000, 3900, "overlap --&gt; text", ""),
    ]
    assert "1 cues" in document.notes[0]
    assert subrip.read(SRT[1:].encode("utf-16")).cues == document.cues


def test_webvtt_applies_its_own_map_and_keeps_styles() -> None:
    document = vtt.read(VTT.encode())
    (cue,) = document.cues
    assert (cue.start_ms, cue.end_ms, cue.id) == (1500, 10000, "id 1")
    assert cue.settings == "line:0 align:start" and cue.text == "<v Ann>Long <c.y>cue</c>"
    assert document.header == "WEBVTT\n\nSTYLE\n::cue { color: lime }"


def test_ttml_times_add_up() -> None:
    rows = [(c.start_ms, c.end_ms, c.text) for c in ttml.read(TTML.encode()).cues]
    assert rows == [(2000, 4000, "x"), (2500, 3700, "A <i>b</i>\nc &lt;d&gt;")]


BAD = {
    "latin": (subrip.read, b"1\n00:00:00,000 --> 00:00:01,000\n\xe4\n"),
    "prose": (subrip.read, b"no subtitles here\n"),
    "header": (vtt.read, b"WEBVTTX\n\n"),
    "entity": (ttml.read, b'<!DOCTYPE a [<!ENTITY x "y">]><tt xmlns="urn:x">&x;</tt>'),
    "smpte": (ttml.read, TTML.replace("ttp:tick", 'ttp:timeBase="smpte" ttp:tick').encode()),
    "time": (ttml.read, TTML.replace("5t", "5 ticks").encode()),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_refused(name: str) -> None:
    read, data = BAD[name]
    with pytest.raises(BadText):
        read(data)


@given(st.binary(max_size=400) | st.text(max_size=300).map(lambda t: f"WEBVTT\n\n{t}".encode()))
def test_any_bytes_end_cleanly(data: bytes) -> None:
    for read in (subrip.read, vtt.read, ttml.read):
        try:
            assert isinstance(read(data), Document)
        except BadText as error:
            assert error.code == "bad_text"


@pytest.fixture
def library(film: Path, tmp_path: Path) -> Library:
    (tmp_path / "film.eng.srt").write_bytes(SRT.encode())
    (tmp_path / "film.fra.forced.vtt").write_text(VTT)
    register(tmp_path, [film, tmp_path / "film.eng.srt", tmp_path / "film.fra.forced.vtt"], "film")
    return Library(tmp_path)


def body(library: Library, leaf: str) -> bytes:
    answer = library.answer("film", leaf)
    assert isinstance(answer, Entity), leaf
    assert answer.last_modified and answer.etag
    return answer.body


def test_files_repeat_a_cue_in_each_segment_it_lasts_in(library: Library) -> None:
    first, second, third = (body(library, f"t-eng/{n}.vtt").decode() for n in (1, 2, 3))
    line = "00:00:01.521 --> 00:00:05.271 line:5%\nÅ &amp; 日"  # 21 ms: the priming of the sound
    assert line in first and line in second and "Å" not in third
    for text in (first, second, third):
        assert "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000" in text
    playlist = body(library, "t-eng/media.m3u8").decode()
    assert playlist.count(".vtt") == 4 and "EXT-X-MAP" not in playlist
    assert library.answer("film", "t-eng/5.vtt").status == 404  # type: ignore[union-attr]


def test_fragments_partition_time(library: Library) -> None:
    track = parse_init(body(library, "t-eng/init.mp4")).tracks[0]
    assert (track.entry.fourcc, track.timescale, track.language) == ("wvtt", 1000, "en")
    samples, end = [], 0
    for number in range(1, 5):
        data = body(library, f"t-eng/{number}.m4s")
        chunk = parse_chunk(data, track)
        assert chunk.decode_time == end
        end += chunk.duration
        for s in read_chunk_samples(data, track):
            start, stop = s.decode_time, s.decode_time + s.duration
            samples.append(wvtt.read_sample(data[s.start : s.end], start, stop))
    times = [(cue.start, cue.end, cue.text) for cue in wvtt.merged(samples)]
    assert times == [
        (521, 1521, "One <i>two</i>\nline 2"),
        (1521, 5271, "Å &amp; 日"),
        (3021, 3921, "overlap --&gt; text"),
    ]


def test_manifests_offer_it(library: Library) -> None:
    master = body(library, "master.m3u8").decode()
    assert 'TYPE=SUBTITLES,GROUP-ID="text"' in master and 'URI="t-eng/media.m3u8"' in master
    assert "AUTOSELECT=YES,FORCED=YES" in master
    mpd = body(library, "manifest.mpd").decode()
    assert 'codecs="wvtt"' in mpd and 'value="forced-subtitle"' in mpd


def test_a_bad_sidecar_is_named(film: Path, tmp_path: Path, encode: Callable[..., Path]) -> None:
    del encode
    (tmp_path / "film.srt").write_text("nothing")
    with pytest.raises(VodError, match=r"film\.srt: no cue") as caught:
        register(tmp_path, [film, tmp_path / "film.srt"], "film")
    assert caught.value.code == "bad_text"
    assert isinstance(Library(tmp_path).answer("film", "master.m3u8"), Refusal)
