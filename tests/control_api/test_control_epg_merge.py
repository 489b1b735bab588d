"""What an import changes, as a pure function (CTL-63..66)."""

import random
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from control_api.epg.merge import Plan, Stored, merge
from control_api.epg.programme import Event, Words

MIN = 60_000
HOUR = 60 * MIN


def event(start: float, end: float, title: str = "A", **ids: Any) -> Event:
    """Hours and a title."""
    return Event(int(start * HOUR), int(end * HOUR), "en", {"en": Words(title)}, **ids)


class Channel:
    """A channel's stored events, and what imports make of them."""

    def __init__(self) -> None:
        self.stored: dict[str, Stored] = {}
        self.made = 0

    def bring(self, wanted: list[Event], now: float = -1, source: str = "s", rank: int = 1) -> Plan:
        plan = merge(list(self.stored.values()), wanted, int(now * HOUR), source, rank)
        for old in plan.remove:
            del self.stored[old.id]
        for old, new in plan.update:
            self.stored[old.id] = old._replace(event=new)
        for new in plan.create:
            self.made += 1
            self.stored[f"e{self.made}"] = Stored(f"e{self.made}", source, rank, new)
        events = [old.event for old in self.events]
        assert all(a.end_ms <= b.start_ms for a, b in pairwise(events)), "overlap"
        return plan

    @property
    def events(self) -> list[Stored]:
        return sorted(self.stored.values(), key=lambda old: old.event.start_ms)

    @property
    def shape(self) -> list[tuple[str, float, float, str]]:
        return [
            (o.id, o.event.start_ms / HOUR, o.event.end_ms / HOUR, o.event.title)
            for o in self.events
        ]


def test_a_moved_programme_keeps_its_id() -> None:
    """CTL-64: by id up to a day, by title up to half an hour."""
    channel = Channel()
    channel.bring([event(1, 2, "A", ext_id="x"), event(2, 3, "B"), event(3, 4, "C")])
    channel.bring(
        [event(1, 1.25, "N", ext_id="n"), event(1.25, 2.25, "A!", ext_id="x"), event(2.25, 4, "B")]
    )
    assert channel.shape == [
        ("e4", 1, 1.25, "N"),
        ("e1", 1.25, 2.25, "A!"),
        ("e2", 2.25, 4, "B"),
    ]


def test_a_repeat_is_not_a_move() -> None:
    """CTL-64: the same start comes before the same id."""
    channel = Channel()
    both = [event(1, 2, "A", ext_id="x"), event(2, 8, "B"), event(8, 9, "A", ext_id="x")]
    channel.bring(both)
    plan = channel.bring([both[1], both[2]])
    assert (plan.unchanged, plan.update, plan.remove) == (2, [], [])
    channel.bring([event(2, 5, "B"), event(5, 6, "A", ext_id="x"), event(8, 9, "A", ext_id="x")])
    assert [name for name, *_ in channel.shape] == ["e1", "e2", "e4", "e3"]


def test_two_ids_at_one_start_are_two_programmes() -> None:
    channel = Channel()
    channel.bring([event(1, 2, "A", ext_id="x")])
    plan = channel.bring([event(1, 2, "A", ext_id="y")])
    assert (len(plan.create), len(plan.remove)) == (1, 1)


def test_what_the_file_lacks_goes_inside_the_window_only() -> None:
    """CTL-63."""
    channel = Channel()
    channel.bring([event(n, n + 1, f"P{n}") for n in range(1, 8)])
    channel.bring([event(3, 4, "P3"), event(5, 6, "P5")])
    assert [start for _, start, *_ in channel.shape] == [1, 2, 3, 5, 6, 7]


def test_the_past_stays_and_the_present_keeps_its_start() -> None:
    """CTL-63."""
    channel = Channel()
    channel.bring([event(1, 2, "A"), event(2, 3, "B"), event(3, 4, "C")])
    channel.bring([event(1, 2, "Z"), event(2.25, 3.5, "B"), event(3.5, 4, "D")], now=2.5)
    assert channel.shape == [("e1", 1, 2, "A"), ("e2", 2, 3.5, "B"), ("e4", 3.5, 4, "D")]
    channel.bring([event(1, 2.75, "Y"), event(2.75, 3.75, "X")], now=2.5)
    assert channel.shape[:2] == [("e1", 1, 2, "A"), ("e2", 2, 2.75, "B")]
    assert channel.shape[2][1:] == (2.75, 3.75, "X")


