"""A slate in the numbers of a live playlist whose source is silent (MP-18; HLS-M8..M16, M25)."""

from datetime import UTC, datetime, timedelta

import m3u8
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifest_proxy.hls_slate import loop_of, told, unhurried, with_slate
from manifest_proxy.manifest import Format, Spot, compile_manifest
from manifest_proxy.outages import FAR, Channel, Outage, Shown
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.rulebook import Chaos, Ruleset, Watermark
from manifest_proxy.selection import Span
from manifest_proxy.urls import Origin, Url

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
BASE = 1000
CLIP = b"""#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-MAP:URI="i.mp4"
#EXT-X-PROGRAM-DATE-TIME:2020-01-01T00:00:00Z
#EXTINF:2,
0.m4s
#EXTINF:2,
1.m4s
#EXTINF:2,
2.m4s
#EXTINF:0.5,
3.m4s
#EXT-X-ENDLIST
"""
PATIENCE = 3


def live(
    first: int,
    count: int,
    gaps: frozenset[int] = frozenset(),
    breaks: frozenset[int] = frozenset(),
    more: str = "",
) -> bytes:
    """Segments of 2 s that count from a grid; EXT-X-GAP in the place of lost ones."""
    lines = [
        "#EXTM3U",
        "#EXT-X-TARGETDURATION:2",
        f"#EXT-X-MEDIA-SEQUENCE:{first}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{sum(b < first for b in breaks)}",
        *([more] if more else []),
        '#EXT-X-MAP:URI="i.mp4"',
    ]
    for number in range(first, first + count):
        lines += ["#EXT-X-DISCONTINUITY"] if number in breaks else []
        clock = ZERO + timedelta(seconds=2 * number)
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{clock.isoformat()}")
        lines += ["#EXT-X-GAP"] if number in gaps else []
        lines += ["#EXTINF:2,", f"{number}.m4s"]
    return "\n".join([*lines, ""]).encode()


def lead(uri: bytes) -> bytes:
    return b"/slate/" + uri


def seen(channel: Channel, data: bytes, now_s: float) -> bytes:
    """What a viewer gets from a node that knows `channel`."""
    facts = told(data)
    assert facts is not None
    shown = channel.look(facts, round(now_s * 1000), PATIENCE, loop_of(CLIP, facts.period_ms))
    return with_slate(data, CLIP, lead, shown)


def model(data: bytes) -> dict[int, tuple[int, str]]:
    """Number -> discontinuity number and URI, counted as players do."""
    read = m3u8.loads(data.decode())
    breaks = read.discontinuity_sequence or 0
    found = {}
    for count, segment in enumerate(read.segments):
        breaks += segment.discontinuity
        found[read.media_sequence + count] = breaks, segment.uri
    return found


def test_only_segments_that_fit_repeat() -> None:
    assert loop_of(CLIP, 2000) == 3
    assert loop_of(CLIP, 4000) == 0
    broken = CLIP.replace(b"#EXTINF:2,\n2", b"#EXT-X-DISCONTINUITY\n#EXTINF:2,\n2")
    assert loop_of(broken, 2000) == 2


def test_the_bytes_of_a_silence() -> None:
    channel, data = Channel(), live(100, 6)
    assert seen(channel, data, 0) == data
    assert seen(channel, data, 5.9) == data, "patience"
    out = seen(channel, data, 8).decode()
    head, _, rest = out.partition("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:03:30+00:00\n")
    assert head.startswith(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:102\n"
        '#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-MAP:URI="i.mp4"\n#EXT-X-PROGRAM-DATE-TIME:'
    )
    assert rest == (
        "#EXTINF:2,\n105.m4s\n"
        "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:03:32.000Z\n"
        '#EXT-X-MAP:URI="/slate/i.mp4"\n#EXTINF:2,\n/slate/0.m4s\n'
        "#EXTINF:2,\n/slate/1.m4s\n#EXTINF:2,\n/slate/2.m4s\n"
        "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:03:38.000Z\n"
        '#EXT-X-MAP:URI="/slate/i.mp4"\n#EXTINF:2,\n/slate/0.m4s\n'
    )
    back = seen(channel, live(104, 8, frozenset(range(106, 110)), frozenset({110})), 10).decode()
    assert back.endswith(
        "#EXTINF:2,\n/slate/0.m4s\n#EXTINF:2,\n/slate/1.m4s\n"
        '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="i.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:03:42+00:00\n#EXTINF:2,\n111.m4s\n"
    ), "110 was slate for those who asked in time: it stays so"


