"""Ours, rule by rule: calm, capacity, cost, collapse, circuits, back-off (RT-2, RT-5..RT-8)."""

from array import array
from dataclasses import replace

import pytest

from cdn_router.catalog import EARLIER
from cdn_router.policies.face import (
    RECENT_S,
    Cdn,
    Cell,
    Circuit,
    Evidence,
    Reason,
    Site,
    Snapshot,
    Stand,
    Table,
)
from cdn_router.policies.lines import Lines, Sharing
from cdn_router.policies.ours import Headwater, last_heard

HOME = Cell("R1", "I1")
SILENT = Cell("R1", "I2", "", "tv")
OURS = Headwater()


def evidence(
    qoe: float, n: float = 200.0, recent: float | None = None, there: float = 20
) -> Evidence:
    fresh = qoe if recent is None else recent
    return Evidence(n, n * qoe, 0.0, 30.0, 30 * fresh, there)


def plan(
    *row: Evidence,
    sites: tuple[Site, ...] = (Site(),) * 2,
    prices: tuple[float, ...] = (6.0, 6.0),
    region: tuple[Evidence, ...] | None = None,
    policy: Headwater = OURS,
    commits: tuple[float, ...] = (0.0, 0.0),
) -> Table:
    terms = zip("AB", prices, commits, strict=True)
    cdns = tuple(Cdn(name, price, commit_mbps=commit) for name, price, commit in terms)
    cells = {HOME: row, Cell("R1"): region or row, Cell(): region or row}
    snapshot = Snapshot(1, 0, cdns, (Stand.ENABLED,) * 2, cells, {"R1": sites})
    return policy.plan("R1", snapshot)[HOME]


def test_equals_share_evenly_and_nobody_moves() -> None:
    table = plan(evidence(85), evidence(85))
    assert table.share == pytest.approx((0.5, 0.5)) and table.leave == (0, 0)
    skewed = plan(evidence(85, there=39), evidence(85, there=1))
    assert skewed.leave == (0, 0), "no gain, no move, however uneven"


def test_starts_go_where_sessions_lack() -> None:
    """RT-7: they do what moves would have to; who is twice filled draws nobody."""
    crowded = plan(evidence(85, there=390), evidence(85, there=10))
    assert crowded.share[0] < 0.1 and crowded.leave == (0, 0)
    assert crowded.ranked == (0, 1), "players fail over by share, crowded or not"
    slightly = plan(evidence(85, there=220), evidence(85, there=180))
    assert 0.4 < slightly.share[0] < 0.5
    few = plan(evidence(85, there=2), evidence(85, there=0))
    assert 0.4 < few.share[0] < 0.5, "two of two are chance"


def test_version_5_decides_as_it_did() -> None:
    """RT-13: tapes of it are decided again by what the catalog keeps of it; its own figures."""
    then = EARLIER["headwater@5"]
    assert isinstance(then, Headwater) and then.version == 5
    table = plan(
        evidence(88, there=10), evidence(84, recent=78, there=40), prices=(9.0, 4.0), policy=then
    )
    assert table.share == pytest.approx((0.8936812430311282, 0.10631875696887166), rel=1e-12)
    assert table.leave == pytest.approx((0.0, 0.007152328889537026), rel=1e-12)
    even = plan(evidence(85, there=390), evidence(85, there=10), policy=then)
    assert even.share == pytest.approx((0.5, 0.5)), "it drew all alike"


def test_better_draws_and_the_worse_is_left_at_a_pace() -> None:
    table = plan(evidence(92), evidence(80))
    assert table.share[0] > 0.9 and table.leave[0] == 0 and 0 < table.leave[1] < 1
    assert table.urgent == (None, None)
    near = plan(evidence(86), evidence(85.5))
    assert near.leave == (0, 0), "below the threshold"


def test_a_collapse_is_left_at_once() -> None:
    """Brown-out: the long mean is still good, the last seconds are not."""
    table = plan(evidence(88), evidence(88, recent=30))
    assert table.urgent == (None, Reason.BREAKER) and table.share[0] > 0.95
    few = evidence(88, n=4)._replace(recent_n=1.0, recent_qoe=30.0)
    assert plan(evidence(88), few).urgent == (None, None), "one report is no collapse (RT-22)"


