"""Events of fragmented films, in MPDs and playlists (TR-114, TR-115, TR-117)."""

import re
import struct
from fractions import Fraction
from pathlib import Path

import pytest
from lxml import etree
from origin_rigs.outputs_rig import DASH, Title
from origin_rigs.recipes import recipe

from native.bmff import walk
from native.bmff.model import Emsg
from native.bmff.write import emsg, full
from native.http import Entity
from origin.vod import Library, register

ID3 = "https://aomedia.org/emsg/ID3"
SCTE = "urn:scte:scte35:2013:bin"
NAMED = "urn:test:named"
UNKNOWN = 0xFFFFFFFF


def old(scheme: str, scale: int, delta: int, duration: int, number: int, data: bytes) -> bytes:
    """Version 0, whose time is a delta (23009-1, 5.10.3.3)."""
    names = f"{scheme}\0v\0".encode()
    return full("emsg", 0, 0, names, struct.pack(">4I", scale, delta, duration, number), data)


def told(folder: Path) -> Path:
    """The film of two fragments, events before each."""
    film = recipe("frag_cmaf").read_bytes()
    first, second = (b.start for b in walk(film) if b.kind == "moof")
    new = emsg(Emsg(1, ID3, "", 1000, 1500, UNKNOWN, 7, b"ID3\4\0\0"))
    splice = emsg(Emsg(1, SCTE, "", 90_000, 180_000, 90_000, 8, b"\xfc\x30\x11"))
    before = new + splice + new  # a repeat is told once
    late = old(NAMED, 12288, 6144, 36864, 9, b"hello")
    broken = full("emsg", 9, 0, bytes(20))
    path = folder / "told.mp4"
    path.write_bytes(film[:first] + before + film[first:second] + late + broken + film[second:])
    return path


@pytest.fixture
def title(tmp_path: Path) -> Title:
    report = register(tmp_path, [told(tmp_path)], "film")
    assert report.notes == ["told.mp4: 1 event messages cannot be read"]
    return Title(Library(tmp_path))


def streams(mpd: bytes) -> dict[str, list[tuple[str | None, ...]]]:
    root = etree.fromstring(mpd)
    return {
        str(stream.get("schemeIdUri")): [
            (e.get("id"), e.get("presentationTime"), e.get("duration")) for e in stream
        ]
        for stream in root.iter(f"{DASH}EventStream")
    }


def test_events_in_both_kinds_of_manifest(title: Title) -> None:
    rows = {
        ID3: [("7", "135000", None)],
        "urn:scte:scte35:2014:xml+bin": [("8", "180000", "90000")],
        NAMED: [("9", "225000", "135000")],  # half a second into the fragment at 2 s, to the end
    }
    assert streams(title.get("manifest.mpd")) == streams(title.get("ondemand.mpd")) == rows
    playlist = title.get("v72/media.m3u8").decode()
    found = re.findall(r'DATERANGE:ID="(\S+?)",CLASS="(\S+?)",START-DATE="(\S+?)"(.*)', playlist)
    assert [(c, d) for _, c, d, _ in found] == [
        (ID3, "1970-01-01T00:00:01.500Z"),
        (SCTE, "1970-01-01T00:00:02.000Z"),
        (NAMED, "1970-01-01T00:00:02.500Z"),
    ]
    assert found[0][3] == ",X-MESSAGE-DATA=0x494433040000"
    assert found[1][3] == ",DURATION=1.000,SCTE35-CMD=0xFC3011"
    assert len({name for name, *_ in found}) == 3
    assert "PROGRAM-DATE-TIME:1970-01-01T00:00:00" in playlist


def test_clips_clip_events(tmp_path: Path) -> None:
    register(tmp_path, [told(tmp_path)], "film", segment_s=Fraction(2))
    answer = Library(tmp_path).answer("film", "manifest.mpd", "start=0&end=1")
    assert isinstance(answer, Entity)
    assert [*streams(answer.body)] == [ID3]
    answer = Library(tmp_path).answer("film", "manifest.mpd", "start=3&end=4")
    assert isinstance(answer, Entity)
    rows = streams(answer.body)
    assert rows[NAMED] == [("9", "225000", "135000")]
