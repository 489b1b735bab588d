"""Nodes whose clocks disagree, and clocks that are put right while they run (RT-15)."""

import pytest

from cdn_router.cells import exchange
from cdn_router.cells.circuits import Second
from cdn_router.cells.exchange import ENCODER, MAX_SECONDS, TOLD_ROWS, Exchange, Outcomes, Told
from cdn_router.cells.state import KEPT_S, State
from cdn_router.cells.sums import SKEW_S, Sample
from cdn_router.policies.face import Cdn, Cell, Circuit, Evidence

CELL = Cell("DE", "AS1")
NOW_S = 1_700_000_000.0
SEEN = Sample(n=1, qoe=80, failures=1, seconds=10, megabits=50)
DAY_S = 86_400.0


class Node:
    """A node whose clock is `off_s` of the true time, which is given."""

    def __init__(self, name: str, off_s: float = 0.0) -> None:
        self.off_s = off_s
        self.state = State((Cdn("A"), Cdn("B")), NOW_S + off_s)
        self.exchange = Exchange(self.state, name)

    def watches(self, cdn: int, at_s: float) -> None:
        self.state.sample(CELL, cdn, SEEN, at_s + self.off_s)

    def tells(self, other: "Node", at_s: float) -> None:
        for body in self.exchange.messages(at_s + self.off_s):
            other.exchange.take(body, at_s + other.off_s)

    def sees(self, at_s: float) -> tuple[Evidence, ...]:
        return self.state.snapshot(int((at_s + self.off_s) * 1000)).cells[CELL]


@pytest.mark.parametrize("off_s", [0.0, 0.9, 60.0, -60.0, 3_600.0, -3_600.0, 5_200.0, DAY_S])
def test_evidence_weighs_alike_whatever_the_clock_of_its_node(off_s: float) -> None:
    right, wrong = Node("right"), Node("wrong", off_s)
    for second in range(100):
        right.watches(0, NOW_S + second)
        wrong.watches(1, NOW_S + second)
        if second % 10 == 9:
            wrong.tells(right, NOW_S + second)
            right.tells(wrong, NOW_S + second)
    for node in (right, wrong):
        one, other = node.sees(NOW_S + 99)
        assert other == pytest.approx(one, rel=0.2)
    assert right.exchange.refused == wrong.exchange.refused == 0


@pytest.mark.parametrize("off_s", [0.0, 3_600.0, -3_600.0])
def test_failures_told_by_another_clock_open_the_circuit(off_s: float) -> None:
    right, wrong = Node("right"), Node("wrong", off_s)
    wrong.watches(0, NOW_S)
    wrong.state.outcome("DE", 0, Second(failed=9, sessions=7, networks=7), NOW_S + off_s)
    wrong.tells(right, NOW_S + 1)
    right.state.look(NOW_S + 1)
    assert right.state.circuits.circuit("DE", 0) is Circuit.OPEN


@pytest.mark.parametrize("off_s", [3_600.0, 600.0, -600.0])
def test_a_clock_put_right_leaves_nothing_of_the_wrong_time(off_s: float) -> None:
    right, wrong = Node("right"), Node("wrong", off_s)
    wrong.watches(0, NOW_S)
    wrong.state.outcome("DE", 0, Second(failed=9, sessions=7, networks=7), NOW_S + off_s)
    wrong.state.look(NOW_S + off_s)
    wrong.tells(right, NOW_S)
    wrong.off_s = 0.0
    for second in range(1, 4):
        wrong.watches(1, NOW_S + second)
        wrong.tells(right, NOW_S + second)
        right.tells(wrong, NOW_S + second)
    for node in (right, wrong):
        before, after = node.sees(NOW_S + 3)
        assert before.n <= 1 and before.sessions <= 1
        assert 2.9 < after.n <= 3
    wrong.state.look(NOW_S + 4)
    for second in (40, *(max(40, off_s + late) for late in range(3))):
        wrong.state.look(NOW_S + second)
        seen = wrong.state.circuits.circuit("DE", 0)
        assert seen is not Circuit.OPEN, "30 s are no hour, and nothing is left for then"


def test_outcomes_of_a_time_to_come_are_not_told() -> None:
    """Between the clock and the next look."""
    right, wrong = Node("right"), Node("wrong", 3_600.0)
    wrong.state.outcome("DE", 0, Second(failed=9, sessions=7, networks=7), NOW_S + 3_600)
    wrong.off_s = 0.0
    wrong.tells(right, NOW_S)
    assert not right.state.peers["wrong"].seconds


