"""A drained CDN is led to by nothing, and still there when all others fail (RT-9, ST-17); a killed
one is in no list while another is left.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdn_router.admin.plan import CloneSpec, Plan
from cdn_router.catalog import POLICIES
from cdn_router.cells.state import State as Cells
from cdn_router.core import Router
from cdn_router.health import Outcome
from cdn_router.pathways import Admin
from cdn_router.policies.face import Cdn
from cdn_router.rules.rule import Rule
from cdn_router.server import build
from cdn_router.sessions import Viewer
from cdn_router.settings import PathwaySettings, Settings
from cdn_router.state import State

NOW_MS = 1_700_000_000_000
OWN, CLONES = ("A", "B", "C"), ("K", "L")
EVERY_POLICY = ["static-priority", *sorted(POLICIES)]


def router(*names: str) -> Router:
    """With a snapshot, so that policies decide."""
    subject = build(Settings(pathways=[PathwaySettings(id=n, base_url="http://h") for n in names]))
    subject.use(Cells([Cdn(name) for name in names], NOW_MS / 1000).snapshot(NOW_MS))
    return subject


def polled(subject: Router, declared: tuple[str, ...]) -> list[str]:
    sealed = subject._signer.seal(State("s", declared, 1, NOW_MS // 1000 + 60))
    order = json.loads(subject.poll("hls", f"ss={sealed}", NOW_MS).body)["PATHWAY-PRIORITY"]
    assert isinstance(order, list)
    return order


@pytest.mark.parametrize("policy", EVERY_POLICY)
def test_who_starts_during_a_drain_has_where_to_go_after_it(policy: str) -> None:
    subject = router("A", "B")
    subject.apply(Plan(1, policy, stands={"A": Admin.DRAINED}), NOW_MS)
    for number in range(50):
        session, choice = subject.start(f"s{number}", Viewer(), NOW_MS)
        assert session.order == choice.ids == ("B", "A"), "nobody is led to A"
        assert polled(subject, session.declared) == ["B", "A"]
    subject.apply(Plan(2, stands={"B": Admin.KILLED}), NOW_MS)
    assert polled(subject, session.declared) == ["A"]


@pytest.mark.parametrize("policy", EVERY_POLICY)
def test_a_drain_of_all_leaves_all(policy: str) -> None:
    subject = router(*OWN)
    stands = {"A": Admin.DRAINED, "B": Admin.DRAINED, "C": Admin.KILLED}
    subject.apply(Plan(1, policy, stands=stands), NOW_MS)
    session, _ = subject.start("s", Viewer(), NOW_MS)
    assert sorted(session.order) == ["A", "B"]


def test_what_is_drained_comes_behind_what_fails_its_probes() -> None:
    subject = router(*OWN)
    subject.apply(Plan(1, stands={"A": Admin.DRAINED}), NOW_MS)
    for second in range(3):
        subject.probed("B", Outcome.FAILED, None, second, NOW_MS)
    assert subject.start("s", Viewer(), NOW_MS)[0].order == ("C", "B", "A")


@pytest.mark.parametrize("policy", EVERY_POLICY)
def test_a_rule_that_leaves_no_share_leads_to_what_is_not_drained(policy: str) -> None:
    subject = router(*OWN)
    rules = (Rule("r", only=("A", "C")),)
    subject.apply(Plan(1, policy, rules, {"A": Admin.DRAINED}), NOW_MS)
    for number in range(50):
        assert subject.start(f"s{number}", Viewer(), NOW_MS)[0].order == ("C", "A")


ids = st.sampled_from(OWN + CLONES)
stands = st.dictionaries(ids, st.sampled_from([Admin.DRAINED, Admin.KILLED]), max_size=5)
some = st.lists(ids, max_size=3, unique=True).map(tuple)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(EVERY_POLICY), stands, some, some, st.tuples(*[st.sampled_from(OWN)] * 2))
def test_nobody_is_led_to_what_is_drained_nor_told_of_what_is_killed(
    policy: str,
    stands: dict[str, Admin],
    only: tuple[str, ...],
    never: tuple[str, ...],
    bases: tuple[str, str],
) -> None:
    subject = router(*OWN)
    clones = tuple(CloneSpec(base, name, "h") for base, name in zip(bases, CLONES, strict=True))
    rules = (Rule("r", only=only, never=never),)
    subject.apply(Plan(1, policy, rules, stands, clones=clones), NOW_MS)
    session, _ = subject.start("s", Viewer(), NOW_MS)

    killed = {name for name in OWN if stands.get(name) is Admin.KILLED}
    permitted = {n for n in OWN + CLONES if n not in never and n in (only or (n,))}
    working = {n for n in permitted or OWN + CLONES if stands.get(n) is not Admin.KILLED}
    mine = working & set(OWN) or set(OWN) - killed or set(OWN)
    if working or not permitted:
        assert set(session.order) == mine, "all that may be used, whatever their stands"
    assert killed.isdisjoint(session.order) or killed == set(OWN)
    if any(name not in stands for name in session.order):
        assert session.order[0] not in stands

    for declared in (session.declared, OWN, OWN[:1], OWN[1:]):
        told = polled(subject, declared)
        assert killed.isdisjoint(told) or killed.issuperset(declared)
        enabled = [name not in stands for name in told]
        assert enabled == sorted(enabled, reverse=True), "what is drained comes last"