def test_what_the_file_says_is_over_is_not_what_is_running() -> None:
    """CTL-64 (b): two events of one id; the running one is the one that runs."""
    channel = Channel()
    channel.bring([event(0, 1, "A")])
    wanted = [event(0.25, 0.5, "A", ext_id="x"), event(0.75, 1.25, "B", ext_id="x")]
    for _ in range(2):
        channel.bring(wanted, now=1)
        assert channel.shape == [("e1", 0, 1, "A"), ("e2", 1, 1.25, "B")]


def test_a_second_source_fills_holes_in_either_order() -> None:
    """CTL-66: five minutes at least, ending where the better source goes on."""
    good = [event(1, 2, "g1"), event(3, 4, "g3"), event(4.05, 5, "g4")]
    other = [event(0, 1.5, "o0"), event(1.5, 2.5, "x"), event(2.5, 3.5, "o2")]
    other += [event(4.02, 4.05, "short"), event(5, 6, "o5")]
    shapes = []
    for order in ("ab", "ba", "aba", "bab", "abb"):
        channel = Channel()
        for name in order:
            channel.bring(*((good, -1, "a", 1) if name == "a" else (other, -1, "b", 2)))
        shapes.append([row[1:] for row in channel.shape])
    assert shapes[0] == [
        (0, 1, "o0"),
        (1, 2, "g1"),
        (2.5, 3, "o2"),
        (3, 4, "g3"),
        (4.05, 5, "g4"),
        (5, 6, "o5"),
    ]
    assert all(shape == shapes[0] for shape in shapes)


@st.composite
def schedules(draw: st.DrawFn) -> list[Event]:
    """In order, without overlap, with holes; few titles and ids, so that they collide."""
    bounds = sorted(draw(st.sets(st.integers(0, 40), min_size=2, max_size=16)))
    found = [
        event(
            a / 4,
            b / 4,
            draw(st.sampled_from("ABC")),
            ext_id=draw(st.sampled_from([None, None, "x", "y"])),
        )
        for a, b in pairwise(bounds)
        if draw(st.integers(0, 4))
    ]
    return found or [event(0, 1)]


IMPORTS = st.lists(
    st.tuples(schedules(), st.integers(0, 8), st.sampled_from("ab")), min_size=1, max_size=5
)


@settings(max_examples=600)
@given(IMPORTS)
def test_imports_never_overlap_and_a_second_run_changes_nothing(imports: Any) -> None:
    """CTL-65; the clock goes on between imports."""
    channel, now = Channel(), 0.0
    for wanted, later, source in imports:
        now += later / 8
        before = {o.id: o.event for o in channel.events}
        rank = 1 if source == "a" else 2
        channel.bring(wanted, now, source, rank)
        for name, old in before.items():
            if old.end_ms <= now * HOUR:
                assert channel.stored[name].event == old, "the past changed"
            elif old.start_ms <= now * HOUR:
                assert channel.stored[name].event.start_ms == old.start_ms
        again = channel.bring(wanted, now, source, rank)
        assert (again.create, again.update, again.remove) == ([], [], [])


@settings(max_examples=300)
@given(schedules(), schedules(), schedules())
def test_the_file_is_what_is_stored(first: Any, second: Any, third: Any) -> None:
    """CTL-63: with one source and everything still to come, the window is the file's."""
    channel = Channel()
    for wanted in (first, second, third):
        channel.bring(wanted)
        window = (wanted[0].start_ms, wanted[-1].end_ms)
        found = [o.event for o in channel.events if window[0] <= o.event.start_ms < window[1]]
        assert found == wanted


@settings(max_examples=300)
@given(schedules(), schedules(), st.randoms(use_true_random=False))
def test_order_of_sources_makes_no_difference(a: Any, b: Any, rng: random.Random) -> None:
    """CTL-66."""
    shapes = []
    for order in ((0, 1), (1, 0)):
        channel = Channel()
        for at in order:
            channel.bring(*((a, -1, "a", 1), (b, -1, "b", 2))[at])
        shapes.append([o.event for o in channel.events])
    assert shapes[0] == shapes[1]