@pytest.mark.parametrize("back_s", [60.0, 600.0, 3_600.0])
def test_a_reader_whose_clock_is_put_back_while_peers_are_silent(back_s: float) -> None:
    """What they told weighs nothing rather than 2^(step/h) of what it did."""
    reader, peer = Node("reader"), Node("peer")
    peer.watches(0, NOW_S)
    peer.tells(reader, NOW_S)
    reader.off_s = -back_s
    reader.watches(1, NOW_S + 1)
    assert reader.sees(NOW_S + 1)[0].n == 0
    peer.tells(reader, NOW_S + 2)
    reader.tells(peer, NOW_S + 2)
    peer.tells(reader, NOW_S + 2)
    assert 0.9 < reader.sees(NOW_S + 2)[0].n <= 1


def rows_of(state: State, name: str) -> int:
    return len(state.peers[name].sums.rows)


@pytest.mark.parametrize("stalled_s", [6, 9, 14])
def test_delay_is_no_clock(stalled_s: int) -> None:
    """A reader that stands still finds all that was told meanwhile at once, and forgets nothing."""
    reader, peer = Node("reader"), Node("peer")
    for number in range(2 * TOLD_ROWS):
        peer.state.sample(Cell("DE", f"AS{number}"), 0, SEEN, NOW_S)
    for second in range(20):
        peer.tells(reader, NOW_S + second)
        reader.tells(peer, NOW_S + second)
    late = [
        body
        for half in range(2 * stalled_s)
        for body in peer.exchange.messages(NOW_S + 20 + half / 2)
    ]
    for body in late:
        reader.exchange.take(body, NOW_S + 20 + stalled_s)
        assert rows_of(reader.state, "peer") == 2 * TOLD_ROWS
    assert len(list(reader.exchange.messages(NOW_S + 20 + stalled_s))) == 1, "nothing to ask for"


@pytest.mark.parametrize("cut", range(4))
def test_a_whole_that_a_clock_cuts_in_two_is_asked_for(cut: int) -> None:
    """None of its rows counts before it, and those before the cut are not missed unnoticed."""
    reader, peer = Node("reader"), Node("peer")
    for number in range(3 * TOLD_ROWS):
        peer.state.sample(Cell("DE", f"AS{number}"), 0, SEEN, NOW_S)
    for at, body in enumerate(peer.exchange.messages(NOW_S)):
        reader.exchange.take(body, NOW_S + (60 if at < cut else 0))
    for _ in range(2):
        reader.tells(peer, NOW_S + 1)
        peer.tells(reader, NOW_S + 1)
    assert rows_of(reader.state, "peer") == 3 * TOLD_ROWS
    assert reader.state.peers["peer"].sums.ahead_s == 0


def test_a_reader_whose_clock_is_put_forward_finds_out() -> None:
    reader, peer = Node("reader"), Node("peer")
    for second in range(60):
        reader.off_s = 8.0 if second > 15 else 0.0
        peer.watches(0, NOW_S + second)
        peer.tells(reader, NOW_S + second)
        reader.tells(peer, NOW_S + second)
    assert reader.state.peers["peer"].sums.ahead_s == -8.0
    assert reader.sees(NOW_S + 59)[0].n == pytest.approx(peer.sees(NOW_S + 59)[0].n, rel=0.01)


def told(at_s: float, seconds: list[Outcomes]) -> bytes:
    return ENCODER.encode(
        Told("x", landmark_s=at_s // 3_600 * 3_600, cdns=("A",), seconds=seconds, at_s=at_s)
    )


def test_seconds_of_another_time_are_not_kept() -> None:
    node = Node("node")
    for begin in range(-100_000, 100_000, 4_000):
        some = [(int(NOW_S) + begin + n, "DE", 0, 1, 0, 0, 0, 0) for n in range(4_000)]
        node.exchange.take(told(NOW_S, some), NOW_S)
    assert len(node.state.peers["x"].seconds) == KEPT_S + SKEW_S + 1
    for begin in range(0, 20_000, 4_000):
        some = [(int(NOW_S), f"R{begin + n}", 0, 1, 0, 0, 0, 0) for n in range(4_000)]
        node.exchange.take(told(NOW_S, some), NOW_S)
    assert len(node.state.peers["x"].seconds[int(NOW_S)]) == MAX_SECONDS
    assert node.exchange.refused == 0


def test_clocks_that_no_clock_shows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """And of those that one may show is spoken now and then."""
    node, said = Node("node"), list[str]()
    monkeypatch.setattr(exchange.log, "warning", lambda event, **_: said.append(event))
    for at_s in (1e300, 1e11, -1e300):
        node.exchange.take(told(at_s, []), NOW_S)
    assert node.exchange.refused == 3 and not node.state.peers
    for number in range(100):
        node.exchange.take(told(NOW_S + number % 2 * 1e6, []), NOW_S + number / 10)
    assert said == ["peer_clock"] and node.exchange.refused == 3
