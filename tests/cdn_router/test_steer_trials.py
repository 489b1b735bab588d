"""Half-open circuits in the router: one session tries, the others stay away (RT-8, RT-13)."""

from functools import partial

import msgspec

from cdn_router.cells.circuits import OPEN_S, TRIAL_S, Second
from cdn_router.cells.state import State
from cdn_router.cells.sums import Sample
from cdn_router.decider import Question
from cdn_router.health import Outcome
from cdn_router.pathways import Admin
from cdn_router.policies.face import Cell, Circuit
from cdn_router.reasons import Reason
from cdn_router.server import build, cdn, tried
from cdn_router.sessions import Viewer
from cdn_router.settings import Settings

NOW_S = 1_700_000_000
HOME = Viewer(country="DE")


class Bench:
    """A router and its cells, a second at a time; CDN-A has failed in Germany."""

    def __init__(self) -> None:
        settings = Settings(policy="headwater")
        self.now_s = NOW_S
        self.router = build(settings)
        self.cells = State([cdn(each) for each in settings.pathways], NOW_S)
        self.router.trial = partial(tried, self.router, self.cells)
        self.look(Second(failed=9, sessions=0b111, networks=0b111))

    def look(self, outcome: Second | None = None, wait_s: int = 0) -> Circuit:
        self.now_s += wait_s
        if outcome is not None:
            self.cells.outcome("DE", 0, outcome, self.now_s)
            self.cells.sample(Cell("DE"), 0, Sample(failures=outcome.failed), self.now_s)
        self.cells.look(self.now_s + 0.5)
        self.router.use(self.cells.snapshot(self.now_s * 1000 + 500))
        return self.cells.circuits.circuit("DE", 0)

    def start(self, name: str, viewer: Viewer = HOME) -> tuple[str, str]:
        _, choice = self.router.start(name, viewer, self.now_s * 1000 + 600)
        return choice.ids[0], choice.reason


def test_one_session_of_the_region_is_the_probe() -> None:
    bench = Bench()
    assert {bench.start(f"o{n}")[0] for n in range(20)} == {"CDN-B"}, "open: nobody"
    assert bench.look(wait_s=OPEN_S) is Circuit.HALF_OPEN
    assert bench.start("elsewhere", Viewer(country="FR"))[1] != Reason.TRIED
    assert bench.start("probe") == ("CDN-A", Reason.TRIED)
    assert {bench.start(f"h{n}")[0] for n in range(20)} == {"CDN-B"}, "half-open: nobody else"
    assert bench.look(wait_s=TRIAL_S) is Circuit.HALF_OPEN
    assert bench.start("next") == ("CDN-A", Reason.TRIED), "the first one never said a word"
    assert bench.look(Second(good=1), 1) is Circuit.CLOSED
    assert "CDN-A" in {bench.start(f"c{n}")[0] for n in range(40)}


def test_where_a_circuit_is_not_closed_sessions_poll_sooner() -> None:
    """ST-51: 10 s in a suspect region, 20 s in others."""
    bench = Bench()

    def ttl_s(name: str, viewer: Viewer) -> int:
        now_ms = bench.now_s * 1000 + 600
        session, choice = bench.router.start(name, viewer, now_ms)
        return bench.router.ttl_s(choice, session.who, now_ms)

    assert (ttl_s("a", HOME), ttl_s("b", Viewer(country="FR"))) == (10, 20)
    bench.look(wait_s=OPEN_S)
    bench.look(Second(good=1), 1)
    assert ttl_s("c", HOME) == 20


def test_nobody_tries_what_probes_or_the_operator_keep_out() -> None:
    for keep_out in (
        lambda router: [router.probed("CDN-A", Outcome.FAILED, None, n, n) for n in range(3)],
        lambda router: router.administer("CDN-A", Admin.DRAINED, NOW_S * 1000),
    ):
        bench = Bench()
        keep_out(bench.router)
        bench.look(wait_s=OPEN_S)
        assert {bench.start(f"s{n}")[0] for n in range(20)} == {"CDN-B"}
    bench.router.administer("CDN-A", Admin.ENABLED, NOW_S * 1000)
    assert bench.start("next") == ("CDN-A", Reason.TRIED), "its trial was not spent"


def test_a_trial_is_in_the_question_and_so_is_replayed() -> None:
    bench = Bench()
    bench.look(wait_s=OPEN_S)
    taken: list[Question] = []
    bench.router.record = lambda _at, _id, _decider, question, _choice: taken.append(question)
    lead, _ = bench.start("probe")
    again = msgspec.json.decode(msgspec.json.encode(taken[0]), type=Question)
    assert again.trial == "CDN-A" and bench.router.decider.decide(again).ids[0] == lead