def test_what_is_ours_is_neither_marked_nor_spoiled() -> None:
    """MP-21, MP-22: watermarks and faults are the content's."""
    rules = Ruleset("r", watermark=Watermark(), chaos=(Chaos(status=404, numbers=Span(105, 108)),))
    policy = Policy((Pathway("A", "http://a"),), tokenised=False, chaos_url="http://p/chaos")
    url, origin = Url.parse("http://o/live/c/v/media.m3u8"), Origin("http://o")
    shown = Shown((Outage(106, 0, 2000, 0, 3),), 108)
    spot = Spot(CLIP, Url.parse("http://o/vod/s/v/media.m3u8"), shown=shown)
    out = compile_manifest(
        Format.HLS, live(100, 6), url, origin, policy, rules, pattern=b"\0", slate=spot
    )
    text = out.chosen(bytes(32), b"a", b"b").decode()
    assert [segment.uri for segment in m3u8.loads(text).segments] == [
        *(f"http://a/live/c/v/a/{n}.m4s" for n in range(100, 105)),
        "http://p/chaos/404/105",
        "http://a/vod/s/v/0.m4s",
        "http://a/vod/s/v/1.m4s",
    ]


def test_keys_end_where_the_other_begins() -> None:
    """HLS-M15."""
    key = '#EXT-X-KEY:METHOD=AES-128,URI="k"'
    channel, data = Channel(), live(100, 6, more=key)
    seen(channel, data, 0)
    out = seen(channel, data, 6).decode()
    assert "#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-PROGRAM" in out
    clear, locked = (
        live(100, 6),
        CLIP.replace(b"#EXT-X-MAP", b'#EXT-X-KEY:METHOD=AES-128,URI="c"\n#EXT-X-MAP'),
    )
    open_ = Outage(106, 0, 2000, 0, 3)
    out = with_slate(clear, locked, lead, Shown((open_,), 107)).decode()
    assert 'URI="/slate/c",IV=0x0' in out
    closed = Outage(103, 0, 2000, 0, 3, 104, 2)
    out = with_slate(clear, locked, lead, Shown((closed,))).decode()
    assert '#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-MAP:URI="i.mp4"' in out


class Source:
    """A grid of segments with silences; the playlist has gaps for lost ones, or stands still."""

    def __init__(self, silences: list[tuple[int, int]], size: int, tells_gaps: bool) -> None:
        self.lost = frozenset(n for a, b in silences for n in range(a, b))
        self.breaks = frozenset(b for _, b in silences)
        self.size, self.tells_gaps = size, tells_gaps

    def at(self, now: int) -> bytes:
        edge = now
        while not self.tells_gaps and edge in self.lost:
            edge -= 1
        gaps = frozenset(n for n in self.lost if n <= edge)
        return live(edge + 1 - self.size, self.size, gaps, self.breaks)


@st.composite
def sources(draw: st.DrawFn) -> Source:
    silences, at = [], BASE + 12
    for _ in range(draw(st.integers(1, 3))):
        at += draw(st.integers(0, 30))
        length = draw(st.integers(1, 25))
        silences.append((at, at + length))
        at += length + 1
    return Source(silences, draw(st.integers(6, 14)), draw(st.booleans()))


