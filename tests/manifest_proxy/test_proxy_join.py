"""A bumper before something live, where a viewer joined it (HLS-M5..M19, DASH-M1..M13, MP-45)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import m3u8
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from manifest_proxy.hls_join import Joints, place_to_join
from manifest_proxy.hls_splice import filler
from manifest_proxy.mpd_join import place_to_join_mpd, with_join_mpd
from manifest_proxy.session import Chosen, Sessions

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
CLIP = b"""#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-KEY:METHOD=AES-128,URI="ck"
#EXT-X-MAP:URI="i.mp4"
#EXTINF:2,
1.m4s
#EXT-X-DISCONTINUITY
#EXTINF:1.5,
2.m4s
#EXT-X-ENDLIST
"""


def lead(uri: bytes) -> bytes:
    return b"/vod/bumper/" + uri


def live(first: int, count: int, breaks: frozenset[int] = frozenset(), late_ms: int = 0) -> bytes:
    """Segments of 2 s, a clock at each; DISCONTINUITY before those of `breaks`."""
    lines = [
        "#EXTM3U",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0",
        f"#EXT-X-MEDIA-SEQUENCE:{first}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{sum(b < first for b in breaks)}",
        '#EXT-X-MAP:URI="i.mp4"',
    ]
    for number in range(first, first + count):
        clock = ZERO + timedelta(seconds=2 * number, milliseconds=late_ms)
        lines += ["#EXT-X-DISCONTINUITY"] if number in breaks else []
        if number == first or number % 2 == 0:
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{clock.isoformat()}")
        lines += ["#EXTINF:2,", f"{number}.m4s"]
    return "\n".join([*lines, ""]).encode()


def at(number: int) -> int:
    return round((ZERO.timestamp() + 2 * number) * 1000)


def spliced(data: bytes, joined_ms: int, clip: bytes = CLIP) -> bytes:
    return Joints(data, clip, lead).at(joined_ms)


def test_a_viewer_joins_three_targets_before_the_end() -> None:
    data = live(100, 10)
    assert place_to_join(data) == at(107)
    assert place_to_join(data + b"#EXT-X-ENDLIST\n") is None
    assert place_to_join(data.replace(b"PROGRAM-DATE", b"NO-DATE")) is None


@pytest.mark.parametrize(
    "odd", [(b"#EXT-X-TARGETDURATION:2\n", b""), (b"2026-01-01T", b"9999-12-31T"), (b"+00:00", b"")]
)
def test_odd_playlists_are_no_fault_of_ours(odd: tuple[bytes, bytes]) -> None:
    """Without a target duration, at the end of all clocks, without a zone."""
    data = live(100, 10).replace(*odd).replace(b"T00:", b"T23:")
    place = place_to_join(data)
    assert spliced(data, place or at(107))


def test_the_bytes_of_a_join() -> None:
    out = spliced(live(100, 10), at(107)).decode()
    assert out == (
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:105\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
        "#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0\n"
        "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n"
        '#EXT-X-KEY:METHOD=AES-128,URI="/vod/bumper/ck",IV=0x00000000000000000000000000000000\n'
        '#EXT-X-MAP:URI="/vod/bumper/i.mp4"\n#EXTINF:2,\n/vod/bumper/1.m4s\n#EXT-X-DISCONTINUITY\n'
        '#EXT-X-KEY:METHOD=AES-128,URI="/vod/bumper/ck",IV=0x00000000000000000000000000000001\n'
        "#EXTINF:1.5,\n/vod/bumper/2.m4s\n"
        "#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=NONE\n"
        '#EXT-X-MAP:URI="i.mp4"\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:03:34.000Z\n'
        "#EXTINF:2,\n107.m4s\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:03:36+00:00\n#EXTINF:2,\n108.m4s\n"
        "#EXTINF:2,\n109.m4s\n"
    )


def model(data: bytes) -> dict[int, tuple[int, str]]:
    """Number -> discontinuity number and URI, counted as players do."""
    read = m3u8.loads(data.decode())
    breaks = read.discontinuity_sequence or 0
    found = {}
    for count, segment in enumerate(read.segments):
        breaks += segment.discontinuity
        found[read.media_sequence + count] = breaks, segment.uri
    return found


@settings(max_examples=30, deadline=None)
@given(
    breaks=st.frozensets(st.integers(100, 130)),
    steps=st.lists(st.integers(0, 4), min_size=1, max_size=8),
    size=st.integers(6, 12),
    late_ms=st.integers(-40, 40),
)
def test_numbers_hold_through_every_refresh(
    breaks: frozenset[int], steps: list[int], size: int, late_ms: int
) -> None:
    """HLS-M8..M10: one number, one URI and one discontinuity number, whoever answers, whenever; a
    rendition whose clock is a little off is cut at the same number (HLS-M16).
    """
    first = 100
    joined_ms = place_to_join(live(first, size, breaks))
    assert joined_ms == at(first + size - 3)
    seen: dict[int, tuple[int, str]] = {}
    edge = -1
    for step in steps:
        first += step
        data = live(first, size, breaks)
        now = model(spliced(data, joined_ms))
        other = model(spliced(live(first, size, breaks, late_ms), joined_ms, filler(CLIP)))
        assert min(now) >= edge and sorted(now) == list(range(min(now), first + size))
        assert sorted(other) == sorted(now)
        edge = min(now)
        for number, told in now.items():
            assert seen.setdefault(number, told) == told
        content = {n: uri for n, (_, uri) in now.items() if not uri.startswith("/vod")}
        assert content == {n: f"{n}.m4s" for n in content}
    bumped = [uri for _, uri in seen.values() if uri.startswith("/vod")]
    assert bumped[:2] == (["/vod/bumper/1.m4s", "/vod/bumper/2.m4s"] if bumped else [])


def test_who_comes_back_later_begins_at_the_edge() -> None:
    out = spliced(live(100, 20), at(107))
    assert b"EXT-X-START" not in out and b"/vod/bumper/1.m4s" in out


@pytest.mark.parametrize("clip", [CLIP.replace(b":1.5,", b":2.6,"), b"#EXTM3U\n"])
def test_a_clip_that_does_not_fit_is_left_out(clip: bytes) -> None:
    """HLS-M11."""
    data = live(100, 10)
    assert spliced(data, at(107), clip) == data


def test_numbers_never_fall_below_zero() -> None:
    out = model(spliced(live(0, 4), at(1)))
    assert out == {n: (2, f"{n}.m4s") for n in range(4)}, "the clip needs two numbers"
    assert min(model(spliced(live(0, 5), at(2)))) == 0


def test_sessions_carry_the_place() -> None:
    """MP-45: any node reads it; sessions without one are written as ever."""
    one, two = Sessions(b"s"), Sessions(b"s")
    joined = Chosen("phone", "", 1_767_225_600_000)
    assert two.read(one.sign(joined)) == joined
    assert two.read(one.sign(Chosen("phone", ""))) == Chosen("phone", "", 0)


# -- DASH ------------------------------------------------------------------------------------------

CLIP_MPD = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT3.5S">
<Period id="1"><AdaptationSet id="c"/></Period></MPD>"""
NS = "{urn:mpeg:dash:schema:mpd:2011}"


