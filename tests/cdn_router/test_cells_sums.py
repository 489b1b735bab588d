"""Decayed sums against a plain oracle, over hours and joined from nodes (RT-2, RT-15)."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdn_router.cells import sums
from cdn_router.cells.score import score
from cdn_router.cells.sums import COLUMNS, Sample, Sums, weights
from cdn_router.policies.face import RECENT_S, Cell
from cdn_router.policies.ours import Headwater

NOW_S = 1_700_000_000.0
CELL = Cell("DE", "AS1", "", "tv", "live")

EVENTS = st.lists(
    st.tuples(
        st.floats(0, 9_000),
        st.floats(0, 3),
        st.floats(0, 100),
        st.integers(0, 1),
    ),
    max_size=12,
)


def values(sample: Sample) -> list[float]:
    scored = sample.n * sample.qoe
    return [sample.n, scored, sample.failures, sample.n, scored, sample.seconds, sample.megabits]


def faded(node: Sums, now_s: float) -> list[list[float]]:
    """A node's rows as they are at a time."""
    fade = weights(now_s, node.landmark_s)
    return [[value * by for value, by in zip(row, fade, strict=True)] for row in node.rows.values()]


@settings(max_examples=40)
@given(EVENTS, st.floats(0, 100))
def test_sums_of_nodes_add_up_to_what_an_oracle_says(
    events: list[tuple[float, float, float, int]], later_s: float
) -> None:
    nodes = [Sums(NOW_S), Sums(NOW_S)]
    events = sorted(events)
    for after_s, n, qoe, node in events:
        nodes[node].add(CELL, 0, Sample(n, qoe, 1, n, n), NOW_S + after_s)
    now_s = NOW_S + (events[-1][0] if events else 0) + later_s
    found = [0.0] * len(COLUMNS)
    for node in nodes:
        for row in faded(node, now_s):
            found = [a + b for a, b in zip(found, row, strict=True)]
    for at, column in enumerate(COLUMNS):
        expected = sum(
            values(Sample(n, qoe, 1, n, n))[at]
            * 0.5 ** ((now_s - NOW_S - after_s) / column.half_life_s)
            for after_s, n, qoe, _ in events
        )
        assert math.isclose(found[at], expected, rel_tol=1e-9, abs_tol=0.01), column.name


def test_told_rows_replace_and_are_brought_to_our_hour() -> None:
    own, other = Sums(NOW_S), Sums(NOW_S + 7_200)
    own.add(CELL, 1, Sample(n=2, qoe=50), NOW_S + 3_500)
    for _ in range(2):
        other.update(own.landmark_s, own.rows)
    [ours], [theirs] = faded(own, NOW_S + 3_510), faded(other, NOW_S + 3_510)
    assert theirs == pytest.approx(ours)


def test_beyond_the_rows_the_wider_cell_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MAX_ROWS", 2)
    full = Sums(NOW_S)
    for isp in range(100):
        full.add(Cell("DE", f"AS{isp}"), 0, Sample(1), NOW_S)
    assert list(full.rows) == [(Cell("DE", "AS0"), 0), (Cell("DE", "AS1"), 0), (Cell(), 0)]
    assert full.rows[Cell(), 0][0] == pytest.approx(98 * full.rows[Cell("DE", "AS0"), 0][0])


def test_what_has_decayed_to_nothing_is_dropped() -> None:
    old = Sums(NOW_S)
    old.add(CELL, 0, Sample(1, 90, 0, 30, 100), NOW_S)
    old.turn(NOW_S + 7_200)
    assert not old.rows


@pytest.mark.parametrize(
    ("bitrate", "access", "top", "waited", "expected"),
    [
        (5_000, 0, 5_000, 0, 100),  # the best rung there is
        (235, 10_000, 0, 0, 0),
        (5_000, 0, 5_000, 0.5, 0),  # half of the time waiting
        (2_000, 2_500, 8_000, 0, 100),  # all that the access carries
        (2_000, 0, 8_000, 0.1, 44.63),
        (0, 0, 0, 0, 0),
    ],
)
def test_scores(bitrate: float, access: float, top: float, waited: float, expected: float) -> None:
    """SW-7."""
    assert score(bitrate, access, top, waited) == pytest.approx(expected, abs=0.01)


def test_sums_forget_as_ours_is_tuned() -> None:
    """Server and simulator let `headwater` see alike (SW-6)."""
    assert {column.half_life_s for column in COLUMNS[:3]} == {Headwater().half_life_s}
    assert {column.half_life_s for column in COLUMNS[3:5]} == {RECENT_S}
