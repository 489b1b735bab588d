"""The next snapshot is planned in steps beside the one that decides, for the regions asked for."""

import asyncio
from collections import Counter
from contextlib import nullcontext

import pytest

from cdn_router.admin.plan import Plan
from cdn_router.cells.state import State
from cdn_router.cells.sums import Sample
from cdn_router.core import Router
from cdn_router.pathways import Admin
from cdn_router.policies.chooser import Chooser
from cdn_router.policies.classics import RoundRobin
from cdn_router.policies.face import Ask, Cdn, Cell, Snapshot, Steps
from cdn_router.policies.ours import ROUNDS, STEP_CELLS, STEP_SHARES, Headwater
from cdn_router.server import build, cdn
from cdn_router.sessions import Viewer
from cdn_router.settings import Settings
from cdn_router.upkeep import PART, Upkeep
from runtime.clock import ManualClock

REGIONS = ("SE", "NO", "DE")


class Counted(Headwater):
    """Ours, that counts what it plans."""

    def __init__(self) -> None:
        super().__init__()
        self.plans: Counter[tuple[str, int]] = Counter()

    def planned(self, region: str, snapshot: Snapshot) -> Steps:
        self.plans[region, snapshot.version] += 1
        return super().planned(region, snapshot)


def version_of(router: Router) -> int:
    assert router.picture is not None
    return router.picture.version


def test_a_plan_in_steps_is_the_plan() -> None:
    """However many cells a region has, none of its steps is for more than a few."""
    cells = State([Cdn("A"), Cdn("B")], 0.0)
    for number in range(100):
        cells.sample(Cell("SE", f"AS{number}"), number % 2, Sample(1, number, 0, 5, 5), 1.0)
    picture, policy = cells.snapshot(2_000), Headwater()
    steps, count = policy.planned("SE", picture), 0
    with pytest.raises(StopIteration) as end:
        while True:
            next(steps)
            count += 1
    assert end.value.value == policy.plan("SE", picture) and count >= 2 * 100 // STEP_CELLS
    prepared, asked = Chooser(policy, picture), Chooser(policy, picture)
    assert len(list(prepared.prepare("SE"))) == count + 1 and prepared.regions() == ("SE",)
    assert not list(prepared.prepare("SE")) and not list(prepared.prepare("nowhere"))
    assert prepared.table(Cell("SE", "AS7")) == asked.table(Cell("SE", "AS7"))
    full = State([Cdn("A", capacity_mbps={"SE": 1.0}), Cdn("B")], 0.0)
    full.own = cells.own
    tight = len(list(policy.planned("SE", full.snapshot(2_000))))
    assert tight == count + ROUNDS * 100 // STEP_SHARES, "tolls are found in steps, too"
    other = Chooser(RoundRobin(), picture)
    assert len(list(other.prepare("SE"))) == 1 and other.regions() == ("SE",)


def test_plans_are_let_go_in_steps() -> None:
    """As many as they were; who still asks is answered as ever."""
    cells = State([Cdn("A"), Cdn("B")], 0.0)
    for number in range(100):
        cells.sample(Cell(f"R{number}", "AS1"), 0, Sample(1, number, 0, 5, 5), 1.0)
    chooser = Chooser(Headwater(), cells.snapshot(2_000))
    asks = [Ask(Cell(f"R{number}", "AS1")) for number in range(100)]
    orders = [chooser.order(ask, 7) for ask in asks]
    assert len(list(chooser.retire())) > 100 and not chooser.regions()
    assert [chooser.order(ask, 7) for ask in asks] == orders


class Spending(ManualClock):
    """A clock that goes on by a while each time it is asked."""

    def monotonic_s(self) -> float:
        self.advance(0.05)
        return super().monotonic_s()


async def test_rounds_cost_a_part_of_a_core_and_urgent_ones_come_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rests: list[float] = []

    def timeout(rest_s: float) -> nullcontext[None]:
        rests.append(rest_s)
        return nullcontext()

    monkeypatch.setattr("cdn_router.upkeep.asyncio.timeout", timeout)
    for clock, rest_s in ((ManualClock(), 0.5), (Spending(), 2 * 0.05 / PART)):
        settings = Settings()
        cells = State([cdn(each) for each in settings.pathways], clock.now_ms() / 1000)
        upkeep = Upkeep(build(settings, clock), cells, clock)
        await upkeep.start()
        while len(rests) < 3:
            version = cells.version
            upkeep.hurry()
            while cells.version == version:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert rests[1:3] == pytest.approx([rest_s] * 2)
        await upkeep.stop()
        rests.clear()


async def test_no_poll_waits_for_a_plan() -> None:
    clock, settings, policy = ManualClock(), Settings(), Counted()
    router = build(settings, clock)
    router.policies["headwater"] = policy
    router.apply(Plan(1, policy="headwater"), clock.now_ms())
    cells = State([cdn(each) for each in settings.pathways], clock.now_ms() / 1000)
    upkeep = Upkeep(router, cells, clock)
    upkeep.round()
    router.start("s-FI", Viewer("/live/", "FI"), clock.now_ms())  # of which nobody told yet
    for region in (*REGIONS, "FR", "FI"):
        cells.sample(Cell(region), 0, Sample(1, 90, 0, 5, 5), clock.now_ms() / 1000)
    upkeep.round()
    assert policy.plans == Counter({("", 1): 1, ("", 2): 1, ("FI", 2): 1})
    for region in REGIONS:
        router.start(f"s-{region}", Viewer("/live/", region), clock.now_ms())
    assert {policy.plans[region, 2] for region in REGIONS} == {1}
    before = router.decider
    await upkeep.start()  # a round at once, and rounds in steps
    while (version := version_of(router)) < 5:
        planned = {region for region, of in policy.plans if of == version}
        assert planned == {"", "FI", *REGIONS}, "before anybody asks"
        for region in REGIONS:
            router.poll("hls", f"sid=s-{region}", clock.now_ms())
        await asyncio.sleep(0)
    assert set(policy.plans.values()) == {1}
    assert before._chooser is not None and not before._chooser.regions()
    router.administer("CDN-B", Admin.DRAINED, clock.now_ms())
    router.poll("hls", "sid=s-SE", clock.now_ms())
    assert policy.plans["SE", version] == 2, "a drain is another snapshot"
    await upkeep.stop()


@pytest.mark.parametrize("after", range(6))
async def test_it_stops_at_any_moment_of_an_urgent_round(after: int) -> None:
    clock, settings = ManualClock(), Settings()
    cells = State([cdn(each) for each in settings.pathways], clock.now_ms() / 1000)
    upkeep = Upkeep(build(settings, clock), cells, clock)
    await upkeep.start()
    for _ in range(10):  # it rests
        await asyncio.sleep(0)
    upkeep.hurry()
    for _ in range(after):
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await upkeep.stop()
    assert upkeep.ready() == "not running"