def dynamic(first: int, count: int, *, own: str = "", more: str = "") -> bytes:
    """Segments of 2 s in one Period that began 100 s in; sound by runs of other lengths."""
    sound = f'<S t="{(2 * first - 4) * 48000}" d="48000" r="{2 * count + 3}"/>'
    return f"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"
 availabilityStartTime="2026-01-01T00:00:00Z" suggestedPresentationDelay="PT8S">
<Period id="p" start="PT100S"{own}><EventStream timescale="1000"/>
<AdaptationSet id="1"><SegmentTemplate timescale="1000" startNumber="{first}"
 presentationTimeOffset="100000" media="$Number$"><SegmentTimeline>
<S t="{2000 * first}" d="2000"/><S d="2000" r="{count - 2}"/></SegmentTimeline></SegmentTemplate>
<Representation id="v"/></AdaptationSet>
<AdaptationSet id="2"><SegmentTemplate timescale="48000" presentationTimeOffset="4800000"/>
<Representation id="a"><SegmentTemplate media="$Time$"><SegmentTimeline>{sound}
</SegmentTimeline></SegmentTemplate></Representation></AdaptationSet>
</Period>{more}</MPD>""".encode()


def shown(data: bytes, kind: str) -> dict[Fraction, int]:
    """Presentation time of each listed segment -> its number, of Period `p`."""
    period = etree.fromstring(data).find(f"{NS}Period[@id='p']")
    start = Fraction(period.get("start")[2:-1])
    templates = period.findall(f"{NS}AdaptationSet[@id='{kind}']//{NS}SegmentTemplate")
    told: dict[str, str] = {}
    for template in templates:
        told.update(template.attrib)
    time, number, found = 0, int(told.get("startNumber", 1)), {}
    for run in period.findall(f"{NS}AdaptationSet[@id='{kind}']//{NS}S"):
        time = int(run.get("t", time))
        for _ in range(int(run.get("r", 0)) + 1):
            offset = Fraction(time - int(told["presentationTimeOffset"]), int(told["timescale"]))
            found[start + offset] = number
            time, number = time + int(run.get("d")), number + 1
    return found


def test_a_period_is_split_where_a_viewer_joined() -> None:
    """DASH-M4..M7: what follows plays later by the clip's length, under its own id."""
    data = dynamic(60, 10)  # up to 140 s, and 8 s of them are held back
    joined_ms = place_to_join_mpd(data)
    assert joined_ms == at(66)
    out = with_join_mpd(data, CLIP_MPD, b"/vod/b/", joined_ms)
    tree = etree.fromstring(out)
    periods = [(p.get("id"), p.get("start"), p.get("duration")) for p in tree.iter(f"{NS}Period")]
    assert periods == [(f"bumper-{at(66)}", "PT132S", "PT3.5S"), ("p", "PT135.5S", None)]
    assert tree.findtext(f"{NS}Period/{NS}BaseURL") == "/vod/b/"
    assert tree.get("availabilityStartTime") == "2025-12-31T23:59:56.500Z"
    assert tree.get("suggestedPresentationDelay") == "PT11.5S"
    assert shown(out, "1") == {Fraction(271, 2) + 2 * n: 66 + n for n in range(4)}
    assert min(shown(out, "2")) == Fraction(271, 2)
    assert tree.find(f".//{NS}EventStream").get("presentationTimeOffset") == "32000"


