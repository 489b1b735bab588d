"""Several sources of one track (AB1..AB5, AB8, AB9): our own clocks, media made up."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.ingester import GRID_S, Synth
from native.http import Hot
from origin.errors import BadMedia, OriginError, WrongHeader
from origin.ingest.body import TrackBody
from origin.live.channels import Channels
from origin.live.sources import Input, Inputs, Peer
from origin.settings import Settings

NOW_S = 1_800_000_000
FIRST = int(NOW_S / GRID_S)
CHUNKS = 4
A = Synth("video", 64_000, chunks=CHUNKS, seed=1)
B = Synth("video", 64_000, chunks=CHUNKS, seed=2)
PART = "12/25"


class Rig:
    """One channel of one video track; time is told, never taken."""

    def __init__(self, folder: Path, *, part: str = "", **channel: Any) -> None:
        self.folder = folder
        options = {"segment_s": GRID_S} | ({"part_s": part} if part else {}) | channel
        self.settings = Settings.model_validate(
            {"channels": {"c": options}, "low_latency": bool(part)}
        )
        self.now_s = float(NOW_S)
        self.bodies: dict[str, TrackBody] = {}
        self.open()

    def open(self) -> None:
        self.channels = Channels(self.folder, self.settings, Hot(), lambda: self.now_s)
        self.channels.open()
        self.bodies = {}

    def begin(self, name: str, synth: Synth, track: str = "v") -> TrackBody:
        """A source begins an endless body."""
        peer = Peer(name, "10.0.0.1", ord(name[0]))
        body = TrackBody(self.channels, "c", track, self.settings, lambda: self.now_s, peer)
        body.feed(synth.header)
        self.bodies[name] = body
        return body

    @property
    def writer(self) -> Any:
        return self.channels.writers["c"]

    @property
    def channel(self) -> Any:
        return self.writer.channel

    def listed(self, track: str = "v") -> list[Any]:
        channel = self.channel
        if channel.edge < 0:
            return []
        return list(channel.listed(channel.tracks[track], channel.kept.first, channel.edge))

    def bytes_of(self, number: int, track: str = "v") -> bytes:
        found = self.channel.tracks[track]
        return bytes(found.read(found.whole(number)))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    made = []

    def make(**options: Any) -> Rig:
        made.append(Rig(tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for one in made:
        one.channels.close()


def stream(synth: Synth, segments: int) -> list[bytes]:
    return [chunk for n in range(FIRST, FIRST + segments) for chunk in synth.pieces(n)]


def interleaved(rig: Rig, order: list[str], segments: int, dies: dict[str, int]) -> None:
    """Both sources in any order; `dies` says after how many chunks a source is cut."""
    queues = {"A": stream(A, segments), "B": stream(B, segments)}
    sent = {"A": 0, "B": 0}
    for name in queues:
        rig.begin(name, A if name == "A" else B)
    rest = [*order, *"AB" * (segments * CHUNKS)]
    for name in rest:
        if not queues[name]:
            continue
        if sent[name] == dies.get(name):
            rig.bodies[name].close()
            queues[name] = []
            continue
        rig.now_s += float(GRID_S) / CHUNKS / 2
        rig.bodies[name].feed(queues[name].pop(0))
        sent[name] += 1
        rig.channels.fill_gaps()


ORDERS = st.lists(st.sampled_from("AB"), max_size=48)


@settings(max_examples=60, deadline=None)
@given(order=ORDERS, death=st.none() | st.integers(0, 20))
def test_without_parts_every_segment_is_one_sources_own(
    order: list[str], death: int | None
) -> None:
    """AB2, AB4: whoever is whole first; a death anywhere loses nothing."""
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        interleaved(rig, order, 7, {} if death is None else {"A": death})
        listed = rig.listed()
        assert [s.number for s in listed] == list(range(FIRST, FIRST + len(listed)))
        assert len(listed) >= 6 and not any(s.gap or s.discontinuity for s in listed)
        for segment in listed:
            assert rig.bytes_of(segment.number) in (
                A.segment(segment.number),
                B.segment(segment.number),
            )
        before = [(s, rig.bytes_of(s.number)) for s in listed]
        rig.channels.close()
        rig.open()
        assert [(s, rig.bytes_of(s.number)) for s in rig.listed()] == before
        rig.channels.close()


@settings(max_examples=60, deadline=None)
@given(order=ORDERS, death=st.integers(0, 20))
@example(order=list("ABBBBBBBBBB"), death=3)
def test_with_parts_what_was_stored_stands(order: list[str], death: int) -> None:
    """AB3, AB4: at most the segment in which the owner died is short, and none is missing."""
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder), part=PART)
        interleaved(rig, order, 7, {"A": death})
        listed = rig.listed()
        numbers = [s.number for s in listed]
        born = numbers[0]  # a channel begins with what was whole first
        assert numbers == list(range(born, FIRST + 6 + (numbers[-1] == FIRST + 6)))
        assert born <= FIRST + 2 and not any(s.gap for s in listed)
        short = []
        for segment in listed:
            body = rig.bytes_of(segment.number)
            whole = (A.segment(segment.number), B.segment(segment.number))
            if body not in whole:
                assert whole[0].startswith(body), "what A's parts showed, and nothing else"
                short.append(segment.number)
        assert len(short) <= 1
        assert [s.number for s in listed if s.discontinuity] == [n + 1 for n in short]
        rig.channels.close()


@settings(max_examples=40, deadline=None)
@given(order=ORDERS, death=st.integers(1, 20))
def test_with_equal_bytes_nobody_sees_the_death(order: list[str], death: int) -> None:
    """AB1, AB3: the log holds a beginning of the other's copy, so that one goes on."""
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder), part=PART)
        queues = {"A": stream(A, 7), "B": stream(A, 7)}
        for name in queues:
            rig.begin(name, A)
        for name in [*order, *"AB" * 28]:
            if name == "A" and len(queues["A"]) == 28 - death:
                rig.bodies["A"].close()
            elif queues[name]:
                rig.now_s += float(GRID_S) / CHUNKS / 2
                rig.bodies[name].feed(queues[name].pop(0))
        listed = rig.listed()
        assert len(listed) >= 6 and not any(s.gap or s.discontinuity for s in listed)
        assert all(rig.bytes_of(s.number) == A.segment(s.number) for s in listed)
        rig.channels.close()


