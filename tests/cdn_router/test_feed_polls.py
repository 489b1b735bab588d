"""Throughputs of steering polls as light evidence (RT-1, ST-32)."""

import pytest

from cdn_router.cells.state import State
from cdn_router.core import Router
from cdn_router.feeds_polls import INTERVAL_MS, WEIGHT
from cdn_router.policies.face import Cdn, Cell, Evidence
from cdn_router.quality import Quality
from cdn_router.server import build, build_intake
from cdn_router.sessions import Viewer
from cdn_router.settings import Settings

NOW_MS = 1_700_000_000_000
HERE = Cell("DE", "AS7", "", "tv", "film")


@pytest.fixture
def state() -> State:
    return State((Cdn("CDN-A"), Cdn("CDN-B")), NOW_MS / 1000)


@pytest.fixture
def router(state: State) -> Router:
    router = build(Settings())
    router.start("s1", Viewer("film", "DE", "tv", 7), NOW_MS)
    build_intake(Settings(), router, state)
    return router


def polled(router: Router, state: State, *polls: tuple[int, str]) -> tuple[Evidence, ...]:
    """What the cell knows after polls, so many ms after the start."""
    for after_ms, query in polls:
        router.poll("hls", f"sid=s1&{query}", NOW_MS + after_ms)
    snapshot = state.snapshot(NOW_MS + max(after_ms for after_ms, _ in polls))
    return snapshot.cells.get(HERE, (Evidence(), Evidence()))


def hls(bps: int, pathway: str = "CDN-A") -> str:
    return f"_HLS_pathway={pathway}&_HLS_throughput={bps}"


def test_a_pathway_slower_than_the_best_one_scores_less(router: Router, state: State) -> None:
    found = polled(
        router,
        state,
        (0, hls(12_000_000)),
        (20_000, hls(12_000_000)),
        (40_000, "_DASH_pathway=CDN-B,CDN-A&_DASH_throughput=1200000,9000000"),
    )
    assert [each.n for each in found] == pytest.approx([WEIGHT, WEIGHT], rel=0.1)
    fast, slow = (each.qoe / each.n for each in found)
    assert fast == pytest.approx(100) and 30 < slow < 45


@pytest.mark.parametrize(
    "polls",
    [
        [(0, hls(9_000_000))],  # nothing to compare with
        [(0, hls(1_000_000)), (INTERVAL_MS, hls(9_000_000))],  # players begin with that figure
        [(0, hls(9_000_000)), (INTERVAL_MS, hls(0))],
        [(0, hls(9_000_000)), (INTERVAL_MS, hls(10**15))],
        [(0, hls(9_000_000)), (INTERVAL_MS, "_HLS_pathway=CDN-A")],
        [(0, hls(9_000_000)), (INTERVAL_MS, hls(9_000_000, "CDN-Z"))],
    ],
)
def test_what_is_no_evidence(router: Router, state: State, polls: list[tuple[int, str]]) -> None:
    assert [each.n for each in polled(router, state, *polls)] == [0, 0]


def test_a_session_that_spins_weighs_no_more(router: Router, state: State) -> None:
    spun = [(after_ms, hls(9_000_000)) for after_ms in range(0, 20_001, 100)]
    assert polled(router, state, *spun)[0].n == pytest.approx(2 * WEIGHT, rel=0.1)


def test_a_player_that_reports_for_itself_is_heard_there(router: Router, state: State) -> None:
    session = router.sessions.get("s1")
    assert session is not None
    session.quality = Quality()
    found = polled(router, state, *((at * INTERVAL_MS, hls(9_000_000)) for at in range(3)))
    assert found[0].n == 0