def test_what_all_have_left_stays_left_until_it_is_forgotten() -> None:
    """RT-18: a brown-out that nobody reports of any more is not over."""

    def after(silent_s: float) -> Evidence:
        slow, fast = 2 ** (-silent_s / 60), 2 ** (-silent_s / RECENT_S)
        return Evidence(200 * slow, 200 * slow * 88, 0, 30 * fast, 30 * fast * 30, 0)

    left = after(120)
    assert left.recent_n < 0.01
    assert plan(evidence(80), left, region=(evidence(80), left)).share[0] > 0.9
    forgotten = after(1800)
    assert plan(evidence(80), forgotten, region=(evidence(80), forgotten)).share[0] < 0.6


@pytest.mark.parametrize(
    ("n", "recent_n", "said"),
    [
        (60.0, RECENT_S, (0.0, RECENT_S)),
        (30.0, RECENT_S * 2 ** (-60 / RECENT_S), (60.0, RECENT_S)),
        (0.9, 0.15625, (0.0, 0.15625)),
        (0.0, 0.0, (0.0, 0.0)),
    ],
)
def test_silence_is_told_by_what_fades_faster(
    n: float, recent_n: float, said: tuple[float, float]
) -> None:
    """A minute halves the one sum and all but empties the other."""
    each = Evidence(n, 0.0, 0.0, recent_n, 0.0, 0.0)
    assert last_heard(each, 60.0) == pytest.approx(said)


def test_open_circuits_take_nobody() -> None:
    table = plan(evidence(88), evidence(95), sites=(Site(), Site(Circuit.OPEN)))
    assert table.share == (1, 0) and table.urgent[1] is Reason.BREAKER
    both = plan(evidence(88), evidence(88), sites=(Site(Circuit.OPEN),) * 2)
    assert sum(both.share) == pytest.approx(1) and both.urgent == (None, None), "nowhere to go"


def test_the_better_is_not_filled_beyond_its_capacity() -> None:
    """RT-6: 100 Mbit/s asked, 60 there at the better one."""
    sites = (Site(load_mbps=50, capacity_mbps=60), Site(load_mbps=50, capacity_mbps=200))
    table = plan(evidence(95), evidence(85), sites=sites)
    assert 0.35 < table.share[0] <= 0.6 * OURS.full + 0.06
    assert table.candidates[0].parts["toll"] < 0 and table.candidates[1].parts["toll"] == 0
    free = plan(evidence(95), evidence(85), sites=(Site(load_mbps=50), Site(load_mbps=50)))
    assert free.share[0] > 0.9, "unknown capacity is no limit"


def test_price_decides_between_equals_and_a_commit_is_already_paid() -> None:
    """RT-5."""
    thrifty = replace(OURS, price=0.3, width=1.0)

    def filled(fill: float, commit_mbps: float) -> Table:
        return plan(
            evidence(88),
            evidence(88),
            prices=(4.0, 12.0),
            sites=(Site(), Site(fill=fill)),
            policy=thrifty,
            commits=(0.0, commit_mbps),
        )

    table = filled(0.0, 0.0)
    assert table.share[0] > 0.7
    for fill in (0.0, 0.4):
        committed = filled(fill, 100.0)
        assert committed.share[1] > committed.share[0]
        assert committed.candidates[1].parts["price"] == 0
    assert filled(1.2, 100.0).share == table.share


def test_a_brown_out_of_a_region_is_left_at_once_but_not_one_by_its_load() -> None:
    """RT-8: whoever sank in the region; under its load the next one would sink too."""
    sank, other = evidence(80, recent=62), evidence(76)
    for load_mbps, urgent in ((10.0, Reason.BREAKER), (95.0, None)):
        sites = (Site(), Site(load_mbps=load_mbps, capacity_mbps=100.0))
        table = plan(other, sank, sites=sites, region=(other, sank))
        assert table.urgent == (None, urgent)
    calm = plan(other, evidence(62), region=(other, evidence(62)))
    assert calm.urgent == (None, None) and calm.leave[1] > 0.99, "it was never better"


def test_thin_cells_believe_their_region() -> None:
    """RT-2: two reports against a region that says otherwise."""
    region = (evidence(60, n=1000), evidence(90, n=1000))
    thin = plan(
        evidence(90, n=2)._replace(recent_n=0),
        evidence(60, n=2)._replace(recent_n=0),
        region=region,
    )
    assert thin.share[1] > 0.8
    thick = plan(evidence(90, n=500), evidence(60, n=500), region=region)
    assert thick.share[0] > 0.8


