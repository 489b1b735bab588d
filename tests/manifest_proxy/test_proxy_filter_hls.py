"""Filters, order and defaults of HLS masters, by hand and over the corpus (HLS-M27..M31)."""

import csv
import re
from pathlib import Path

import pytest

from manifest_proxy.errors import FilterError
from manifest_proxy.hls_stages import staged
from manifest_proxy.rulebook import Ruleset
from manifest_proxy.rules import read_rules
from native.hls import PlaylistError

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus"
MASTER = b"""#EXTM3U
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="st",NAME="de",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a/de.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="st",NAME="en",LANGUAGE="en-GB",AUTOSELECT=YES,CHANNELS="2",URI="a/en.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="su",NAME="de",LANGUAGE="de",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="6",URI="a/de6.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="sub",NAME="de",LANGUAGE="de",URI="t/de.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="sub",NAME="fr",LANGUAGE="fr",FORCED=YES,URI="t/fr.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="en",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2,wvtt",AUDIO="st",SUBTITLES="sub",CLOSED-CAPTIONS="cc"
v360.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=1280x720,FRAME-RATE=50.000,CODECS="avc1.4d401f,mp4a.40.2,wvtt",AUDIO="st",SUBTITLES="sub",CLOSED-CAPTIONS="cc"
# between a tag and its URI
v720.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2300000,RESOLUTION=1280x720,FRAME-RATE=50.000,CODECS="avc1.4d401f,ec-3,wvtt",AUDIO="su",SUBTITLES="sub",CLOSED-CAPTIONS="cc"
v720.m3u8?ec3
#EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=1920x1080,CODECS="hvc1.2.4.L123,ec-3,wvtt",VIDEO-RANGE=PQ,AUDIO="su",SUBTITLES="sub",CLOSED-CAPTIONS="cc"
v1080.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,RESOLUTION=1280x720,CODECS="avc1.4d401f",URI="i720.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=150000,RESOLUTION=1920x1080,CODECS="hvc1.2.4.L123",URI="i1080.m3u8"
#EXT-X-SESSION-DATA:DATA-ID="com.a",VALUE="1"
"""


def rules(text: str) -> Ruleset:
    book = read_rules(f'[[rules]]\nname = "r"\n{text}'.encode(), toml=True, tokenised=False)
    return book.rulesets[0]


def after(text: str, data: bytes = MASTER) -> str:
    return staged(data, rules(text)).decode()


def uris(text: str) -> list[str]:
    bare = [line for line in text.splitlines() if line and not line.startswith("#")]
    return bare + re.findall(r'URI="([^"]*)"', text)


ALL = uris(MASTER.decode())


@pytest.mark.parametrize(
    "text, gone",
    [
        ("", set()),
        ('video = { height = "..720" }', {"v1080.m3u8", "i1080.m3u8"}),
        (
            'video = { codecs = ["HEVC"] }',
            {"v360.m3u8", "v720.m3u8", "v720.m3u8?ec3", "i720.m3u8", "a/de.m3u8", "a/en.m3u8"},
        ),
        ('video = { dynamic_range = ["SDR"] }', {"v1080.m3u8", "i1080.m3u8"}),
        ('video = { frame_rate = "..30" }', {"v720.m3u8", "v720.m3u8?ec3", "i720.m3u8"}),
        ("video = { trick_play = false }", {"i720.m3u8", "i1080.m3u8"}),
        (
            "video = { bandwidth = 1000000 }",  # nothing fits: the nearest stays
            {"v720.m3u8", "v720.m3u8?ec3", "v1080.m3u8", "i720.m3u8", "i1080.m3u8", "a/de6.m3u8"},
        ),
        ('audio = { languages = ["de"] }', {"a/en.m3u8"}),
        ('audio = { languages = ["en"] }', {"a/de.m3u8", "a/de6.m3u8", "v720.m3u8?ec3"}),
        (
            'audio = { codecs = ["aac"] }',
            {"v720.m3u8?ec3", "v1080.m3u8", "a/de6.m3u8", "i1080.m3u8"},
        ),
        ('audio = { channels = "..2" }', {"a/de6.m3u8", "v720.m3u8?ec3"}),
        ('subtitles = { languages = ["fr"] }', {"t/de.m3u8"}),
        ('subtitles = { without_roles = ["forced-subtitle"] }', {"t/fr.m3u8"}),
        ("subtitles = { keep = false }", {"t/de.m3u8", "t/fr.m3u8"}),
    ],
)
def test_what_a_filter_takes_away(text: str, gone: set[str]) -> None:
    out = after(text)
    assert set(ALL) - set(uris(out)) == gone and set(uris(out)) <= set(ALL)
    assert dangling(out) == []


def test_no_rules_change_no_byte() -> None:
    assert staged(MASTER, rules("")) == MASTER
    crlf = MASTER.replace(b"\n", b"\r\n")
    assert b"\n" not in staged(crlf, rules('video = { height = "360" }')).replace(b"\r\n", b"")


def test_a_rung_without_its_audio_group_joins_one_that_is_left() -> None:
    """The 1080 rung exists with surround sound only; its codecs are told anew (HLS-M27, M28)."""
    out = after('audio = { channels = "..2" }')
    line = next(one for one in out.splitlines() if "1920x1080,CODECS" in one)
    assert 'CODECS="hvc1.2.4.L123,wvtt,mp4a.40.2"' in line and 'AUDIO="st"' in line


def test_a_lost_group_takes_attribute_and_codec_along() -> None:
    out = after("captions = false\nsubtitles = { keep = false }")
    assert "SUBTITLES=" not in out and "CAPTIONS" not in out and "wvtt" not in out
    assert 'BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="st"\n' in out


