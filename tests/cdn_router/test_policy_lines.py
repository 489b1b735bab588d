"""Lines of cells against a plain oracle; what turns on them and what does not (RT-2)."""

import math
from array import array
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdn_router.cells.state import State
from cdn_router.cells.sums import Sample
from cdn_router.policies import face
from cdn_router.policies.face import Cdn, Cell, Evidence
from cdn_router.policies.lines import EACH, ENOUGH, NO_LINES, ROUNDS, Drift, Lines, Sharing
from cdn_router.policies.ours import Headwater
from native.router import totals as kernel

NOW_S = 1_700_000_000.0
CDNS = (Cdn("A", 6.0), Cdn("B", 6.0))
NAMES = st.sampled_from(["", "x", "y"])
CELLS = st.builds(Cell, NAMES, NAMES, st.just(""), NAMES, NAMES)
TOLD = st.lists(st.tuples(CELLS, st.integers(0, 1), st.floats(0, 9), st.floats(0, 100)))

Group = tuple[int, str, str]


def groups(cell: Cell) -> set[Group]:
    """All that a cell has in common with others."""
    if not any(cell[1:]):
        return set()
    shared = {(at, name, of) for at, name in enumerate(cell) if at and name for of in ("", cell[0])}
    return shared | {(0, "", ""), (0, cell.region, "")}


def pursued(cells: Mapping[Cell, tuple[Evidence, ...]], cdn: int) -> list[tuple[float, Drift]]:
    """The same by dictionaries alone: what each step explains, and the drift of its line."""
    rows = {cell: row[cdn] for cell, row in cells.items()}
    on: dict[Group, list[Cell]] = {}
    for cell in rows:
        for group in groups(cell):
            on.setdefault(group, []).append(cell)
    left = {c: e.recent_qoe - e.recent_n * e.qoe / e.n if e.n else 0.0 for c, e in rows.items()}
    found = []
    for _ in range(ROUNDS):
        explained = {}
        for group, those in on.items():
            total, fresh = sum(left[c] for c in those), sum(rows[c].recent_n for c in those)
            explained[group] = total * total / fresh if total < 0 and fresh > 0 else 0.0
        most = max(explained.values(), default=0.0)
        if most <= 0.0:
            break
        wide = [group for group, much in explained.items() if much >= ENOUGH * most]
        best = on[max(wide, key=lambda group: sum(rows[c].n for c in on[group]))]
        n, fresh, there = (sum(rows[c][at] for c in best) for at in (0, 3, 5))
        points = sum(left[c] for c in best) / fresh
        found.append((most, Drift(0, n, fresh, there, points)))
        for cell in best:
            left[cell] -= rows[cell].recent_n * points
    return found


def near(found: Iterable[float], expected: Iterable[float]) -> bool:
    pairs = zip(found, expected, strict=True)
    return all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6) for a, b in pairs)


@settings(max_examples=60, deadline=None)
@given(TOLD, TOLD)
def test_lines_are_what_an_oracle_says(
    told: list[tuple[Cell, int, float, float]], later: list[tuple[Cell, int, float, float]]
) -> None:
    """Two lines that explain alike may come in either order: what they explain is compared."""
    state, snapshots = State(CDNS, NOW_S), []
    for at_s, samples in ((NOW_S, told), (NOW_S + 7, later)):
        for cell, cdn, n, qoe in samples:
            state.sample(cell, cdn, Sample(n, qoe, 0, n), at_s)
        snapshots.append(state.snapshot(int(at_s * 1000)))
    for snapshot in snapshots:
        for cdn in range(len(CDNS)):
            found = snapshot.lines.drifts(cdn)
            expected = pursued(snapshot.cells, cdn)
            if found and expected:
                first, most = found[0], expected[0][0]
                assert ENOUGH * most <= first.points**2 * first.recent_n * (1 + 1e-6)
                assert first.points**2 * first.recent_n <= most * (1 + 1e-6)
                assert near(first[1:], expected[0][1][1:]) or most < 1e-6
            assert bool(found) == bool(expected) or expected[0][0] < 1e-9
        for cell in snapshot.cells:
            assert len(set(snapshot.lines.of(cell))) == len(groups(cell))


def lines_of(cells: Mapping[Cell, Iterable[Evidence]]) -> Lines:
    sharing, totals = Sharing(), array("d")
    for cell, row in cells.items():
        sharing.add(cell)
        for each in row:
            totals.extend(each)
    return Lines(sharing, totals, len(CDNS))


def told(recent: float, n: float = 6.0, mean: float = 90.0) -> Evidence:
    return Evidence(200, 200 * mean, 0, n, n * recent, 6)


def test_a_line_does_not_sink_when_viewers_of_its_better_cells_go() -> None:
    """One is used to 90, the other to 50; of late nearly all who speak are of the latter."""
    good, poor = Cell("R1", "I1", "", "tv"), Cell("R1", "I2", "", "tv")
    went = lines_of({good: [told(90, 0.5)] * 2, poor: [told(50, 20, 50)] * 2})
    assert not went.drifts(0)
    sank = lines_of({good: [told(90, 20)] * 2, poor: [told(30, 20, 50)] * 2})
    assert [each.points for each in sank.drifts(1)] == [-20]


def test_a_part_that_is_heard_of_first_speaks_for_the_whole() -> None:
    """Nearly all that was said of an ISP came from one region: the others have it from there."""
    said = (told(40, 60.0), told(75, 9.0), told(80, 9.0))
    cells = {Cell(f"R{r}", "I1"): [each, told(90)] for r, each in enumerate(said)}
    cells |= {Cell(f"R{r}", "I2"): [told(90, 30.0), told(90)] for r in range(3)}
    lines = lines_of(cells)
    first = lines.drifts(0)[0]
    assert {c for c in cells if first.line in lines.of(c)} == {c for c in cells if c.isp == "I1"}