@settings(max_examples=15, deadline=None)
@given(source=sources(), steps=st.lists(st.integers(0, 3), min_size=30, max_size=40))
def test_numbers_hold_through_silence_and_return(source: Source, steps: list[int]) -> None:
    """HLS-M8..M10, HLS-1, HLS-5: one number, one URI, one discontinuity number; the window never
    moves back and new segments keep coming, whoever of two nodes answers; what a restarted one
    is told gives the same bytes.
    """
    one, two = Channel(), Channel()
    known: dict[int, tuple[int, str]] = {}
    first = edge = -1
    now = BASE
    for step in steps:
        now += step
        data = source.at(now)
        out = seen(one, data, 2 * now)
        assert out == seen(two, data, 2 * now)
        told_now = model(out)
        assert min(told_now) >= first and max(told_now) >= edge
        assert sorted(told_now) == list(range(min(told_now), max(told_now) + 1))
        assert len(told_now) >= source.size
        first, edge = min(told_now), max(told_now)
        assert edge >= now - PATIENCE - 3, "the edge follows the clock"
        for number, entry in told_now.items():
            assert known.setdefault(number, entry) == entry
        again = Channel()
        again.learn(one)
        assert seen(again, data, 2 * now) == out
    for number, (_, uri) in known.items():
        assert uri.startswith("/slate/") or uri == f"{number}.m4s"


def test_media_that_come_and_stop_at_once_count_their_discontinuity() -> None:
    """HLS-M9: between two silences nobody listed what stood behind the first."""
    gaps, breaks = frozenset({102, *range(104, 107)}), frozenset({103, 107})
    channel = Channel()
    known: dict[int, tuple[int, str]] = {}
    for edge, now_s in ((101, 0), (102, 6), (103, 8), (106, 14), (108, 18), (112, 22)):
        told_now = model(seen(channel, live(edge - 5, 6, gaps, breaks), now_s))
        assert all(known.setdefault(number, entry) == entry for number, entry in told_now.items())


def test_renditions_are_cut_alike() -> None:
    """HLS-M16: a rendition that was a segment behind when the source died has a gap there."""
    channel = Channel()
    seen(channel, live(100, 7), 0)
    late = live(100, 6)
    seen(channel, late, 0)
    out = m3u8.loads(seen(channel, late, 6).decode())
    told_now = {out.media_sequence + at: s for at, s in enumerate(out.segments)}
    assert told_now[106].gap_tag and not told_now[106].discontinuity
    assert told_now[107].uri == "/slate/0.m4s" and told_now[107].discontinuity


def test_a_source_that_counts_anew_is_believed() -> None:
    channel = Channel()
    seen(channel, live(FAR + 100, 6), 0)
    data = live(1, 6)
    assert seen(channel, data, 30) == data


def test_a_node_that_lost_its_origin_alone_learns_that_media_come() -> None:
    sick, well = Channel(), Channel()
    for channel in (sick, well):
        seen(channel, live(100, 6), 0)
    assert b"/slate/" in seen(sick, live(100, 6), 8)
    seen(well, live(104, 6), 8)
    sick.learn(well)
    assert seen(sick, live(104, 6), 8) == live(104, 6)


def test_sessions_that_may_meet_a_slate_have_no_parts() -> None:
    """HLS-M25: no promise of low latency from the first answer on."""
    more = (
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1,HOLD-BACK=6\n"
        "#EXT-X-PART-INF:PART-TARGET=0.5"
    )
    parts = (
        b'#EXT-X-PART:DURATION=0.5,URI="106.0.m4s"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="106.1.m4s"\n'
        b'#EXT-X-RENDITION-REPORT:URI="../a/media.m3u8",LAST-MSN=106\n'
    )
    clock = b"#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:03:32Z\n"
    out = unhurried(live(100, 6, more=more) + clock + parts)
    assert out == live(100, 6, more="#EXT-X-SERVER-CONTROL:HOLD-BACK=6")
    only = live(100, 6, more="#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12")
    assert unhurried(only) == live(100, 6)


@pytest.mark.parametrize(
    "data",
    [
        live(100, 6) + b"#EXT-X-ENDLIST\n",
        live(100, 6, more="#EXT-X-PLAYLIST-TYPE:EVENT"),
        live(100, 6, more="#EXT-X-I-FRAMES-ONLY"),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n",
    ],
)
def test_what_gets_no_slate(data: bytes) -> None:
    assert told(data) is None
