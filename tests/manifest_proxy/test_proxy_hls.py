"""The edits of single lines (HLS-M1..M5, HLS-M8, HLS-M23)."""

import time

import pytest

from manifest_proxy.hls import attribute, edited
from manifest_proxy.hls_edit import compile_hls
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.urls import Origin, Url
from native.hls import Line, Playlist
from native.hls.tables import RELATIVE_ATTRIBUTES, TAGS, URI_ATTRIBUTES

ORIGIN = Origin("http://origin:8001")
URL = Url.parse("http://origin:8001/live/demo/v720/media.m3u8")
POLICY = Policy((Pathway("A", "http://a"), Pathway("B", "http://b")))
HOME = b"http://a/cat:T/live/demo/v720/"


def media(text: bytes) -> bytes:
    """A media playlist with these lines, as the viewer with token T gets it, without its head."""
    head = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
    out = compile_hls(head + text, URL, ORIGIN, POLICY).render(b"T", b"")
    assert out.startswith(head)
    return out[len(head) :]


def line(text: bytes) -> Line:
    return Playlist(text, whole=False).lines()[0]


def test_an_edit_touches_the_named_attributes_only() -> None:
    key = line(b'#EXT-X-KEY:METHOD=AES-128 , URI="k",X-NEW="~*=" \r\n')
    out = edited(key, {b"URI": b'"K"', b"METHOD": b"NONE", b"IV": b"0x1"})
    assert out == b'#EXT-X-KEY:METHOD=NONE , URI="K",X-NEW="~*=",IV=0x1 \r\n'
    assert attribute(key, b"X-NEW") == b"~*=" and attribute(key, b"IV") is None


@pytest.mark.parametrize("bare", [b" #EXT-X-STREAM-INF\n", b" #EXT-X-STREAM-INF:\n"])
def test_a_tag_without_attributes_gains_a_list(bare: bytes) -> None:
    assert edited(line(bare), {b"A": b"1", b"B": b"2"}) == b" #EXT-X-STREAM-INF:A=1,B=2\n"
    assert edited(line(bare), {}) == bare


@pytest.mark.parametrize(
    "tag", sorted({*URI_ATTRIBUTES} - {b"EXT-X-CONTENT-STEERING", b"EXT-X-STREAM-INF"})
)
def test_every_uri_place_is_rewritten(tag: bytes) -> None:
    """HLS-M2: one policy, every place."""
    for name in URI_ATTRIBUTES[tag]:
        out = media(b"#" + tag + b':A=1,%b="x.bin?q=~*",B="y"\n' % name)
        assert out == b"#" + tag + b':A=1,%b="%bx.bin?q=~*",B="y"\n' % (name, HOME)


def test_the_tables_agree() -> None:
    assert set(URI_ATTRIBUTES) | set(RELATIVE_ATTRIBUTES) <= set(TAGS)
    assert not set(URI_ATTRIBUTES) & set(RELATIVE_ATTRIBUTES)


@pytest.mark.parametrize(
    "line, expected",
    [
        (b"1.m4s", HOME + b"1.m4s"),
        (b"seg?no=extension", HOME + b"seg?no=extension"),
        (b"./1.m4s", HOME + b"1.m4s"),
        (b"../a/1.m4s", b"http://a/cat:T/live/demo/a/1.m4s"),
        (b"../../../../x", b"http://a/cat:T/x"),
        (b"/live/x#f", b"http://a/cat:T/live/x#f"),
        (b"//origin:8001/y", b"http://a/cat:T/y"),
        (b"http://origin:8001/z?a=b~c", b"http://a/cat:T/z?a=b~c"),
        (b"http://other/z", b"http://other/z"),
        (b"//other/z", b"//other/z"),
        (b"data:text/plain,x", b"data:text/plain,x"),
        (b"sub:1.m4s", b"sub:1.m4s"),
    ],
)
def test_uri_lines(line: bytes, expected: bytes) -> None:
    """Ours get pathway and token; a foreign host never sees the token."""
    assert media(b"#EXTINF:1,\n#EXT-X-BITRATE:1\n  " + line + b"\r\n").endswith(
        b"  " + expected + b"\r\n"
    )


def test_a_key_of_a_drm_scheme_stays() -> None:
    line = (
        b'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"\n'
    )
    assert media(line) == line


def test_an_empty_uri_stays_empty() -> None:
    """METHOD=NONE allows no URI (4.4.4.4), so a strict reader refuses any but this."""
    line = b'#EXT-X-KEY:METHOD=NONE,URI=""\n'
    assert media(line) == line


def test_rendition_reports_stay_relative() -> None:
    """HLS-M23: also when the origin wrote them absolute."""
    plain = b'#EXT-X-RENDITION-REPORT:URI="../a/media.m3u8",LAST-MSN=4\n'
    assert media(plain) == plain
    absolute = plain.replace(b"../a/", b"/live/demo/a/")
    assert media(absolute) == plain


def test_variables_are_resolved_where_known() -> None:
    """HLS-M3: known ones are substituted in what we touch, unknown leading ones are left alone."""
    defines = b'#EXT-X-DEFINE:NAME="h",VALUE="../k"\n#EXT-X-DEFINE:IMPORT="other"\n'
    out = media(defines + b"{$h}/1.m4s\n{$other}/2.m4s\nx{$other}/3.m4s\n")
    assert out == (
        defines
        + b"http://a/cat:T/live/demo/k/1.m4s\n{$other}/2.m4s\n"
        + HOME
        + b"x{$other}/3.m4s\n"
    )
    query = Url.parse("http://origin:8001/live/m.m3u8?d=42")
    data = b'#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM="d"\n/{$d}.m4s\n'
    out = compile_hls(data, query, ORIGIN, POLICY).render(b"T")
    assert out.endswith(b"http://a/cat:T/42.m4s\n")


def test_only_the_token_differs_between_viewers() -> None:
    """HLS-M8 and MP-60: the path below the token is the same for everyone, on every refresh."""
    data = b"#EXTM3U\n#EXTINF:1,\n1.m4s\n"
    compiled = compile_hls(data, URL, ORIGIN, POLICY)
    assert compiled.render(b"one").replace(b"one", b"two") == compiled.render(b"two")


@pytest.mark.parametrize(
    "hostile",
    [
        b"#EXT-X-KEY:" + b" " * 1_000_000 + b'"',
        b"#EXT-X-KEY:A=" + b" " * 1_000_000 + b'"',
        b'#EXT-X-KEY:URI="' + b"x" * 1_000_000,
        b"#EXT-X-KEY:" + b"A=1," * 250_000,
        b"/." * 500_000,
        b"{$" * 500_000,
        b"a/" * 500_000 + b"%",
    ],
    ids=lambda hostile: repr(hostile[:20]),
)
def test_a_hostile_line_costs_one_pass(hostile: bytes) -> None:
    """Quadratic work on a megabyte would take minutes of CPU time."""
    begun = time.process_time()
    media(hostile + b"\n")
    assert time.process_time() - begun < 5
