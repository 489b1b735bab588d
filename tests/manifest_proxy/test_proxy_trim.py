"""Windows of live manifests: what stays means what it meant (HLS-M9..M13, M18; DASH-M13, D7)."""

import csv
import re
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import m3u8
import pytest
from lxml import etree

from manifest_proxy.asked import directives
from manifest_proxy.errors import ManifestError
from manifest_proxy.hls_segments import read_media
from manifest_proxy.hls_trim import cut, windowed, written
from manifest_proxy.mpd_trim import seconds, windowed_mpd
from native.hls import PlaylistError

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus"
LIVE = b"""#EXTM3U\r
#EXT-X-VERSION:9\r
#EXT-X-TARGETDURATION:4\r
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.0,PART-HOLD-BACK=1.0\r
#EXT-X-MEDIA-SEQUENCE:10\r
#EXT-X-DISCONTINUITY-SEQUENCE:3\r
#EXT-X-MAP:URI="a.mp4"\r
#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"\r
#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:k",KEYFORMAT="urn:uuid:edef8ba9"\r
#EXT-X-BITRATE:900\r
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.500Z\r
#EXTINF:4.004,\r
#EXT-X-BYTERANGE:100@0\r
all.mp4\r
#EXTINF:4.004,\r
#EXT-X-BYTERANGE:50\r
all.mp4\r
#EXT-X-DATERANGE:ID="ad",START-DATE="2026-01-01T00:00:08Z"\r
#EXT-X-DISCONTINUITY\r
#EXT-X-MAP:URI="b.mp4"\r
#EXTINF:4.0,\r
#EXT-X-BYTERANGE:70\r
all.mp4\r
#EXT-X-PART:DURATION=2,URI="p.mp4",BYTERANGE="10@5"\r
#EXT-X-PART:DURATION=2,URI="p.mp4",BYTERANGE="10"\r
#EXTINF:4.0,\r
p.mp4\r
#EXTINF:4.0,\r
q.mp4\r
#EXT-X-PART:DURATION=2,URI="r.mp4"\r
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="r2.mp4"\r
"""


def at(first: int, data: bytes = LIVE) -> str:
    return written(cut(read_media(data), first)).decode()


def test_state_in_force_is_written_again() -> None:
    out = at(1)
    assert "\r\n#EXT-X-MEDIA-SEQUENCE:11\r\n#EXT-X-DISCONTINUITY-SEQUENCE:3\r\n" in out
    assert (
        '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"\r\n'
        '#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:k",KEYFORMAT="urn:uuid:edef8ba9"\r\n'
        '#EXT-X-MAP:URI="a.mp4"\r\n#EXT-X-BITRATE:900\r\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:04.504Z\r\n"
        "#EXTINF:4.004,\r\n#EXT-X-BYTERANGE:50@100\r\nall.mp4\r\n" in out
    )
    assert "CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.0,PART-HOLD-BACK=1.0" in out
    assert out.endswith('#EXT-X-PRELOAD-HINT:TYPE=PART,URI="r2.mp4"\r\n')


def test_tags_of_the_playlist_stay_wherever_they_stand() -> None:
    """Encoders write KEY before TARGETDURATION and MEDIA-SEQUENCE; the segment goes, they stay."""
    late = b"#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n"
    out = at(1, b"#EXTM3U\n#EXT-X-KEY:METHOD=NONE\n%b#EXTINF:4,\n1\n#EXTINF:4,\n2\n" % late)
    assert out == (
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:8\n"
        "#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\n2\n"
    )


def test_a_discontinuity_counts_once_it_is_gone() -> None:
    before, out = at(2), at(3)
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:3\r\n" in before
    assert "\r\n#EXT-X-DISCONTINUITY\r\n" in before
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:4\r\n" in out and "#EXT-X-DISCONTINUITY\r" not in out
    assert 'URI="b.mp4"' in out and 'ID="ad"' in out


def test_the_first_segment_s_ranges_say_where_they_begin() -> None:
    """HLS-M13"""
    assert ranges(at(2)) == ["70@150", "10@5", "10"]
    assert ranges(at(3)) == ["10@5", "10@15"]


def ranges(playlist: str) -> list[str]:
    return re.findall(r'BYTERANGE(?::|=")([0-9@]+)', playlist)


@pytest.mark.parametrize("window_s, first", [(1, 2), (12, 2), (13, 1), (20, 0), (900, 0)])
def test_three_target_durations_always_stay(window_s: int, first: int) -> None:
    assert f"#EXT-X-MEDIA-SEQUENCE:{10 + first}\r\n" in windowed(LIVE, window_s).decode()


