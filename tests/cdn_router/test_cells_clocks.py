"""Nodes whose clocks disagree, and clocks that are put right while they run (RT-15)."""

import pytest

from cdn_router.cells.circuits import Second
from cdn_router.cells.exchange import Exchange
from cdn_router.cells.state import State
from cdn_router.cells.sums import Sample
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
    for second in (4, 40):
        wrong.state.look(NOW_S + second)
    assert wrong.state.circuits.circuit("DE", 0) is not Circuit.OPEN, "30 s are no hour"
