"""Encoder faults: each has a defined outcome, something an alert can watch, and no wrong byte."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from bench.ingester import GRID_S, Synth
from native.http import Hot
from origin import metrics
from origin.errors import BadMedia, WrongHeader
from origin.ingest.body import TrackBody
from origin.live.channels import Channels
from origin.live.pace import describe
from origin.settings import Settings

NOW_S = 1_800_000_000
FIRST = int(NOW_S / GRID_S)
V = Synth("video", 64_000, chunks=4)
A = Synth("audio", 64_000, chunks=4)
DAY = int(86_400 / GRID_S)


class Desk:
    """A channel with two endless bodies; wall and steady clock are told apart."""

    def __init__(self, folder: Path, *, low_latency: bool = True) -> None:
        self.settings = Settings.model_validate(
            {
                "channels": {"c": {"segment_s": GRID_S}},
                "low_latency": low_latency,
                "window_s": 120,
                "retention_s": 600,
            }
        )
        self.wall_s = self.steady_s = float(NOW_S)
        self.channels = Channels(folder, self.settings, Hot(), lambda: self.steady_s)
        self.bodies = {"v": self.body("v", V), "a": self.body("a", A)}

    def body(self, track: str, synth: Synth) -> TrackBody:
        body = TrackBody(self.channels, "c", track, self.settings, lambda: self.wall_s)
        body.feed(synth.header)
        return body

    def play(self, numbers: range, *, took_s: float = float(GRID_S)) -> None:
        """Both tracks, chunk by chunk; a segment takes `took_s` of real time."""
        for number in numbers:
            for v, a in zip(V.pieces(number), A.pieces(number), strict=True):
                self.wall_s += took_s / 4
                self.steady_s += took_s / 4
                self.bodies["v"].feed(v)
                self.bodies["a"].feed(a)
                self.channels.fill_gaps()

    @property
    def writer(self) -> Any:
        return self.channels.writers["c"]

    @property
    def channel(self) -> Any:
        return self.writer.channel

    def listed(self, track: str = "v") -> list[Any]:
        channel = self.channel
        return list(channel.listed(channel.tracks[track], channel.kept.first, channel.edge))

    def whole(self) -> list[bytes]:
        track = self.channel.tracks["v"]
        return [track.read(track.whole(s.number)) for s in self.listed() if not s.gap]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path)
    yield one
    one.channels.close()


def unnumbered(segment: bytes) -> bytes:
    """The four equal chunks without the sequence numbers of their mfhd."""
    length = len(segment) // 4
    chunks = [segment[at : at + length] for at in range(0, len(segment), length)]
    return b"".join(chunk[:20] + chunk[24:] for chunk in chunks)


def count(metric: Any, *labels: str) -> float:
    return float(metric.labels(*labels)._value.get())


def test_a_jump_forward_is_a_gap_and_a_break(desk: Desk) -> None:
    """20 s: the numbers between never come; both tracks break alike."""
    desk.play(range(FIRST, FIRST + 4))
    desk.play(range(FIRST + 14, FIRST + 18))
    for track in "va":
        listed = desk.listed(track)
        assert [s.number - FIRST for s in listed if s.gap] == list(range(4, 14))
        assert [s.number - FIRST for s in listed if s.discontinuity] == [14]
    assert desk.whole() == [V.segment(FIRST + n) for n in (0, 1, 2, 3, 14, 15, 16, 17)]


def test_a_jump_beyond_the_clock_is_refused(desk: Desk) -> None:
    """Alert: refusals with code time_in_future, leaps forward."""
    desk.play(range(FIRST, FIRST + 4))
    before = count(metrics.LEAPS, "forward")
    with pytest.raises(BadMedia) as caught:
        desk.bodies["v"].feed(V.segment(FIRST + 100))
    assert caught.value.code == "time_in_future"
    assert count(metrics.LEAPS, "forward") == before + 1
    desk.bodies["v"] = desk.body("v", V)
    desk.play(range(FIRST + 4, FIRST + 8))
    assert desk.whole() == [V.segment(FIRST + n) for n in range(8)]
    assert not any(s.gap or s.discontinuity for s in desk.listed())


def test_a_roll_back_within_epoch_time_is_late_and_dropped(desk: Desk) -> None:
    """Numbers come from time alone (AB6), so what was published stands. Alert: late, leaps back."""
    desk.play(range(FIRST, FIRST + 40))
    before = count(metrics.LEAPS, "back")
    shown = desk.whole()
    desk.bodies["v"].feed(V.segment(FIRST) + V.segment(FIRST - 30))
    desk.bodies["a"].feed(A.segment(FIRST))
    assert count(metrics.LEAPS, "back") >= before + 1
    assert desk.writer.late_chunks == 4 and desk.whole() == shown
    desk.play(range(FIRST + 40, FIRST + 44))
    assert desk.whole() == [V.segment(FIRST + n) for n in range(44)]


@pytest.mark.parametrize("first", [DAY * 400, int(2**33 / 90_000 / GRID_S) - 5])
def test_a_clock_that_starts_over_is_a_new_session(desk: Desk, first: int) -> None:
    """Times that fall to zero inside a body, as after a wrap of 33 bits: a break, nothing lost."""
    desk.play(range(first, first + 6))
    before = count(metrics.LEAPS, "back")
    desk.play(range(8))
    listed = desk.listed()
    assert count(metrics.LEAPS, "back") == before + 2, "once a track"
    assert desk.channel.kept.anchor.sessions == 2
    assert sum(not s.gap for s in listed) == 14
    assert sum(s.discontinuity for s in listed) == 1
    assert [s.discontinuity for s in listed] == [s.discontinuity for s in desk.listed("a")]
    for body, segment in zip(desk.whole(), [s for s in listed if not s.gap], strict=True):
        assert unnumbered(body) == unnumbered(V.segment(segment.number)), "moved, not touched"


def test_a_source_that_drifts_is_measured(desk: Desk) -> None:
    """1 % slow: lag grows until the source is stale. 0.05 % is a crystal."""
    desk.play(range(FIRST, FIRST + 60), took_s=float(GRID_S) * 1.0005)
    figures = describe(desk.writer, desk.steady_s)["v"]["1"]
    assert figures["lag_seconds"] < 0.1 and not figures["stale"]
    assert 0.99 < figures["media_rate"] <= 1.001
    assert figures["off_grid_seconds"] == 0
    desk.play(range(FIRST + 60, FIRST + 260), took_s=float(GRID_S) * 1.01)
    figures = describe(desk.writer, desk.steady_s)["v"]["1"]
    assert figures["lag_seconds"] > 1.5 * GRID_S and figures["stale"]
    assert not any(s.gap for s in desk.listed()), "slow media is media"


def test_media_off_the_grid_is_told(tmp_path: Path) -> None:
    """AB1: 40 ms late on every boundary."""
    desk = Desk(tmp_path)
    late = Synth("video", 64_000, chunks=4)
    for number in range(FIRST, FIRST + 3):
        for piece in late.pieces(number):
            at = piece.index(b"tfdt") + 8
            time = int.from_bytes(piece[at : at + 8], "big") + 512
            desk.bodies["v"].feed(piece[:at] + time.to_bytes(8, "big") + piece[at + 8 :])
    figures = describe(desk.writer, desk.steady_s)["v"]["1"]
    assert figures["off_grid_seconds"] == float(Fraction(512, 12800))
    desk.channels.close()


def test_headers_again_and_another_one(desk: Desk) -> None:
    desk.play(range(FIRST, FIRST + 2))
    desk.bodies["v"].feed(V.header + V.header)
    desk.play(range(FIRST + 2, FIRST + 4))
    assert desk.whole() == [V.segment(FIRST + n) for n in range(4)]
    with pytest.raises(WrongHeader):
        desk.bodies["v"].feed(A.header)
    assert desk.channel.tracks["v"].header == V.header


@pytest.mark.parametrize("step_s", [2.0, -2.0])
@pytest.mark.parametrize("epoch", [True, False])
def test_a_step_of_our_clock_changes_nothing(desk: Desk, step_s: float, epoch: bool) -> None:
    first = FIRST if epoch else 0
    desk.play(range(first, first + 6))
    desk.wall_s += step_s
    desk.play(range(first + 6, first + 12))
    assert not any(s.gap or s.discontinuity for s in desk.listed())
    assert len(desk.listed()) == 12
    figures = describe(desk.writer, desk.steady_s)
    assert not any(f["stale"] for sources in figures.values() for f in sources.values())
    assert desk.channel.kept.anchor.sessions == (0 if epoch else 1)


def test_the_same_time_with_other_bytes_is_ignored(desk: Desk) -> None:
    """I6, HLS-3."""
    desk.play(range(FIRST, FIRST + 3))
    other = Synth("video", 64_000, chunks=4, seed=77)
    desk.bodies["v"].feed(other.segment(FIRST + 2))
    desk.play(range(FIRST + 3, FIRST + 5))
    assert desk.whole() == [V.segment(FIRST + n) for n in range(5)]


def test_a_hole_inside_a_segment_is_a_gap_not_half_a_segment(desk: Desk) -> None:
    """I14: a chunk is lost, the numbers around it stay."""
    desk.play(range(FIRST, FIRST + 2))
    pieces = list(V.pieces(FIRST + 2))
    for at in (0, 1, 3):
        desk.bodies["v"].feed(pieces[at])
    desk.bodies["a"].feed(A.segment(FIRST + 2))
    desk.play(range(FIRST + 3, FIRST + 7))
    assert [s.number - FIRST for s in desk.listed() if s.gap] == [2]
    assert [s.number - FIRST for s in desk.listed() if s.discontinuity] == [3]
