"""Text and chapters within an MP4, and what becomes of them: WebVTT, IMSC 1, files beside MPEG-TS,
EventStream, DATERANGE and session data (TR-11, TR-82, TR-87, TR-91, TR-93, TR-116, TR-117).
"""

import json
import re
import struct
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from origin_rigs.outputs_rig import Title
from origin_rigs.recipes import FFMPEG, recipe
from origin_rigs.text_rig import TIMESCALE, WVTT_HEADER, chunk, cue

from native.bmff import parse_chunk, parse_init
from native.bmff.samples import read_chunk_samples
from native.bmff.write import box
from native.http import Entity, Refusal
from origin.text import imsc, tx3g
from origin.text.errors import BadText
from origin.text.wvtt import Cue
from origin.vod import Library, VodError, register
from origin.vod.chapters import Found

TT = "{http://www.w3.org/ns/ttml}"
MPD = "{urn:mpeg:dash:schema:mpd:2011}"
CHAPTERS = ";FFMETADATA1\n" + "".join(
    f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={a}\nEND={b}\ntitle={title}\n"
    for a, b, title in ((0, 5000, "Opening"), (5000, 9000, 'Rest & "mid"'), (9000, 16000, "End"))
)


def registered(home: Path, *inputs: Path) -> Title:
    register(home, inputs, "film")
    return Title(Library(home))


