"""Media that come back after a slate in an MPD: what was published stays (MP-18; D2, D7, D15,
DASH-M1, M4, M5, M7, M14).
"""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import msgspec
import pytest
from lxml import etree

from manifest_proxy.mpd_slate import told_mpd, with_slate_mpd
from manifest_proxy.outages import Channel

ZERO_MS = 1_767_225_600_000  # 2026-01-01
NS = "{urn:mpeg:dash:schema:mpd:2011}"
CLIP = b"""<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT5S">
<Period id="1"><AdaptationSet id="c"/></Period></MPD>"""
DEPTH_S, SIZE_S, VALID_S = 40, 2, 3
Has = Callable[[int], bool]


def mpd(
    last: int, has: Has = lambda _: True, begins: tuple[int, ...] = (0,), late: int = 0
) -> bytes:
    """Segments up to that number but those that were lost, in Periods that begin at numbers; the
    second set lists `late` fewer. Numbers count what is listed.
    """
    periods = []
    for begin, end in pairwise([*begins, 10**6]):
        sets = []
        for name, behind in (("v", 0), ("a", late)):
            own = [n for n in range(begin, min(end, last + 1 - behind)) if has(n)]
            window = [n for n in own if n > last - DEPTH_S // SIZE_S]
            heads = [n for n in window if n - 1 not in window]
            tails = [n for n in window if n + 1 not in window]
            runs = "".join(
                f'<S t="{1000 + 2 * (n - begin)}" d="2" r="{tail - n}"/>'
                for n, tail in zip(heads, tails, strict=True)
            )
            number = own.index(window[0]) + 1 if window else 1
            sets.append(
                f'<AdaptationSet id="{name}"><SegmentTemplate presentationTimeOffset="1000"'
                f' startNumber="{number}"><SegmentTimeline>{runs}</SegmentTimeline>'
                "</SegmentTemplate></AdaptationSet>"
            )
        if begin <= last and "<S " in sets[0]:
            periods.append(f'<Period id="p{begin}" start="PT{2 * begin}S">{"".join(sets)}</Period>')
    return (
        f'<MPD xmlns="{NS[1:-1]}" type="dynamic" publishTime="2026-01-01T00:00:00Z"'
        f' timeShiftBufferDepth="PT{DEPTH_S}S" minimumUpdatePeriod="PT{VALID_S}S"'
        f' availabilityStartTime="2026-01-01T00:00:00Z">{"".join(periods)}</MPD>'
    ).encode()


class Shown:
    """One version, as a player reads it."""

    def __init__(self, data: bytes) -> None:
        self.published = etree.fromstring(data).get("publishTime")
        periods = list(etree.fromstring(data).iter(f"{NS}Period"))
        self.starts = {one.get("id"): _seconds(one.get("start")) for one in periods}
        assert len(self.starts) == len(periods), "D2"
        assert list(self.starts.values()) == sorted(set(self.starts.values()))
        self.segments: dict[str, dict[Fraction, int]] = {}
        self.end: Fraction | None = None
        self.is_full = True
        for one, following in pairwise([*periods, None]):
            name, start = one.get("id"), _seconds(one.get("start"))
            if one.get("duration") is not None:
                self.end = start + _seconds(one.get("duration"))
                after = following is None or _seconds(following.get("start"))
                assert after in (True, self.end), "no holes (DASH-M7)"
            else:
                self.end = None
            for template in one.iter(f"{NS}SegmentTemplate"):
                self.is_full &= template.find(f".//{NS}S") is not None
                first, offset = (
                    int(template.get(name)) for name in ("startNumber", "presentationTimeOffset")
                )
                times = [
                    start + int(s.get("t")) - offset + 2 * at
                    for s in template.iter(f"{NS}S")
                    for at in range(int(s.get("r")) + 1)
                ]
                numbers = {time: first + at for at, time in enumerate(times)}
                self.segments.setdefault(name, {}).update(numbers)

    def owner(self, time: Fraction) -> str | None:
        """The Period that plays then."""
        if self.end is not None and time >= self.end:
            return None
        return next((one for one, start in reversed(self.starts.items()) if start <= time), None)


def _seconds(text: str) -> Fraction:
    return Fraction(text[2:-1])


class Session:
    """What one viewer was told by nodes that know `channel`, and that it never was contradicted."""

    def __init__(self) -> None:
        self.channel = Channel()
        self.owners: dict[int, str | None] = {}
        self.starts: dict[str, Fraction] = {}
        self.numbers: dict[tuple[str, Fraction], int] = {}
        self.published = ""
        self.is_full = True

    def look(self, data: bytes, now_s: float) -> Shown:
        facts = told_mpd(data)
        assert facts is not None
        told = self.channel.look(facts, ZERO_MS + round(1000 * now_s), 3, 1)
        out = with_slate_mpd(data, CLIP, b"/s/", told)
        other = msgspec.json.decode(msgspec.json.encode(self.channel), type=Channel)
        again = other.look(facts, ZERO_MS + round(1000 * now_s), 3, 1)
        assert with_slate_mpd(data, CLIP, b"/s/", again) == out, "on any node, after any restart"
        shown = Shown(out)
        for name, start in shown.starts.items():
            assert self.starts.setdefault(name, start) == start, "DASH-M1"
        for name, segments in shown.segments.items():
            for time, number in segments.items():
                assert self.numbers.setdefault((name, time), number) == number, "D7"
        for time in range(int(now_s - DEPTH_S / 2), int(now_s)):
            owner = shown.owner(Fraction(time) + Fraction(1, 2))
            if owner and owner.startswith("slate-"):
                assert self.owners.setdefault(time, owner) == owner
            elif time in self.owners:
                assert owner == self.owners[time], f"slate of {time} was taken back"
        assert shown.is_full or not self.is_full, "DASH-M12"
        assert shown.published >= self.published
        self.published = shown.published
        return shown


def returned(has: Has, begins: tuple[int, ...], end_s: int = 92) -> Shown:
    """A silence from 60 s to 80 s, read every second; the last version before `end_s`."""
    session = Session()
    for now in range(50, end_s):
        last = now // 2 - 1 if now < 60 or now >= 80 else 29
        shown = session.look(mpd(last, has, begins), now + 0.1)
    return shown


@pytest.mark.parametrize(
    ("has", "begins", "number"),
    [
        (lambda _: True, (0,), 44),
        (lambda n: not 30 <= n < 37, (0,), 37),
        (lambda _: True, (0, 37), 7),
        (lambda _: True, (0, 30), 14),
    ],
    ids=["all that it missed", "a gap", "a Period of the origin", "a Period of all it missed"],
)
def test_media_come_back_behind_what_was_shown(
    has: Has, begins: tuple[int, ...], number: int
) -> None:
    """Heard at 80.1 s, when 80 s were shown: then 2 s for a segment and 3 s that the MPD is valid,
    up to where a segment begins.
    """
    shown = returned(has, begins)
    name = f"slate-{ZERO_MS + 60_000}"
    slates = {f"{name}-{n}": Fraction(60 + 5 * n) for n in range(6)}
    assert shown.starts == {"p0": 0, **slates, f"live-{ZERO_MS + 86_000}": 86}
    assert shown.segments["p0"][Fraction(58)] == 30
    assert max(shown.segments["p0"]) == 58, "nothing of the slate's time"
    assert shown.segments[f"live-{ZERO_MS + 86_000}"] == {Fraction(86): number, 88: number + 1}


def test_later_periods_of_the_origin_stay_its_own() -> None:
    """And slates outlive the Period that they followed (D8)."""
    begins, live = (0, 37, 48), f"live-{ZERO_MS + 86_000}"
    slates = [f"slate-{ZERO_MS + 60_000}-{n}" for n in range(6)]
    assert list(returned(lambda n: not 30 <= n < 37, begins, 104).starts) == [*slates, live, "p48"]
    assert list(returned(lambda _: True, begins, 130).starts) == [live, "p48"]
    assert returned(lambda _: True, begins, 150).starts == {"p48": 96}


def test_a_source_that_falls_silent_again() -> None:
    """Before anything of it came back, and behind that; all leaves with the window."""
    session = Session()
    last = 29
    for now in range(50, 260):
        silent = 60 <= now < 80 or 82 <= now < 100 or 120 <= now < 140
        last = last if silent else now // 2 - 1
        shown = session.look(mpd(last), now + 0.1)
    assert len(session.channel.outages) == 2
    assert [name[:4] for name in shown.starts] == ["live"], "the newest"
    assert len({name for name in session.starts if name.startswith("live-")}) == 2


def test_all_sets_come_back_at_once_unless_one_is_dead() -> None:
    """D3, DASH-M12: no set without segments, while the others are no more than a little ahead."""
    for late, listed in ((0, 38), (1, 39), (2, 40), (9, 41)):
        session, name = Session(), f"live-{ZERO_MS + 76_000}"
        session.is_full = late < 9
        session.look(mpd(29), 60)
        session.look(mpd(29), 69)
        found = [
            name in session.look(mpd(last, late=late), 2 * last + 2).starts
            for last in range(34, 45)
        ]
        assert 34 + found.index(True) == listed
        assert all(found[found.index(True) :])


def test_a_source_a_little_behind_is_no_new_source() -> None:
    """Another copy of the origin may be a segment late."""
    session = Session()
    session.look(mpd(29), 60)
    assert len(session.look(mpd(29), 70).starts) > 1
    assert len(session.look(mpd(27), 71).starts) > 1
    assert len(session.channel.outages) == 1
