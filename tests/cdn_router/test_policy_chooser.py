"""From tables to decisions: shares, masks, dwell, reasons, replay (RT-3, RT-7, RT-13, RG-7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn_router.catalog import POLICIES
from cdn_router.policies.chooser import Chooser
from cdn_router.policies.classics import RoundRobin, Static, Weighted
from cdn_router.policies.face import (
    Ask,
    Cdn,
    Cell,
    Circuit,
    Evidence,
    Reason,
    Site,
    Snapshot,
    Stand,
)
from cdn_router.policies.ours import Headwater
from native.router.shares import DRAWN, REFUSED, STARTED, STAYED, URGENT, Shares

HOME = Cell("R1", "I1")
CDNS = (Cdn("A", 4.0, 2, 1.0), Cdn("B", 6.0, 1, 2.0), Cdn("C", 9.0, 0, 5.0))


def snapshot(
    qoe: tuple[float, ...] = (80, 80, 80),
    sites: tuple[Site, ...] = (Site(),) * 3,
    stands: tuple[Stand, ...] = (Stand.ENABLED,) * 3,
    sessions: float = 10.0,
) -> Snapshot:
    row = tuple(Evidence(100, 100 * q, 0, 20, 20 * q, sessions) for q in qoe)
    cells = dict.fromkeys((HOME, Cell("R1"), Cell()), row)
    return Snapshot(5, 1000, CDNS, stands, cells, {"R1": sites})


def test_weighted_shares_hold_within_a_percent() -> None:
    """RT-3: +-1 % over 10^5 decisions."""
    chooser = Chooser(Weighted(), snapshot())
    heads = [chooser.order(Ask(HOME), seed).order[0] for seed in range(100_000)]
    for name, share in zip("ABC", (1 / 8, 2 / 8, 5 / 8), strict=True):
        assert heads.count(name) / 1e5 == pytest.approx(share, abs=0.01)


@given(
    share=st.lists(st.floats(0, 1), min_size=1, max_size=64),
    current=st.integers(-1, 63),
    settled=st.booleans(),
    allowed=st.integers(0, 2**64 - 1),
    seed=st.integers(0, 2**64 - 1),
    data=st.data(),
)
def test_the_kernel_keeps_its_laws(
    share: list[float], current: int, settled: bool, allowed: int, seed: int, data: st.DataObject
) -> None:
    """Never a CDN that is not allowed, none without a share where another has one, stays told."""
    count = len(share)
    current = min(current, count - 1)
    leave = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=count, max_size=count))
    urgent = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    shares = Shares(share, leave, urgent, range(count))
    lead, how = shares.lead(current, settled, allowed, seed)
    mask = allowed & (2**count - 1) or 2**count - 1
    assert (lead, how) == shares.lead(current, settled, allowed, seed)
    assert how in (STARTED, STAYED, DRAWN, URGENT, REFUSED) and 0 <= lead < count
    assert mask >> lead & 1
    if how == STAYED:
        assert lead == current
    elif any(share[i] > 0 for i in range(count) if mask >> i & 1):
        assert share[lead] > 0
    if current >= 0 and not mask >> current & 1:
        assert how == REFUSED
    elif current >= 0 and not urgent[current] and (not settled or leave[current] == 0):
        assert how == STAYED


def test_the_kernel_refuses_what_is_no_table() -> None:
    for bad in (([], [], [], []), ([1], [0, 0], [0], [0]), ([1, 0], [0, 0], [0, 0], [1, 1])):
        with pytest.raises(ValueError):
            Shares(*bad)
    with pytest.raises(ValueError):
        Shares([1.0], [0.0], [False], [0]).lead(1, True, 0, 0)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=lambda p: p.name)
def test_every_policy_decides_for_anybody(policy: Headwater) -> None:
    """Cells and regions known or not, masks, drained and dead CDNs: always an order."""
    stands = (Stand.ENABLED, Stand.DRAINED, Stand.KILLED)
    dead = (Site(Circuit.OPEN, probed_down=True),) * 3
    for each in (snapshot(), snapshot(stands=stands), snapshot(sites=dead)):
        chooser = Chooser(policy, each)
        for cell in (HOME, Cell("R1", "nobody"), Cell("nowhere"), Cell()):
            for current in (-1, 0, 2):
                for allowed in (0, 0b010, 0b101, 1 << 63):
                    ask = Ask(cell, current, 1e6, allowed)
                    decision = chooser.order(ask, 11)
                    assert decision.order and len(set(decision.order)) == len(decision.order)
                    assert decision == Chooser(policy, each).order(ask, 11), "RG-7"
                    assert sum(c.share for c in decision.candidates) == pytest.approx(1.0)
                    assert (decision.policy, decision.snapshot_version) == (policy.name, 5)
    drained = Chooser(policy, snapshot(stands=stands)).order(Ask(HOME, 1, 1e6), 3)
    assert drained.order == ("A",) and drained.reason is Reason.DRAINED


def test_made_up_cells_cost_no_memory() -> None:
    chooser = Chooser(Static(), snapshot())
    for number in range(100):
        assert chooser.order(Ask(Cell("R1", f"x{number}")), 1).cell == Cell("R1")
    assert len(chooser._found) <= 4


def test_the_fallback_leaves_what_probes_call_down() -> None:
    """A3: and it knows who serves a region (geo affinity)."""
    down = (Site(probed_down=True), Site(), Site())
    chooser = Chooser(RoundRobin(probes=True), snapshot(sites=down))
    decision = chooser.order(Ask(HOME, 0), 1)
    assert decision.reason is Reason.BREAKER and decision.order[0] in "BC"
    assert chooser.order(Ask(HOME, 1), 1).reason is Reason.STAYED
    near = Snapshot(
        1,
        0,
        (Cdn("A", capacity_mbps={"R2": 9.0}), Cdn("B")),
        (Stand.ENABLED,) * 2,
        {Cell("R1"): (Evidence(),) * 2, Cell(): (Evidence(),) * 2},
        {"R1": (Site(),) * 2},
    )
    assert {Chooser(RoundRobin(), near).order(Ask(Cell("R1")), s).order[0] for s in range(50)} == {
        "B"
    }