@pytest.fixture(scope="module")
def told(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Title:
    """The film with chapters in it, as ffmpeg writes them: chpl and a chap track."""
    home = tmp_path_factory.mktemp("chapters")
    (home / "c.ini").write_text(CHAPTERS)
    command = [FFMPEG, "-v", "error", "-i", str(film), "-i", str(home / "c.ini"), "-map", "0"]
    command += ["-map_chapters", "1", "-c", "copy", str(home / "told.mp4")]
    subprocess.run(command, check=True, timeout=60)
    return registered(home, home / "told.mp4")


@pytest.mark.parametrize("name", ["mov_text", "stpp_in"])
def test_text_tracks_of_films(name: str, tmp_path: Path) -> None:
    """TR-22, TR-91: the last sample of 0 ticks, empty ones, and one document for the whole film."""
    title = registered(tmp_path, recipe(name))
    said = title.get("t-swe/1.vtt").decode()
    times = re.findall(r"00:(\S+) --> 00:(\S+)", said)
    assert times[0] == ("00:00.521", "00:01.521") and len(times) >= 3
    assert "One" in said and "line 2" in said and "Å &amp; 日" in said
    if name == "mov_text":
        assert "<i>two</i>" in said
    assert 'LANGUAGE="sv"' in title.get("master.m3u8").decode()


def test_wvtt_in_a_film(tmp_path: Path) -> None:
    path = tmp_path / "t.mp4"
    texts = [chunk(k * TIMESCALE, [(TIMESCALE, cue(f"words {k}"))]) for k in range(3)]
    path.write_bytes(WVTT_HEADER + b"".join(texts))
    film = recipe("frag_cmaf")
    title = registered(tmp_path, film, path)
    master = title.get("master.m3u8").decode()
    name = re.search(r'SUBTITLES.*URI="([^/]+)/', master)
    assert name
    said = title.get(f"{name[1]}/1.vtt").decode()
    assert re.findall("words .", said) == ["words 0", "words 1", "words 2"]


def test_styles_of_3gpp_text() -> None:
    """TR-91"""
    text = b"a<b c"
    rows = struct.pack(">HHHBBI", 0, 1, 1, 3, 18, 0xFFFF00FF)
    rows += struct.pack(">HHHBBI", 4, 9, 1, 4, 18, 0x123456FF)
    sample = struct.pack(">H", len(text)) + text + box("styl", struct.pack(">H", 2), rows)
    assert tx3g.payload(sample) == "<b><i><c.yellow>a</c></i></b>&lt;b <u>c</u>"
    wide = "å日".encode("utf-16")
    assert tx3g.payload(struct.pack(">H", len(wide)) + wide) == "å日"
    assert tx3g.payload(b"") == tx3g.payload(b"\0\0") == ""
    for lie in (b"\0\xff", struct.pack(">H", 0) + box("styl", b"\xff\xff")):
        with pytest.raises(BadText):
            tx3g.payload(lie)


def test_imsc_documents() -> None:
    """TR-87, TR-90: whole times, balanced spans, nine regions; silence is an empty body."""
    cues = [
        Cue(500, 1500, "<v Ann>One <i>two<b>x</i> y &amp; z\n<c.lime>l</c>", source=1),
        Cue(1000, 9000, "up < \1 it", "id", "line:5% align:left", 2),
    ]
    root: Any = etree.fromstring(imsc.document(cues, 1000, "en"))
    assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
    assert root.get("{http://www.w3.org/ns/ttml#parameter}profile") == imsc.PROFILE
    first, second = root.iter(f"{TT}p")
    assert (first.get("begin"), first.get("end")) == ("00:00:00.500", "00:00:01.500")
    assert "".join(first.itertext()) == "One twox y & zl"
    assert len(list(first.iter(f"{TT}span"))) == 3 and len(list(first.iter(f"{TT}br"))) == 1
    assert (first.get("region"), second.get("region")) == ("bottom-center", "top-start")
    assert "".join(second.itertext()) == "up < \ufffd it"
    silent: Any = etree.fromstring(imsc.document([], 1000, "und"))
    assert [len(body) for body in silent.iter(f"{TT}body")] == [0]
    assert not list(silent.iter(f"{TT}div"))


def test_one_text_in_every_form(film: Path, tmp_path: Path) -> None:
    """TR-82, TR-86, TR-87, TR-92, TR-93"""
    beside = tmp_path / "film.eng.forced.srt"
    beside.write_text("1\n00:00:03,000 --> 00:00:06,000\nover a cut\n")
    title = registered(tmp_path, film, beside)
    init = parse_init(title.get("t-eng.imsc/init.mp4")).tracks[0]
    assert (init.handler, init.entry.fourcc) == ("subt", "stpp")
    for number in (1, 2):
        media = title.get(f"t-eng.imsc/{number}.m4s")
        unit = parse_chunk(media, init)
        (sample,) = read_chunk_samples(media, init, chunk=unit)
        document: Any = etree.fromstring(media[sample.start : sample.end])
        (p,) = document.iter(f"{TT}p")
        assert (p.get("begin"), p.get("end")) == ("00:00:03.021", "00:00:06.021")
    assert b"<body/>" in title.get("t-eng.imsc/4.m4s")
    assert b"MPEGTS:0," in title.get("t-eng/1.vtt")
    assert b"MPEGTS:900000,LOCAL:00:00:00.000" in title.get("t-eng/1.ts.vtt")
    packets = title.get("ts.m3u8").decode()
    assert 'FORCED=YES,URI="t-eng/ts.m3u8"' in packets and 'SUBTITLES="text"' in packets
    assert "2.ts.vtt" in title.get("t-eng/ts.m3u8").decode()
    assert 'URI="t-eng/bytes.m3u8"' in title.get("bytes.m3u8").decode()
    assert "2.vtt" in title.get("t-eng/bytes.m3u8").decode()
    assert title.get("t-eng/all.vtt") == b"WEBVTT\n\n00:00:03.021 --> 00:00:06.021\nover a cut\n"
    demand: Any = etree.fromstring(title.get("ondemand.mpd"))
    (text,) = (s for s in demand.iter(f"{MPD}AdaptationSet") if s.get("contentType") == "text")
    assert text.get("mimeType") == "text/vtt" and "t-eng/all.vtt" in "".join(text.itertext())
    mpd: Any = etree.fromstring(title.get("manifest.mpd"))
    sets = [s for s in mpd.iter(f"{MPD}AdaptationSet") if s.get("contentType") == "text"]
    codecs = [r.get("codecs") for s in sets for r in s.iter(f"{MPD}Representation")]
    assert codecs == ["wvtt", "stpp.ttml.im1t"]
    roles = {r.get("value") for s in sets for r in s.iter(f"{MPD}Role")}
    assert roles == {"forced-subtitle"}


def test_chapters_in_every_form(told: Title) -> None:
    """TR-116: titles, times on the title's clock (21 ms of priming), one id namespace."""
    listed = json.loads(told.get("chapters.json"))
    assert [c["titles"][0]["title"] for c in listed] == ["Opening", 'Rest & "mid"', "End"]
    assert [c["start-time"] for c in listed] == [0.0, 5.021, 9.021]
    for master in ("master.m3u8", "bytes.m3u8", "ts.m3u8"):
        assert 'DATA-ID="com.apple.hls.chapters",URI="chapters.json"' in told.get(master).decode()
    for leaf in ("v180/media.m3u8", "a-eng/media.m3u8", "v180/bytes.m3u8", "v180/ts.m3u8"):
        playlist = told.get(leaf).decode()
        ranges = re.findall(r'DATERANGE:ID="(\S+?)",.*DATE="(\S+?)",DURATION=(\S+?),', playlist)
        assert ranges == [
            ("chapter-1", "1970-01-01T00:00:00.000Z", "5.021"),
            ("chapter-2", "1970-01-01T00:00:05.021Z", "4.000"),
            ("chapter-3", "1970-01-01T00:00:09.021Z", "7.000"),
        ]
        assert "X-TITLE=\"Rest & 'mid'\"" in playlist
        assert playlist.count("PROGRAM-DATE-TIME:1970-01-01T00:00:") == 4  # HLS-42
    for leaf in ("manifest.mpd", "ondemand.mpd"):
        root: Any = etree.fromstring(told.get(leaf))
        (stream,) = root.iter(f"{MPD}EventStream")
        rows = [(e.get("id"), e.get("presentationTime"), e.text) for e in stream]
        assert rows == [("1", "0", "Opening"), ("2", "5021", 'Rest & "mid"'), ("3", "9021", "End")]
    assert "t-und" not in told.get("master.m3u8").decode()  # TR-11: they are no subtitles


def clip(title: Title, leaf: str, query: str) -> str:
    answer = title._library.answer("film", leaf, query)
    assert isinstance(answer, Entity), answer
    return answer.body.decode()


def test_clips_clip_chapters(told: Title) -> None:
    """TR-117: the clip is of segments 3 and 4, from 8.021 s on."""
    query = "start=9&end=15"
    listed = json.loads(clip(told, "chapters.json", query))
    assert [(c["chapter"], c["start-time"]) for c in listed] == [(2, 0.0), (3, 1.0)]
    playlist = clip(told, "v180/media.m3u8", query)
    assert 'ID="chapter-1"' not in playlist
    assert 'START-DATE="1970-01-01T00:00:08.021Z",DURATION=1.000' in playlist
    assert "chapters.json?start=9&end=15" in clip(told, "master.m3u8", query)
    root: Any = etree.fromstring(clip(told, "manifest.mpd", query).encode())
    (stream,) = root.iter(f"{MPD}EventStream")
    assert [(e.get("presentationTime"), e.get("duration")) for e in stream] == [
        ("8021", "1000"),
        ("9021", "7000"),
    ]


def test_clips_of_whole_files(told: Title, tmp_path: Path) -> None:
    """TR-117: the files stay, what is played of them changes."""
    root: Any = etree.fromstring(clip(told, "ondemand.mpd", "start=9&end=15").encode())
    assert root.get("mediaPresentationDuration") == "PT8S"
    bases = {
        r.get("id"): base.get("presentationTimeOffset")
        for r in root.iter(f"{MPD}Representation")
        for base in r.iter(f"{MPD}SegmentBase")
    }
    assert bases["v180"] == str(263 + 2 * 49152) and len(bases) == 3
    (stream,) = root.iter(f"{MPD}EventStream")
    assert [e.get("id") for e in stream] == ["2", "3"]
    whole = told.get("ondemand.mpd")
    assert b"presentationTimeOffset" not in whole


def test_chapters_beside_a_film(film: Path, tmp_path: Path) -> None:
    beside = tmp_path / "film.chapters.vtt"
    beside.write_text("WEBVTT\n\n00:00.000 --> 00:08.000\nOne &amp; <i>two</i>\n\n"
                      "00:08.000 --> 00:16.000\nThree\n")  # fmt: skip
    title = registered(tmp_path, film, beside)
    listed = json.loads(title.get("chapters.json"))
    assert [c["titles"][0]["title"] for c in listed] == ["One & two", "Three"]
    assert "SUBTITLES" not in title.get("master.m3u8").decode()


def test_a_film_without_chapters(film: Path, tmp_path: Path) -> None:
    title = registered(tmp_path, film)
    assert isinstance(title._library.answer("film", "chapters.json"), Refusal)
    assert "PROGRAM-DATE-TIME" not in title.get("v180/media.m3u8").decode()
    found = Found([(0, "a"), (0, "b"), (900, ""), (5000, "late")])
    rows = [(c.start_ms, c.title) for c in found.chapters(Fraction(0), Fraction(2))]
    assert rows == [(0, "b"), (900, "Chapter 3")]


def test_chapters_of_a_list_alone(film: Path, tmp_path: Path) -> None:
    """chpl counts in 100 ns."""
    (tmp_path / "c.ini").write_text(CHAPTERS)
    path = tmp_path / "told.mp4"
    command = [FFMPEG, "-v", "error", "-i", str(film), "-i", str(tmp_path / "c.ini"), "-map", "0"]
    command += ["-map_chapters", "1", "-c", "copy", str(path)]
    subprocess.run(command, check=True, timeout=60)
    path.write_bytes(path.read_bytes().replace(b"chap", b"cdsc"))
    listed = json.loads(registered(tmp_path, path).get("chapters.json"))
    assert [(c["start-time"], c["titles"][0]["title"]) for c in listed] == [
        (0.0, "Opening"),
        (5.021, 'Rest & "mid"'),
        (9.021, "End"),
    ]


def lies(film: bytes) -> Iterator[bytes]:
    at = film.index(b"chpl")
    for offset, value in ((4, b"\xff"), (12, b"\xff"), (21, b"\xff")):
        yield film[: at + offset] + value + film[at + offset + 1 :]
    chap = film.index(b"chap")
    yield film[: chap + 4] + b"\xff" * 4 + film[chap + 8 :]


def test_lying_chapters_are_left_out(film: Path, tmp_path: Path) -> None:
    """What chapters are worth: never a title that cannot be packaged."""
    (tmp_path / "c.ini").write_text(CHAPTERS)
    path = tmp_path / "told.mp4"
    command = [FFMPEG, "-v", "error", "-i", str(film), "-i", str(tmp_path / "c.ini"), "-map", "0"]
    command += ["-map_chapters", "1", "-c", "copy", str(path)]
    subprocess.run(command, check=True, timeout=60)
    for number, data in enumerate(lies(path.read_bytes())):
        lie = tmp_path / f"lie{number}.mp4"
        lie.write_bytes(data)
        try:
            register(tmp_path, [lie], "film")
        except VodError as error:
            assert error.code in ("bad_box", "bad_table"), error