def test_what_one_line_explains_is_taken_off_the_others() -> None:
    """Nine cells of three regions and ISPs; an ISP sank, and one cell of another."""
    cells = {Cell(f"R{r}", f"I{i}"): [told(90), told(90)] for r in range(3) for i in range(3)}
    for cell in cells:
        if cell.isp == "I1" or cell == Cell("R2", "I2"):
            cells[cell] = [told(40), told(90)]
    lines = lines_of(cells)
    first, second = lines.drifts(0)
    assert not lines.drifts(1)
    assert {c for c in cells if first.line in lines.of(c)} == {c for c in cells if c.isp == "I1"}
    assert {c for c in cells if second.line in lines.of(c)} == {Cell("R2", "I2")}
    assert first == Drift(first.line, 600.0, 18.0, 18.0, -50.0) and second.points == -50


class Twice(Lines):
    """One line, on which A sank; what is left of that is found once more."""

    def of(self, cell: Cell) -> "array[int]":
        return array("i", [0])

    def drifts(self, cdn: int) -> list[Drift]:
        both = [Drift(0, 200, 30, 20, points) for points in (-40.0, -9.0)]
        return both if cdn == 0 else []


def test_a_line_that_is_found_twice_counts_as_far_as_it_is_surest() -> None:
    cell = Cell("R1", "I1")
    known = {each: (told(90, 0.5), told(88, 5.0, 88.0)) for each in (cell, Cell("R1"), Cell())}
    lines = Twice(Sharing(), array("d"), len(CDNS))
    sites, stands = {"R1": (face.Site(), face.Site())}, (face.Stand.ENABLED,) * 2
    picture = face.Snapshot(1, 0, CDNS, stands, known, sites, lines=lines)
    table = Headwater().plan("R1", picture)[cell]
    assert table.candidates[0].parts["qoe"] < 75


def test_who_is_not_known_is_on_no_line() -> None:
    lines = lines_of({Cell("R1"): [told(90)] * 2, Cell(): [told(90)] * 2})
    for cell in (Cell("R1"), Cell(), Cell("R9", "I9")):
        assert not lines.of(cell) and not NO_LINES.of(cell)


def planned(hit: str, *, load_mbps: float = 0.0) -> dict[Cell, face.Table]:
    """Six regions of four ISPs, each cell told too little to be believed, even all of a region; the
    viewers of an ISP see A sink everywhere but in R1, where none of them spoke.
    """
    cells = {}
    for region in range(1, 7):
        for isp in range(1, 5):
            cell = Cell(f"R{region}", f"I{isp}")
            sunk = cell.isp == hit and region > 1
            quiet = cell.isp == hit and region == 1
            cells[cell] = (told(40 if sunk else 90, 0.5 if quiet else 5.0), told(88, 5.0, 88.0))
    wide = {Cell(f"R{region}"): (told(89), told(88, 6.0, 88.0)) for region in range(1, 7)}
    known = {**cells, **wide, Cell(): (told(89), told(88, 6.0, 88.0))}
    site = face.Site(face.Circuit.CLOSED, load_mbps, 100.0)
    sites = {f"R{region}": (site, face.Site()) for region in range(1, 7)}
    stands = (face.Stand.ENABLED,) * 2
    picture = face.Snapshot(1, 0, CDNS, stands, known, sites, lines=lines_of(known))
    return {cell: Headwater().plan(cell.region, picture)[cell] for cell in cells}


def test_a_brown_out_of_one_peering_is_seen_by_all_of_an_isp() -> None:
    """What no region says by itself is said by the ISP's viewers of all regions."""
    sank = planned("I3")
    for cell, table in sank.items():
        if cell.isp == "I3":
            assert table.share[1] > 0.9 and table.urgent[0] is face.Reason.BREAKER, cell
        else:
            assert table.share[0] > 0.5 and table.leave[0] == 0, cell
    calm = planned("")
    assert all(table.share[0] > 0.5 and table.leave[0] == 0 for table in calm.values())
    full = planned("I3", load_mbps=95.0)
    assert full[Cell("R1", "I3")].share[0] > 0.5, "what sank under its load says nothing elsewhere"


@pytest.mark.parametrize(
    ("totals", "along", "each", "lines", "cdns", "cdn"),
    [
        (12, [0], 1, 1, 0, 0),
        (12, [0], 1, 1, 2, 2),
        (12, [0], 1, 1, 2, -1),
        (12, [0], 0, 1, 2, 0),
        (12, [0, 0, 0], 2, 1, 2, 0),
        (10, [0], 1, 1, 2, 0),
        (13, [0], 1, 1, 2, 0),
        (12, [1], 1, 1, 2, 0),
        (12, [0], 1, -1, 2, 0),
        (1, [], 1, 0, 2, 0),
    ],
)
def test_what_does_not_fit_is_refused(
    totals: int, along: list[int], each: int, lines: int, cdns: int, cdn: int
) -> None:
    block = array("d", bytes(8 * totals))
    with pytest.raises(ValueError, match=r"size|line"):
        kernel.drift(block, array("i", along), each, lines, cdns, cdn, 1, 1.0)


def test_lines_of_a_cell_are_few() -> None:
    sharing = Sharing()
    sharing.add(Cell("R", "I", "a", "d", "c"))
    assert len(sharing.along) == EACH == len(sharing.lines) and -1 not in sharing.along