@pytest.mark.parametrize("ahead", range(CHUNKS + 2))
@pytest.mark.parametrize("low_latency", [False, True])
def test_the_source_that_was_heard_before_the_grid_goes_on(
    rig: Callable[..., Rig], ahead: int, low_latency: bool
) -> None:
    """A track in the middle of a segment when another teaches the grid keeps its source."""
    one = rig(segment_s=None)
    one.settings.low_latency = low_latency
    tracks = {name: stream(A, 6) for name in "vw"}
    for name in tracks:
        one.begin(name, A, name)
    for chunk in tracks["w"][:ahead]:
        one.bodies["w"].feed(chunk)
    for at, chunk in enumerate(tracks["v"]):
        one.now_s += float(GRID_S) / CHUNKS
        one.bodies["v"].feed(chunk)
        if at + ahead < len(tracks["w"]):
            one.bodies["w"].feed(tracks["w"][at + ahead])
    for name in tracks:
        listed = one.listed(name)
        assert len(listed) >= 4 and not any(s.gap or s.discontinuity for s in listed)
        assert all(one.bytes_of(s.number, name) == A.segment(s.number) for s in listed)


def test_a_stale_owner_is_relieved_within_two_segments(rig: Callable[..., Rig]) -> None:
    """AB9: silence by the steady clock, no cut connection; B had sent the same all along."""
    one = rig(part=PART)
    a, b = one.begin("A", A), one.begin("B", B)
    for number in range(FIRST, FIRST + 2):
        for x, y in zip(A.pieces(number), B.pieces(number), strict=True):
            one.now_s += 0.48
            a.feed(x)
            b.feed(y)
    silent = next(iter(A.pieces(FIRST + 2)))
    a.feed(silent)
    for number in range(FIRST + 2, FIRST + 5):
        for y in B.pieces(number):
            one.now_s += 0.48
            b.feed(y)
            one.channels.fill_gaps()
            if one.now_s - NOW_S > 2 * 1.92 + 2 * 1.92:
                assert one.channel.edge >= FIRST + 2
    assert one.bytes_of(FIRST + 2) == silent, "closed short (AB3)"
    assert one.bytes_of(FIRST + 3) == B.segment(FIRST + 3)


