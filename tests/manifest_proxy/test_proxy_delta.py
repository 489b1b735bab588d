"""Deltas of playlists that rules edit, from our own output (HLS-M22, HLS-20..HLS-23)."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifest_proxy.hls_delta import delta
from manifest_proxy.hls_segments import DISCONTINUITY, Segment, read_media
from manifest_proxy.hls_trim import windowed

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
STATES = (
    '#EXT-X-MAP:URI="i1.mp4"',
    '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://1"',
    "#EXT-X-KEY:METHOD=NONE",
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-BITRATE:900",
    "#EXT-X-BYTERANGE:100",
)


def live(first: int, sizes: list[int], more: dict[int, list[str]], until: str = "12.0") -> bytes:
    """Segments of these many half seconds with more lines at some."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        "#EXT-X-TARGETDURATION:2",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={until}",
        f"#EXT-X-MEDIA-SEQUENCE:{first}",
        "#EXT-X-DISCONTINUITY-SEQUENCE:3",
        f"#EXT-X-PROGRAM-DATE-TIME:{(ZERO + timedelta(seconds=first)).isoformat()}",
        '#EXT-X-MAP:URI="i.mp4"',
    ]
    for at, size in enumerate(sizes):
        lines += [*more.get(at, []), f"#EXTINF:{size / 2},", f"{first + at}.m4s"]
    return "\n".join([*lines, '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p"', ""]).encode()


def test_the_bytes_of_a_delta() -> None:
    dated = '#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:00:00Z"'
    data = live(10, [4] * 9, {0: [dated], 1: ["#EXT-X-DISCONTINUITY"]})
    assert delta(data).decode() == (
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0\n"
        "#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n"
        f"#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n{dated}\n"
        '#EXT-X-MAP:URI="i.mp4"\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:16.000Z\n'
        + "".join(f"#EXTINF:2.0,\n{n}.m4s\n" for n in range(13, 19))
        + '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p"\n'
    )


@pytest.mark.parametrize(
    "data",
    [
        live(10, [4] * 6, {}),
        live(10, [4] * 9, {}).replace(b",CAN-SKIP-UNTIL=12.0", b""),
        live(10, [4] * 9, {}, until="x"),
        live(10, [4] * 9, {}, until="0"),
        live(10, [4] * 9, {}) + b"#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n",
    ],
)
def test_where_nothing_may_be_skipped_all_is_told(data: bytes) -> None:
    """HLS-22."""
    assert delta(data) == data


def meant(segment: Segment) -> tuple[object, ...]:
    """What a player takes a segment to be."""
    return (
        segment.lines[-1].value,
        segment.duration_s,
        tuple(line.raw for line in segment.keys),
        {name: line.raw for name, line in segment.standing.items()},
        segment.clock,
        segment.offset,
        segment.has(DISCONTINUITY),
    )


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=24),
    more=st.dictionaries(
        st.integers(0, 24), st.lists(st.sampled_from(STATES), max_size=3, unique=True)
    ),
    grown=st.integers(0, 4),
    window_s=st.sampled_from([8, 14, 100]),
)
def test_who_has_an_older_copy_gets_the_newer_one(
    sizes: list[int], more: dict[int, list[str]], grown: int, window_s: int
) -> None:
    """HLS-23 behind an edit: what is skipped was told alike before, and the rest stands alone."""
    older = windowed(live(10, sizes[: len(sizes) - grown] or sizes[:1], more), window_s)
    newer = windowed(live(10, sizes, more), window_s)
    full, short = read_media(newer), delta(newer)
    count = re.search(rb"SKIPPED-SEGMENTS=(\d+)", short)
    skipped = int(count[1]) if count else 0
    assert (skipped == 0) == (short == newer)
    rest = re.sub(rb"#EXT-X-SKIP.*\n", b"", short)
    assert [meant(one) for one in read_media(rest).segments] == [
        meant(one) for one in full.segments[skipped:]
    ]
    behind_s = sum(one.duration_s for one in full.segments[skipped:])
    assert not skipped or behind_s >= 12 > behind_s - full.segments[skipped].duration_s
    known = {one.number: meant(one) for one in read_media(older).segments}
    for one in full.segments[:skipped]:
        assert known.get(one.number, meant(one)) == meant(one)