def test_a_little_goes_everywhere() -> None:
    table = plan(evidence(95), evidence(40))
    assert table.share[1] == pytest.approx(OURS.exploring / 2, abs=1e-3)
    assert plan(evidence(95), evidence(40), policy=replace(OURS, exploring=0.0)).share[1] < 1e-3


def street(hit: str, recent: float, *, load_mbps: float = 10.0) -> dict[Cell, Table]:
    """Small cells of one region, each told too little to be believed alone; those of a device sank
    on A of late, but one of them, which has hardly been heard of.
    """

    def on_a(cell: Cell) -> Evidence:
        heard = 0.5 if cell == SILENT else 6.0
        fresh = recent if cell.device == hit and cell != SILENT else 90.0
        return Evidence(200, 200 * 90, 0, heard, heard * fresh, 6)

    cells = [Cell("R1", f"I{n}", "", device) for n in range(6) for device in ("tv", "phone")]
    wide = (Evidence(4000, 4000 * 90, 0, 6, 6 * 90, 40), evidence(88, there=40))
    known = {cell: (on_a(cell), evidence(88, there=6)) for cell in cells}
    sites = (Site(load_mbps=load_mbps, capacity_mbps=100.0), Site(capacity_mbps=100.0))
    cdns = (Cdn("A", 6.0), Cdn("B", 6.0))
    known |= {Cell("R1"): wide, Cell(): wide}
    sharing, totals = Sharing(), array("d")
    for cell, row in known.items():
        sharing.add(cell)
        for each in row:
            totals.extend(each)
    lines = Lines(sharing, totals, 2)
    snapshot = Snapshot(1, 0, cdns, (Stand.ENABLED,) * 2, known, {"R1": sites}, lines=lines)
    return dict(OURS.plan("R1", snapshot))


def test_what_befalls_a_class_of_devices_befalls_its_cells() -> None:
    """RT-2: nobody told much, all who share the device told the same."""
    sank = street("tv", 40)
    assert sank[SILENT].share[1] > 0.9 and sank[SILENT].urgent[0] is Reason.BREAKER
    other = sank[SILENT._replace(device="phone")]
    assert other.share[0] > 0.5 and other.leave[0] == 0, "phones have nothing to flee"
    for calm in (street("", 40), street("tv", 87), street("tv", 95)):
        assert calm[SILENT].share[0] > 0.5 and calm[SILENT].leave[0] == 0
    full = street("tv", 40, load_mbps=95)
    parts = full[SILENT].candidates[0].parts
    assert parts["qoe"] > 85, "of what sank under its load each cell speaks for itself"


def test_no_price_buys_the_worst_quality() -> None:
    """RT-5: what costs nothing beside what costs a fortune."""
    table = plan(evidence(30), evidence(85), prices=(0.0, 1e5))
    assert table.share[1] > 0.99 and table.leave[0] > 0.99
    assert table.candidates[1].parts["price"] == pytest.approx(-OURS.thrift)
    near = plan(evidence(84), evidence(85), prices=(0.0, 1e5))
    assert near.share[0] > 0.9, "between near ones it decides"


def test_where_it_is_bad_the_unknown_is_worth_a_try() -> None:
    """RT-18: a single viewer who suffers is not held by what nobody has tried."""
    bad = Evidence(20, 20 * 15, 0, 3, 3 * 15, 1)
    table = plan(bad, Evidence())
    assert table.share[1] > 0.9 and table.leave[0] > 0.5
    good = plan(Evidence(20, 20 * 90, 0, 3, 3 * 90, 1), Evidence())
    assert good.share[0] > 0.9 and good.leave[0] == 0


def test_who_is_there_and_not_yet_heard_is_late_and_not_gone() -> None:
    """RT-15: peers tell late; the same sums without anybody there are silence."""
    gone = Evidence(300, 300 * 88, 0, 2.5, 2.5 * 40, 0)
    silent_s, heard = last_heard(gone, 240.0)
    assert silent_s > 5 and heard > 5
    late = gone._replace(sessions=9.0)
    assert last_heard(late, 240.0) == pytest.approx((0.0, 2.5), abs=0.5)
