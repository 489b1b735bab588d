"""Totals of nodes by cell, region and all against a plain oracle; what a snapshot reads of them."""

import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdn_router.cells.state import State
from cdn_router.cells.sums import COLUMNS, SECONDS_AT_REST, Sample, Sums, weights
from cdn_router.cells.totals import WIDTH
from cdn_router.policies.face import Cdn, Cell, Evidence
from native.router import totals as kernel

NOW_S = 1_700_000_000.0
CDNS = (Cdn("A", capacity_mbps={"NO": 9.0}), Cdn("B"))
CELLS = st.builds(Cell, st.sampled_from(["", "SE", "DE"]), st.sampled_from(["", "AS1", "AS2"]))
NODES = ("", "b", "c")
STEPS = st.lists(
    st.tuples(st.sampled_from(NODES), CELLS, st.integers(0, 1), st.floats(0, 9), st.integers(0, 2)),
    max_size=15,
)


def plain(state: State, now_s: float) -> dict[tuple[Cell, int], list[float]]:
    """The same by dictionaries alone."""
    found: dict[tuple[Cell, int], list[float]] = {}
    for part in (state.own, *state.peers.values()):
        fade = weights(now_s, part.sums.landmark_s)
        for (cell, cdn), row in part.sums.rows.items():
            for each in {cell, Cell(cell.region), Cell()}:
                total = found.setdefault((each, cdn), [0.0] * len(COLUMNS))
                for at, value in enumerate(row):
                    total[at] += value * fade[at]
    return found


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_totals_are_what_an_oracle_says_whatever_comes_and_goes(
    steps: list[tuple[str, Cell, int, float, int]],
) -> None:
    state, now_s = State(CDNS, NOW_S), NOW_S
    parts = {name: State(CDNS, NOW_S).own for name in NODES[1:]} | {"": state.own}
    for name, cell, cdn, amount, what in steps:
        now_s += 1_000.0
        parts[name].sums.add(cell, cdn, Sample(amount, 50, 1, amount, amount), now_s)
        if name:
            state.peers[name] = parts[name]
        if what == 1:
            state.peers.pop(name, None)
        if what == 2:
            part = parts[name]
            part.coming = Sums(part.sums.landmark_s)
            part.came()
        snapshot, expected = state.snapshot(int(now_s * 1000)), plain(state, now_s)
        cells = {cell for cell, _ in expected}
        regions = {"", "NO", *(cell.region for cell in cells)}
        assert set(snapshot.cells) == cells | {Cell(region) for region in regions}
        assert set(snapshot.sites) == regions and len(snapshot.cells) == len(set(snapshot.cells))
        for cell in snapshot.cells:
            for at, found in enumerate(snapshot.cells[cell]):
                row = expected.get((cell, at), [0.0] * len(COLUMNS))
                told = [*row[:5], row[5] / SECONDS_AT_REST]
                assert all(map(lambda a, b: math.isclose(a, b, rel_tol=1e-9), found, told))
                if cell == Cell(cell.region):
                    load = snapshot.sites[cell.region][at].load_mbps
                    assert math.isclose(load, row[6] / SECONDS_AT_REST, rel_tol=1e-9)


def test_a_snapshot_never_changes() -> None:
    state = State(CDNS, NOW_S)
    state.sample(Cell("SE", "AS1"), 0, Sample(n=1, qoe=80), NOW_S)
    snapshot = state.snapshot(int(NOW_S * 1000))
    state.sample(Cell("SE", "AS1"), 0, Sample(n=1, qoe=80), NOW_S)
    state.sample(Cell("SE", "AS2"), 0, Sample(n=1, qoe=80), NOW_S)
    later = state.snapshot(int(NOW_S * 1000))
    assert snapshot.cells[Cell("SE", "AS1")][0].n == 1 and later.cells[Cell("SE")][0].n == 3
    late = Cell("SE", "AS2")
    assert late not in snapshot.cells and snapshot.cells.get(late) is None and late in later.cells
    assert len(snapshot.cells) == len(list(snapshot.cells)) == 4
    assert snapshot.cells[Cell("NO")] == (Evidence(), Evidence())


ROW = array("d", [1.0] * WIDTH)


@pytest.mark.parametrize(
    "totals, rows, spots, wider, cdns",
    [
        (2 * WIDTH - 1, {1: ROW}, [0], [0], 2),
        (2 * WIDTH, {1: ROW}, [], [0], 2),
        (2 * WIDTH, {1: ROW}, [2], [0], 2),
        (2 * WIDTH, {1: ROW}, [-1], [0], 2),
        (2 * WIDTH, {1: ROW}, [1], [1], 2),
        (2 * WIDTH, {1: ROW}, [1], [-1], 2),
        (2 * WIDTH, {1: ROW[1:]}, [1], [0], 2),
        (2 * WIDTH, {1: list(ROW)}, [1], [0], 2),
        (2 * WIDTH, {1: array("f", ROW)}, [1], [0], 2),
        (2 * WIDTH, {1: tuple(ROW)}, [1], [0], 2),
        (0, {}, [], [], 0),
    ],
)
def test_what_does_not_fit_together_is_refused(
    totals: int, rows: "dict[int, array[float]]", spots: list[int], wider: list[int], cdns: int
) -> None:
    with pytest.raises(ValueError):
        block = array("d", bytes(8 * totals))
        kernel.add(block, rows, array("i", spots), array("i", wider), cdns, ROW)