def test_a_throttled_source_is_stale_and_a_steady_one_is_not() -> None:
    slow, steady = Input("1", Peer()), Input("2", Peer())
    stale_at = None
    for step in range(200):
        now_s = 1000 + step * 0.48
        slow.note(step * 0.24, now_s)
        steady.note(step * 0.48, now_s)
        assert not steady.stale(now_s, GRID_S)
        if stale_at is None and slow.stale(now_s, GRID_S):
            stale_at = step * 0.24 - 1.92  # seconds behind real time, over the one allowed
    assert stale_at is not None and stale_at < 2 * 1.92
    assert 0.4 < slow.rate < 0.6 and 0.9 < steady.rate < 1.1
    text = Input("3", Peer(), sparse=True)
    text.note(0, 0)
    assert not text.stale(10**6, GRID_S), "I15"


def test_a_slow_crystal_is_no_stale_source() -> None:
    """100 ppm for a day is 8.6 s: drift, not a fault."""
    source = Input("1", Peer())
    for step in range(0, 86400, 2):
        source.note(step * 0.9999, float(step))
        assert not source.stale(float(step), GRID_S)


def test_a_preferred_input_wins_while_it_keeps_pace(rig: Callable[..., Rig]) -> None:
    """AB8: B is first every time; A's bytes are taken; when A stops, B stands in without a gap."""
    one = rig(preferred="A")
    a, b = one.begin("A", A), one.begin("B", B)
    a.feed(A.segment(FIRST))
    for number in range(FIRST + 1, FIRST + 5):
        one.now_s += 1.92
        b.feed(B.segment(number))
        if number < FIRST + 3:
            a.feed(A.segment(number))
        one.channels.fill_gaps()
    one.now_s += 2.0
    one.channels.fill_gaps()
    kept = [one.bytes_of(s.number) for s in one.listed()]
    assert kept[:3] == [A.segment(FIRST + n) for n in range(3)]
    assert kept[3:] == [B.segment(FIRST + n) for n in range(3, 5)]
    assert not any(s.gap or s.discontinuity for s in one.listed())
    a.feed(A.segment(FIRST + 5))
    b.feed(B.segment(FIRST + 5))
    assert one.bytes_of(FIRST + 5) == A.segment(FIRST + 5), "and back (AB8)"
    assert not one.listed()[-1].discontinuity


def test_what_waited_for_a_preferred_input_is_shown_when_that_is_stale(
    rig: Callable[..., Rig],
) -> None:
    """AB8, AB9: by the clock alone, nobody sends anything more."""
    one = rig(preferred="A")
    a, b = one.begin("A", A), one.begin("B", B)
    for number in range(FIRST, FIRST + 2):
        one.now_s += 1.92
        a.feed(A.segment(number))
    b.feed(B.segment(FIRST + 2))
    one.channels.fill_gaps()
    assert one.channel.edge == FIRST + 1
    one.now_s += 1.5 * 1.92 + 0.01
    one.channels.fill_gaps()
    assert one.channel.edge == FIRST + 2 and one.bytes_of(FIRST + 2) == B.segment(FIRST + 2)


