"""The 95th percentile so far against the commit, from readings to snapshots (RT-5)."""

from calendar import timegm

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn_router.cells.commits import Commits, percentile95
from cdn_router.cells.state import State
from cdn_router.cells.sums import Sample
from cdn_router.policies.face import Cdn, Cell
from cdn_router.server import build
from cdn_router.settings import Settings
from cdn_router.upkeep import Upkeep

CDNS = (Cdn("A", commit_mbps=200.0), Cdn("B"))
MAY_S = float(timegm((2026, 5, 4, 0, 0, 0)))


def carried(commits: Commits, from_s: float, minutes: int, mbps: float) -> float:
    for minute in range(minutes):
        commits.note((mbps, mbps), from_s + 60 * (minute + 1))
    return from_s + 60 * minutes


def test_a_commit_fills_and_the_top_twentieth_is_free() -> None:
    commits = Commits(CDNS, MAY_S)
    now_s = carried(commits, MAY_S, 95, 100.0)
    assert commits.fills == pytest.approx((0.5, 0.0)), "no commit, no fill"
    now_s = carried(commits, now_s, 5, 1000.0)
    assert commits.fills[0] == pytest.approx(0.5), "one sample of twenty"
    carried(commits, now_s, 10, 1000.0)
    assert commits.fills[0] == pytest.approx(5.0)


def test_a_month_begins_with_nothing() -> None:
    june_s = float(timegm((2026, 6, 1, 0, 0, 0)))
    commits = Commits(CDNS, june_s - 3600)
    now_s = carried(commits, june_s - 3600, 59, 100.0)
    assert commits.fills[0] == pytest.approx(0.5)
    carried(commits, now_s, 10, 10.0)
    assert commits.fills[0] < 0.5 / 2


def test_silence_and_clocks_that_go_back_are_no_samples() -> None:
    commits = Commits(CDNS, MAY_S)
    commits.note((100.0, 0.0), MAY_S - 600)
    assert commits.fills == (0.0, 0.0)
    commits.note((100.0, 0.0), MAY_S + 86_400)
    commits.note((0.0, 0.0), MAY_S + 86_400 + 300)
    assert commits.fills[0] == pytest.approx(0.5), "a day unheard of is a minute of what follows"


@given(st.lists(st.floats(0, 1e6), max_size=100))
def test_the_percentile_leaves_a_twentieth_out(samples: list[float]) -> None:
    found = percentile95(samples)
    above = sum(each > found for each in samples)
    assert above <= len(samples) // 20
    assert not samples or above + samples.count(found) > len(samples) // 20


class Clock:
    now = MAY_S

    def now_ms(self) -> int:
        return int(self.now * 1000)

    def monotonic_s(self) -> float:
        return self.now


def test_snapshots_tell_how_full_commits_are() -> None:
    """What the price of a committed CDN depends on is fed by the router itself."""
    clock = Clock()
    router = build(Settings(), clock)
    cells = State((Cdn("CDN-A", commit_mbps=10.0), Cdn("CDN-B")), clock.now)
    upkeep = Upkeep(router, cells, clock)
    for _ in range(11):
        cells.sample(Cell("DE"), 0, Sample(seconds=60, megabits=600), clock.now)
        upkeep.round()
        clock.now += 60
    upkeep.round()
    assert router.picture is not None
    full, free = (site.fill for site in router.picture.sites["DE"])
    assert full > 0.3 and free == 0
