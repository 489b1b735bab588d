"""The line reader and attribute lists against plain Python (HLS-M1, HLS-M4)."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from native.hls import Attribute, Kind, Line, Playlist, PlaylistError, attributes
from native.hls.errors import CODES
from native.hls.tables import TAGS

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus/hls"
MEMBER = re.compile(rb'[ \t]*+([A-Za-z0-9_.-]++)[ \t]*+=[ \t]*+("[^"]*+"|[^,"]*+)[ \t]*+(?:,|\Z)')

OCTETS = [b"#EXTINF:1,", b"#EXT-X-MAP", b":", b"#x", b"#EX", b"#EXT", b"u", b"\r", b"\n", b"\r\n"]
TEXT = st.lists(
    st.one_of(st.sampled_from([*OCTETS, b"\x0b", b"\x0c", b"\t", b"\x1c", b"\x85", b"\xff", b" "]))
).map(b"".join)
LIST = st.lists(
    st.sampled_from([b"URI", b"a.b", b"=", b'"', b",", b" ", b"\t", b"x", b'"v,="', b"\n", b"\xff"])
).map(b"".join)


def slow_line(raw: bytes) -> Line:
    text = raw.strip()
    if not text:
        return Line(Kind.BLANK, raw)
    if not text.startswith(b"#"):
        return Line(Kind.URI, raw, value=text)
    if not text.startswith(b"#EXT"):
        return Line(Kind.COMMENT, raw)
    name, _, value = text[1:].partition(b":")
    return Line(Kind.TAG if name in TAGS else Kind.UNKNOWN, raw, name, value)


def slow_attributes(value: bytes) -> list[Attribute]:
    found, at = [], 0
    while at < len(value) and (match := MEMBER.match(value, at)):
        start = match.start(2)
        found.append(Attribute(match[1], start, start + len(match[2].rstrip(b" \t"))))
        at = match.end()
    return found


def agree(data: bytes) -> None:
    playlist = Playlist(data, whole=False)
    expected = [slow_line(raw) for raw in data.splitlines(keepends=True)]
    assert playlist.lines() == expected
    assert len(playlist) == len(expected)
    assert playlist.tags == {line.name for line in expected if line.kind is Kind.TAG}
    assert b"".join(line.raw for line in playlist.lines()) == data
    for line in expected:
        assert attributes(line.value) == slow_attributes(line.value)


@given(TEXT)
def test_lines_are_those_of_the_slow_reader(data: bytes) -> None:
    agree(data)


@given(LIST)
@example(b'A=x"y",B=1')
@example(b'A="x"y,B=1')
def test_attributes_are_those_of_the_slow_reader(value: bytes) -> None:
    assert attributes(value) == slow_attributes(value)


@pytest.mark.skipif(not CORPUS.exists(), reason="the shared corpus is not here")
def test_the_corpus_reads_as_the_slow_reader_reads_it() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) > 500
    for path in files:
        data = path.read_bytes()
        if b"\0" not in data:
            agree(data)


def test_lines_are_typed() -> None:
    lines = Playlist(
        b"#EXTM3U\r\n#EXTINF:1,\n#EXT-X-NEW:1\n#comment\n\n \t\n a/b.m4s \n#EXT-X-ENDLIST"
    ).lines()
    tag, unknown, blank = Kind.TAG, Kind.UNKNOWN, Kind.BLANK
    kinds = [tag, tag, unknown, Kind.COMMENT, blank, blank, Kind.URI, tag]
    assert [line.kind for line in lines] == kinds
    assert [line.ending for line in lines] == [b"\r\n", *[b"\n"] * 6, b""]
    assert lines[6].value == b"a/b.m4s"


def test_every_tag_of_the_table_is_known() -> None:
    data = b"".join(b"#%b:x\n" % name for name in TAGS)
    playlist = Playlist(data, whole=False)
    assert playlist.tags == set(TAGS)
    assert [line.name for line in playlist.lines()] == list(TAGS)


@pytest.mark.parametrize("head", [b"#EXTM3U", b"#EXTM3U \t\r\n", b"#EXTM3U\r#"])
def test_what_is_a_playlist(head: bytes) -> None:
    assert Playlist(head).data == head


@pytest.mark.parametrize(
    "data, code",
    [
        (b"", "not_a_playlist"),
        (b"<html>", "not_a_playlist"),
        (b"\n#EXTM3U\n", "not_a_playlist"),
        (b" #EXTM3U\n", "not_a_playlist"),
        (b"#EXTM3U8\n", "not_a_playlist"),
        (b"#EXTM3U:\n", "not_a_playlist"),
        (b"\xef\xbb\xbf#EXTM3U\n", "not_a_playlist"),
        (b"#EXTM3U\n\0\n", "control_character"),
    ],
)
def test_what_is_no_playlist(data: bytes, code: str) -> None:
    with pytest.raises(PlaylistError) as caught:
        Playlist(data)
    assert (caught.value.code, caught.value.status) == (code, CODES[code])


def test_attribute_lists_are_read_with_their_quotes() -> None:
    value = b'TYPE=AUDIO, NAME="a,b=c",URI="x" ,N=1.5 ,"broken'
    found = {name: value[start:end] for name, start, end in attributes(value)}
    assert found == {b"TYPE": b"AUDIO", b"NAME": b'"a,b=c"', b"URI": b'"x"', b"N": b"1.5"}