def test_another_header_is_refused_but_for_its_language(rig: Callable[..., Rig]) -> None:
    one = rig()
    one.begin("A", A)
    changed = A.header.replace(b"avcC\x01\x42", b"avcC\x01\x4d")
    assert changed != A.header
    with pytest.raises(WrongHeader):
        one.begin("B", type("Other", (), {"header": changed})())  # type: ignore[arg-type]


def test_copies_stay_within_their_budget(rig: Callable[..., Rig]) -> None:
    """A owner that never finishes, others that send on and on."""
    one = rig()
    budget = one.channels._budget
    budget.limit_bytes = 40_000
    a, b = one.begin("A", A), one.begin("B", B)
    a.feed(A.segment(FIRST))
    for number in range(FIRST, FIRST + 30):
        pieces = list(A.pieces(number)), list(B.pieces(number))
        a.feed(pieces[0][0])
        for chunk in pieces[1][:3]:
            b.feed(chunk)
            assert budget.used_bytes <= 40_000
    one.now_s += 100
    one.channels.fill_gaps()
    b.close()
    a.close()


def test_inputs_are_told_apart() -> None:
    """By name, by connection; connections that follow each other are one input."""
    live = {1: True, 2: True, 3: True}
    peers = {n: Peer("", "h", n, lambda n=n: live[n]) for n in live}
    inputs = Inputs(sparse=False)
    one, two = inputs.open(peers[1]), inputs.open(peers[2])
    assert (one.input.name, two.input.name) == ("1", "2")
    assert inputs.others(one) == [two.input]
    one.input.bodies -= 1
    live[1] = False
    assert inputs.open(peers[3]).input is one.input
    named = inputs.open(Peer("east", "h", 2))
    assert named.input.name == "east" and inputs.open(Peer("east", "x", 9)).input is named.input
    for n in range(5):
        inputs.open(Peer(f"s{n}"))
    with pytest.raises(BadMedia) as caught:
        inputs.open(Peer("last"))
    assert caught.value.code == "too_many_sources"


def test_a_source_on_another_time_cannot_take_a_living_ones_track(rig: Callable[..., Rig]) -> None:
    """AB1: it would tear the timeline; once the first is gone it may begin a session."""
    one = rig()
    a = one.begin("A", A)
    a.feed(A.segment(FIRST) + A.segment(FIRST + 1))
    b = one.begin("B", B)
    with pytest.raises(BadMedia) as caught:
        b.feed(B.segment(0))
    assert caught.value.code == "unaligned"
    b.close()
    a.close()
    one.begin("B", B).feed(B.segment(0) + B.segment(1))
    assert one.channel.kept.anchor.sessions == 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), parts=st.booleans())
def test_restarts_of_both_sides_lose_nothing_while_one_lives(seed: int, parts: bool) -> None:
    """Random cuts and returns of A, restarts of the origin; B sends on."""
    dice = random.Random(seed)
    with TemporaryDirectory() as folder:
        rig = Rig(Path(folder), part=PART if parts else "")
        rig.begin("A", A), rig.begin("B", B)
        for number in range(FIRST, FIRST + 8):
            for x, y in zip(A.pieces(number), B.pieces(number), strict=True):
                rig.now_s += 0.48
                for name, chunk in dice.sample([("A", x), ("B", y)], 2):
                    if name == "A" and dice.random() < 0.15:
                        rig.bodies["A"].close()
                        rig.begin("A", A)
                        continue
                    try:
                        rig.bodies[name].feed(chunk)
                    except OriginError as error:
                        raise AssertionError(error.code) from error
            if dice.random() < 0.2:
                shown = [(s, rig.bytes_of(s.number)) for s in rig.listed() if not s.gap]
                rig.channels.close()
                rig.open()
                assert [(s, rig.bytes_of(s.number)) for s in rig.listed() if not s.gap] == shown
                rig.begin("A", A), rig.begin("B", B)
        numbers = [s.number for s in rig.listed()]
        assert numbers == list(range(FIRST, FIRST + len(numbers))) and len(numbers) >= 6
        rig.channels.close()