@settings(max_examples=20, deadline=None)
@given(steps=st.lists(st.integers(0, 3), min_size=1, max_size=6), size=st.integers(5, 9))
def test_no_segment_moves_in_a_session(steps: list[int], size: int) -> None:
    """DASH-M1, D7: every refresh lists a segment at the same time under the same number."""
    first = 60
    joined_ms = place_to_join_mpd(dynamic(first, size))
    assert joined_ms is not None
    seen: dict[str, dict[Fraction, int]] = {"1": {}, "2": {}}
    for step in steps:
        first += step
        out = with_join_mpd(dynamic(first, size), CLIP_MPD, b"/b/", joined_ms)
        period = etree.fromstring(out).find(f"{NS}Period[@id='p']")
        assert Fraction(period.get("start")[2:-1]) == Fraction(joined_ms - at(0), 1000) + Fraction(
            7, 2
        )
        for number, time in ((n, t) for t, n in shown(out, "1").items()):
            assert seen["1"].setdefault(time, number) == number
        has_clip = b"bumper-" in out
        assert has_clip == (at(first) <= joined_ms)


def test_later_periods_move_earlier_ones_leave() -> None:
    later = '<Period id="q" start="PT160S"/>'
    data = dynamic(60, 10, own=' duration="PT60S"', more=later)
    out = with_join_mpd(data, CLIP_MPD, b"/b/", at(66))
    tree = etree.fromstring(out)
    assert [(p.get("id"), p.get("start")) for p in tree.iter(f"{NS}Period")][1:] == [
        ("p", "PT135.5S"),
        ("q", "PT163.5S"),
    ]
    assert tree.find(f"{NS}Period[@id='p']").get("duration") == "PT28S"
    out = with_join_mpd(data, CLIP_MPD, b"/b/", at(81))
    (period,) = etree.fromstring(out).iter(f"{NS}Period")
    assert (period.get("id"), period.get("start")) == ("q", "PT165.5S")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"dynamic", b"static"),
        lambda data: data.replace(b' start="PT100S"', b""),
        lambda data: data.replace(b"availabilityStartTime", b"x"),
        lambda data: data.replace(b"SegmentTimeline", b"Other"),
    ],
)
def test_where_no_place_can_be_told_nobody_joins(change: Callable[[bytes], bytes]) -> None:
    assert place_to_join_mpd(change(dynamic(60, 10))) is None