@pytest.mark.parametrize("line", [b"#EXT-X-ENDLIST\n", b"#EXT-X-PLAYLIST-TYPE:EVENT\n"])
def test_what_promised_to_keep_all_keeps_it(line: bytes) -> None:
    data = LIVE.replace(b"#EXT-X-VERSION", line + b"#EXT-X-VERSION")
    assert windowed(data, 1) == data


def test_whole_playlists_are_asked_for() -> None:
    query = "_HLS_msn=4&_HLS_skip=YES"
    assert directives(query) == "?_HLS_msn=4&_HLS_skip=YES"
    assert directives(query, deltas=False) == "?_HLS_msn=4"
    with pytest.raises(ManifestError, match="playlist_delta"):
        windowed(LIVE.replace(b"#EXT-X-MAP", b"#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXT-X-MAP", 1), 9)


@pytest.mark.skipif(not CORPUS.exists(), reason="the shared corpus is not here")
def test_every_cut_of_the_corpus_means_the_same() -> None:
    """An independent reader finds the same media, keys, headers and clock behind every cut."""
    with (CORPUS / "index.tsv").open(newline="") as index:
        names = [r["file"] for r in csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE)]
    cuts = unread = 0
    for name in names:
        data = (CORPUS / name).read_bytes()
        if not name.startswith("hls/") or b"#EXTINF" not in data or len(data) > 20_000:
            continue
        try:
            count = len(read_media(data).segments)
        except (ManifestError, PlaylistError):
            continue
        try:
            before = seen(data)
        except (ValueError, TypeError):
            before = []  # what the other reader makes of things it does not expect
        if len(before) != count:
            unread += 1
            continue
        for first in range(0, count + 1, max(1, count // 12)):
            out = written(cut(read_media(data), first))
            assert seen(out) == before[first:], (name, first)
            again, whole = read_media(out), read_media(data)
            assert again.sequence == whole.sequence + first, name
            cuts += 1
    assert cuts > 800 and unread * 10 < len(names)


def seen(data: bytes) -> list[tuple[object, ...]]:
    loaded = m3u8.loads(data.decode())
    found = []
    for one in loaded.segments:
        key = one.key.uri if one.key else None
        header = one.init_section.uri if one.init_section else None
        clock: datetime | None = one.current_program_date_time
        shown = clock and round(clock.timestamp(), 2)
        found.append((one.uri, one.duration, key, header, shown))
    return found


MPD = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"{depth}>
<Period id="0" start="PT0S">
<AdaptationSet><SegmentTemplate timescale="10" startNumber="5"><SegmentTimeline>
<S t="100" d="20" r="1"/><S d="30"/> <S d="20" r="9"/></SegmentTimeline></SegmentTemplate>
<Representation id="a" bandwidth="1"/></AdaptationSet></Period></MPD>"""


def timeline(window_s: int, depth: str = "") -> tuple[str | None, str | None, list[dict[str, str]]]:
    tree = etree.fromstring(windowed_mpd(MPD.format(depth=depth).encode(), window_s))
    template = next(tree.iter("{*}SegmentTemplate"))
    runs = [dict(one.attrib) for one in tree.iter("{*}S")]
    return tree.get("timeShiftBufferDepth"), template.get("startNumber"), runs


def test_whole_runs_leave_an_mpd() -> None:
    """DASH-M13, D7: the end is at 370; a run goes once its end is out of the buffer."""
    runs = [{"t": "100", "d": "20", "r": "1"}, {"d": "30"}, {"d": "20", "r": "9"}]
    assert timeline(24) == ("PT24S", "5", runs)
    assert timeline(23) == ("PT23S", "7", [{"t": "140", **runs[1]}, runs[2]])
    assert timeline(20) == ("PT20S", "8", [{"t": "170", **runs[2]}])
    assert timeline(1) == ("PT1S", "8", [{"t": "170", **runs[2]}])
    assert timeline(60, ' timeShiftBufferDepth="PT1M"')[0] == "PT1M"
    assert timeline(60, ' timeShiftBufferDepth="PT2M"')[0] == "PT60S"


def test_static_and_open_timelines_stay() -> None:
    static = MPD.format(depth="").replace("dynamic", "static").encode()
    assert windowed_mpd(static, 1) == static
    opened = MPD.format(depth=' timeShiftBufferDepth="PT1S"').replace('r="9"', 'r="-1"').encode()
    assert windowed_mpd(opened, 5) == opened


@pytest.mark.parametrize(
    "text, wanted", [("PT1M30.5S", "90.5"), ("P1DT1H", "90000"), ("P1Y", None), ("P", None)]
)
def test_durations(text: str, wanted: str | None) -> None:
    found = seconds(text)
    assert (found and Fraction(found)) == (wanted and Fraction(wanted))