def test_a_group_that_lost_its_default_gets_another() -> None:
    out = after('audio = { languages = ["en"] }')
    assert 'LANGUAGE="en-GB",AUTOSELECT=YES,CHANNELS="2",URI="a/en.m3u8",DEFAULT=YES' in out


@pytest.mark.parametrize(
    "text",
    [
        'video = { codecs = ["vp9"] }',
        'empty = "refuse"\nvideo = { height = "2000.." }',
        'audio = { languages = ["ja"] }',
    ],
)
def test_nothing_to_play_is_a_refusal(text: str) -> None:
    with pytest.raises(FilterError) as caught:
        after(text)
    assert (caught.value.code, caught.value.status) == ("filter_empty", 404)


def test_whole_variants_are_permuted() -> None:
    out = after('order = "descending"\nstart_bandwidth = 2100000')
    order = re.findall(r"^(v\S+)$", out, re.M)
    assert order == ["v720.m3u8", "v1080.m3u8", "v720.m3u8?ec3", "v360.m3u8"]
    assert "# between a tag and its URI\nv720.m3u8\n" in out
    assert sorted(out.splitlines()) == sorted(MASTER.decode().splitlines())
    assert re.findall(r"^(v\S+)$", after("start_bandwidth = 1"), re.M)[0] == "v360.m3u8"


def test_defaults_by_language() -> None:
    out = after('default_audio = "en"\ndefault_subtitles = "fr"')
    assert 'NAME="de",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2"' in out
    assert 'URI="a/en.m3u8",DEFAULT=YES' in out and out.count('CHANNELS="6"') == 1
    assert 'NAME="fr",LANGUAGE="fr",FORCED=YES,URI="t/fr.m3u8",DEFAULT=YES,AUTOSELECT=YES' in out
    on = out.encode()
    assert b"DEFAULT=NO" not in on.split(b"SUBTITLES", 1)[1]
    off = staged(on, rules('default_subtitles = "off"')).decode()
    assert 'URI="t/fr.m3u8",DEFAULT=NO,AUTOSELECT=YES' in off


def test_session_data_is_unique_by_id_and_language() -> None:
    text = 'session_data = [{ id = "com.a", value = "2" }, { id = "com.b", value = "x" }]'
    out = after(text)
    assert out.count('DATA-ID="com.a"') == 1 and 'DATA-ID="com.a",VALUE="2"' in out
    assert out.startswith("#EXTM3U\n#EXT-X-SESSION-DATA") and after(text, out.encode()) == out


MEDIA = b"""#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://1",KEYFORMAT="com.apple.streamingkeydelivery"
#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:1",KEYFORMAT="urn:uuid:EDEF8BA9-79D6-4ACE-A3C8-27DCD51D21ED"
#EXTINF:4,
1.m4s
"""


def test_drm_systems_in_media_playlists() -> None:
    out = after('drm = { systems = ["fairplay"] }', MEDIA)
    assert "skd://1" in out and "EDEF8BA9" not in out
    with pytest.raises(FilterError, match="drm_empty"):
        after('drm = { systems = ["playready"] }', MEDIA)


def dangling(text: str) -> list[str]:
    """What the closure forbids, by a reader of its own: groups named but not there, or unused."""
    renditions = re.findall(r"^\s*#EXT-X-MEDIA:(.*)$", text, re.M)
    there = {(attr(r, "TYPE"), attr(r, "GROUP-ID")) for r in renditions}
    inf = re.findall(r"^\s*#EXT-X-(?:I-FRAME-|IMAGE-)?STREAM-INF:(.*)$", text, re.M)
    kinds = ("AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS")
    named = {(k, v) for line in inf for k in kinds if (v := attr(line, k)) and v != "NONE"}
    faults = [f"named {one}" for one in named - there] + [f"unused {one}" for one in there - named]
    for group in there:
        mine = [r for r in renditions if (attr(r, "TYPE"), attr(r, "GROUP-ID")) == group]
        if sum(attr(r, "DEFAULT") == "YES" for r in mine) > 1:
            faults.append(f"defaults {group}")
    return faults


def attr(line: str, name: str) -> str:
    found = re.search(rf'(?:^|,)\s*{name}\s*=\s*(?:"([^"]*)"|([^,"]*))', line)
    return (found[1] or found[2] or "").strip() if found else ""


@pytest.mark.skipif(not CORPUS.exists(), reason="the shared corpus is not here")
@pytest.mark.parametrize(
    "text",
    [
        'video = { height = "..480" }',
        'video = { bandwidth = "1000000..3000000", trick_play = false }',
        'audio = { languages = ["en"], channels = "..2" }\nsubtitles = { languages = ["de"] }',
        'captions = false\nvideo = { codecs = ["avc"] }\nsubtitles = { keep = false }',
    ],
)
def test_closure_over_the_corpus(text: str) -> None:
    """No dangling group and no empty ladder, or a refusal; a second pass changes nothing."""
    wanted, masters = rules(text), 0
    with (CORPUS / "index.tsv").open(newline="") as index:
        names = [r["file"] for r in csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE)]
    for name in names:
        data = (CORPUS / name).read_bytes()
        if not name.startswith("hls/") or b"#EXT-X-STREAM-INF" not in data:
            continue
        try:
            out = staged(data, wanted)
        except (FilterError, PlaylistError):
            continue
        text_out = out.decode("utf-8", "replace")
        before = dangling(data.decode("utf-8", "replace"))
        assert [f for f in dangling(text_out) if f not in before] == [], name
        assert set(out.splitlines()) - set(data.splitlines()) == set() or b"EXT-X-" in out, name
        if re.search(rb"^#EXT-X-STREAM-INF.*\n[^#\n]", data, re.M):
            assert b"#EXT-X-STREAM-INF" in out, name
        assert staged(out, wanted) == out, name
        masters += 1
    assert masters > 60
