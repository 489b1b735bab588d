"""A slate in Periods behind the media of a silent source (MP-18; DASH-M1..M7, M14)."""

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise

import pytest
from lxml import etree

from manifest_proxy.mpd_slate import MAX_PERIODS, told_mpd, with_slate_mpd
from manifest_proxy.outages import Channel

ZERO_MS = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
NS = "{urn:mpeg:dash:schema:mpd:2011}"
CLIP = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT5S">
<Period id="1"><AdaptationSet id="c"/></Period></MPD>"""


def live(last: int, back: int = 0, *, depth: str = "PT20S") -> bytes:
    """Segments of 2 s up to number `last`; from `back` on in a Period that began there."""
    first = max(0, last - 9)
    later = ""
    if back:
        later = f"""<Period id="q" start="PT{2 * back}S"><AdaptationSet id="1"><SegmentTemplate
 presentationTimeOffset="{2 * back}"><SegmentTimeline><S t="{2 * back}" d="2" r="3"/>
</SegmentTimeline></SegmentTemplate></AdaptationSet></Period>"""
    return f"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"
 timeShiftBufferDepth="{depth}" publishTime="2026-01-01T00:01:00Z"
 availabilityStartTime="2026-01-01T00:00:00Z"><Period id="p" start="PT0S"><AdaptationSet id="1">
<SegmentTemplate><SegmentTimeline><S t="{2 * first}" d="2" r="{last - first}"/></SegmentTimeline>
</SegmentTemplate></AdaptationSet></Period>{later}</MPD>""".encode()


def seen(channel: Channel, data: bytes, now_s: float) -> bytes:
    facts = told_mpd(data)
    assert facts is not None
    shown = channel.look(facts, ZERO_MS + round(1000 * now_s), 3, 1)
    return with_slate_mpd(data, CLIP, b"/vod/slate/", shown)


def periods(data: bytes) -> list[tuple[str, Fraction, Fraction | None]]:
    found = []
    for period in etree.fromstring(data).iter(f"{NS}Period"):
        length = period.get("duration")
        start = Fraction(period.get("start")[2:-1])
        found.append((period.get("id"), start, Fraction(length[2:-1]) if length else None))
    return found


def test_the_periods_of_a_silence_and_of_the_return() -> None:
    channel, data = Channel(), live(29)
    assert seen(channel, data, 61) == seen(channel, data, 66.9) == data
    out = seen(channel, data, 67)
    name = f"slate-{ZERO_MS + 60_000}"
    slates = [(f"{name}-0", Fraction(60), Fraction(5)), (f"{name}-1", Fraction(65), Fraction(5))]
    assert periods(out) == [("p", 0, None), *slates]
    tree = etree.fromstring(out)
    assert tree.findtext(f"{NS}Period[@id='{name}-1']/{NS}BaseURL") == "/vod/slate/"
    assert tree.get("publishTime") == "2026-01-01T00:01:06.000Z", "DASH-M14"
    assert seen(channel, data, 69) == out, "nothing changes within a turn"
    assert seen(channel, data, 71.5) != out
    seen(channel, live(29, 36), 80.5)
    back = periods(seen(channel, live(29, 36).replace(b'r="3"', b'r="5"'), 84.5))
    assert back == [
        ("p", 0, None),
        *slates,
        (f"{name}-2", Fraction(70), Fraction(5)),
        (f"{name}-3", Fraction(75), Fraction(5)),
        (f"{name}-4", Fraction(80), Fraction(2)),
        (f"live-{ZERO_MS + 82_000}", Fraction(82), None),
    ]


def test_no_period_moves_while_it_lasts_and_none_is_kept_for_ever() -> None:
    """DASH-M1, M4, M7: one id, one start, no holes; another node that learns agrees."""
    channel, data, starts = Channel(), live(29), dict[str, Fraction]()
    for now in range(61, 400, 3):
        out = seen(channel, data, now)
        found = periods(out)
        for name, start, _ in found:
            assert starts.setdefault(name, start) == start
        assert len(found) <= 8
        slates = found[1:]
        for before, after in pairwise(slates):
            assert before[2] is not None and before[1] + before[2] == after[1]
        if now >= 67:
            last = slates[-1]
            assert last[2] is not None and last[1] <= now - 1 < last[1] + last[2]
        other = Channel()
        other.learn(channel)
        assert seen(other, data, now) == out
    endless = live(29, depth="PT9999S")
    assert len(periods(seen(channel, endless, 4000))) <= 2 + MAX_PERIODS


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"dynamic", b"static"),
        lambda data: data.replace(b' start="PT0S"', b""),
        lambda data: data.replace(b"availabilityStartTime", b"x"),
        lambda data: data.replace(b"SegmentTimeline", b"Other"),
        lambda data: data.replace(b'r="9"', b'r="-1"'),
    ],
)
def test_mpds_that_get_no_slate(change: Callable[[bytes], bytes]) -> None:
    assert told_mpd(change(live(29))) is None


def test_a_clip_of_unknown_length_stays_away() -> None:
    channel, data = Channel(), live(29)
    facts = told_mpd(data)
    assert facts is not None
    channel.look(facts, ZERO_MS, 3, 1)
    shown = channel.look(facts, ZERO_MS + 60_000, 3, 1)
    assert with_slate_mpd(data, CLIP.replace(b"PT5S", b"?"), b"/s/", shown) == data
