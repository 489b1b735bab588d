"""Plans: generations, ends, windows, audit, files (RT-9, RT-14)."""

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cdn_router import state as steering_state
from cdn_router.admin.plan import CloneSpec, Plan, Window
from cdn_router.admin.plans import MAX_JUMP
from cdn_router.catalog import POLICIES
from cdn_router.cells.state import State
from cdn_router.core import Router
from cdn_router.errors import Conflict, RequestError
from cdn_router.health import Limits, Outcome
from cdn_router.pathways import Admin, Pathway
from cdn_router.policies.face import Cdn
from cdn_router.rules.rule import Rule
from cdn_router.sessions import Viewer
from cdn_router.state import Signer
from cdn_router.upkeep import Upkeep

NOW_MS = 1_700_000_000_000
PATHWAYS = [Pathway("CDN-A", "http://a", 0), Pathway("CDN-B", "http://b", 1)]


class Still:
    """A clock that stands."""

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic_s(self) -> float:
        return 0.0


def router() -> Router:
    ids = itertools.count()
    return Router(
        PATHWAYS,
        signer=Signer(b"k" * 32),
        public_url="http://r",
        ttl_s=20,
        state_ttl_s=3600,
        limits=Limits(),
        max_sessions=100,
        now_ms=NOW_MS,
        new_id=lambda: f"fresh{next(ids)}",
        policies=POLICIES,
    )


def lead(subject: Router, query: str = "sid=s", at_ms: int = NOW_MS) -> str:
    order = json.loads(subject.poll("hls", query, at_ms).body)["PATHWAY-PRIORITY"]
    return str(order[0])


def test_only_newer_plans_hold() -> None:
    subject = router()
    subject.apply(Plan(5, rules=(Rule("b", only=("CDN-B",)),), author="ann"), NOW_MS)
    assert lead(subject) == "CDN-B"
    for generation in (5, 4, 0):
        with pytest.raises(Conflict, match="stale_generation"):
            subject.apply(Plan(generation), NOW_MS)
    assert lead(subject) == "CDN-B"
    subject.administer("CDN-B", Admin.DRAINED, NOW_MS)
    assert subject.plans.newest == 6 and subject.plans.current.rules[0].name == "b"
    assert [(e.outcome, e.generation) for e in subject.plans.audit()] == [
        ("accepted", 6),
        ("refused", 0),
        ("refused", 4),
        ("refused", 5),
        ("accepted", 5),
    ]


def test_a_generation_leaves_room_for_drains() -> None:
    """What is made here can be read by every node."""
    subject = router()
    with pytest.raises(RequestError, match="generation"):
        subject.apply(Plan(1 << 53), NOW_MS)
    subject.apply(Plan(MAX_JUMP), NOW_MS)
    for admin in (Admin.DRAINED, Admin.ENABLED):
        subject.administer("CDN-A", admin, NOW_MS)
    current = subject.plans.current
    assert current.generation == MAX_JUMP + 2
    assert msgspec.json.decode(msgspec.json.encode(current), type=Plan) == current


def test_a_plan_ends_and_does_not_come_back() -> None:
    subject = router()
    plan = Plan(1, stands={"CDN-A": Admin.KILLED}, expires_ms=NOW_MS + 60_000)
    subject.apply(plan, NOW_MS)
    assert lead(subject) == "CDN-B" and subject.moves.to_json()[0]["reason"] == "drained"
    subject.tick(NOW_MS + 59_999)
    assert lead(subject) == "CDN-B"
    subject.tick(NOW_MS + 60_000)
    assert lead(subject) == "CDN-A" and subject.plans.audit()[0].outcome == "expired"
    with pytest.raises(Conflict, match="stale_generation"):
        subject.apply(plan, NOW_MS + 60_000)
    with pytest.raises(Conflict, match="expired"):
        subject.apply(msgspec.structs.replace(plan, generation=2), NOW_MS + 60_000)


def test_maintenance_comes_and_goes() -> None:
    subject = router()
    window = Window("CDN-A", NOW_MS + 1000, NOW_MS + 2000)
    subject.apply(Plan(1, windows=(window,)), NOW_MS)
    leads = []
    for later_ms in (0, 999, 1000, 1999, 2000):
        subject.tick(NOW_MS + later_ms)
        leads.append(lead(subject))
    assert leads == ["CDN-A", "CDN-A", "CDN-B", "CDN-B", "CDN-A"]


@pytest.mark.parametrize(
    "plan, code",
    [
        (Plan(1, policy="no-such"), "policy_unknown"),
        (Plan(1, stands={"CDN-X": Admin.DRAINED}), "pathway_unknown"),
        (Plan(1, rules=(Rule("r", only=("CDN-X",)),)), "pathway_unknown"),
        (Plan(1, windows=(Window("CDN-X", 0, 1),)), "pathway_unknown"),
        (Plan(1, rules=(Rule("r"), Rule("r"))), "rule_twice"),
        (Plan(1, clones=(CloneSpec("CDN-X", "CDN-C", "c"),)), "clone_base"),
        (Plan(1, clones=(CloneSpec("CDN-A", "CDN-C", "c:80"),)), "clone_host"),
        (Plan(1, clones=(CloneSpec("CDN-A", "CDN-C", "c", {"a": "b&"}),)), "clone_params"),
    ],
)
def test_what_cannot_hold_is_refused_whole(plan: Plan, code: str) -> None:
    subject = router()
    with pytest.raises(RequestError) as caught:
        subject.apply(plan, NOW_MS)
    assert caught.value.code == code and subject.plans.current.generation == 0


def test_a_clone_is_offered_to_running_sessions() -> None:
    """ST-15, ST-16: a CDN that no manifest names, first for a canary, then gone with its plan."""
    subject = router()
    subject.start("s", Viewer(), NOW_MS)
    clone = CloneSpec("CDN-B", "CDN-C", "c.example.com", {"t": "1"})
    subject.apply(Plan(1, clones=(clone,)), NOW_MS)
    answer = json.loads(subject.poll("hls", "sid=s", NOW_MS).body)
    assert answer["PATHWAY-PRIORITY"] == ["CDN-A", "CDN-B", "CDN-C"]
    assert answer["PATHWAY-CLONES"] == [
        {
            "BASE-ID": "CDN-B",
            "ID": "CDN-C",
            "URI-REPLACEMENT": {"HOST": "c.example.com", "PARAMS": {"t": "1"}},
        }
    ]
    rules = (Rule("canary", weights={"CDN-C": 1}),)
    subject.apply(Plan(2, clones=(clone,), rules=rules), NOW_MS)
    assert lead(subject) == "CDN-C"
    told = subject.poll("hls", "sid=s&_HLS_pathway=CDN-C&_HLS_throughput=1", NOW_MS)
    assert told.session.followed and not told.issues, "a clone is a pathway as any other"
    _, choice = subject.start("s2", Viewer(), NOW_MS)
    assert subject.sessions.seen("s2", NOW_MS).order == ("CDN-A", "CDN-B"), "manifests lack it"
    assert choice.rule == "canary"
    subject.apply(Plan(3), NOW_MS)
    assert b"CLONES" not in subject.poll("hls", "sid=s", NOW_MS).body


@pytest.mark.parametrize(
    "wish", [{"stands": {"CDN-C": Admin.KILLED}}, {"rules": (Rule("r", never=("CDN-C",)),)}]
)
def test_a_clone_of_a_clone_that_is_not_wanted(wish: dict[str, Any]) -> None:
    """ST-15: what a clone stands on is listed before it, and is not played itself."""
    clones = (CloneSpec("CDN-A", "CDN-C", "c"), CloneSpec("CDN-C", "CDN-D", "d"))
    subject = router()
    subject.apply(Plan(1, clones=clones, **wish), NOW_MS)
    answer = json.loads(subject.poll("hls", "sid=s", NOW_MS).body)
    assert answer["PATHWAY-PRIORITY"] == ["CDN-A", "CDN-B", "CDN-D"]
    assert [clone["ID"] for clone in answer["PATHWAY-CLONES"]] == ["CDN-C", "CDN-D"]


def test_clones_alone_are_no_manifest() -> None:
    """ST-5, ST-12: a start, and a session whose manifest cannot have the clone, get what stands."""
    subject = router()
    clones, rules = (CloneSpec("CDN-B", "CDN-C", "c"),), (Rule("r", only=("CDN-C",)),)
    for generation, stands in enumerate(
        [{"CDN-A": Admin.KILLED}, {"CDN-A": Admin.KILLED, "CDN-B": Admin.KILLED}], 1
    ):
        subject.apply(Plan(generation, clones=clones, rules=rules, stands=stands), NOW_MS)
        session, _ = subject.start("", Viewer(), NOW_MS)
        assert session.order == (("CDN-B",), ("CDN-A", "CDN-B"))[generation - 1]
    former = steering_state.State("s", ("CDN-O",), 1, NOW_MS // 1000 + 60)
    sealed = Signer(b"k" * 32).seal(former)
    assert lead(subject, f"ss={sealed}") == "CDN-A"


def test_variants_and_renditions_of_a_clone_may_have_uris_of_their_own() -> None:
    """ST-16, of HLS players; what they could not resolve is refused."""
    uris = {
        "per_variant_uris": {"hd-1080": "https://d/hd.m3u8"},
        "per_rendition_uris": {"a": "http://d/a"},
    }
    spec = {"base_id": "CDN-A", "id": "CDN-C", "host": "c", **uris}
    subject = router()
    subject.apply(msgspec.convert({"generation": 1, "clones": [spec]}, Plan), NOW_MS)
    [clone] = json.loads(subject.poll("hls", "sid=s", NOW_MS).body)["PATHWAY-CLONES"]
    assert clone["URI-REPLACEMENT"] == {
        "HOST": "c",
        "PER-VARIANT-URIS": {"hd-1080": "https://d/hd.m3u8"},
        "PER-RENDITION-URIS": {"a": "http://d/a"},
    }
    for bad in (
        {"hd 1": "https://d/x"},
        {"hd": "/hd.m3u8"},
        {"hd": 'https://d/"'},
        {"": "http://d"},
        {"hd\n": "https://d"},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"clones": [spec | {"per_variant_uris": bad}]}, Plan)


def test_risk_shortens_the_ttl() -> None:
    """ST-51."""
    subject = router()

    def ttl_s() -> int:
        return int(json.loads(subject.poll("hls", "sid=s", NOW_MS).body)["TTL"])

    assert 18 <= ttl_s() <= 22
    for second in range(3):
        subject.probed("CDN-B", Outcome.FAILED, None, second, NOW_MS)
    assert 9 <= ttl_s() <= 11


def test_a_file_keeps_the_plan(tmp_path: Path) -> None:
    """A plan is there for other workers and after a restart."""
    plan_file = tmp_path / "plan.json"
    cells = [State([Cdn(p.id) for p in PATHWAYS], NOW_MS / 1000) for _ in range(2)]
    one, two = router(), router()
    first, second = (
        Upkeep(subject, state, Still(), plan_file)
        for subject, state in zip((one, two), cells, strict=True)
    )
    one.apply(Plan(1, rules=(Rule("b", only=("CDN-B",)),)), NOW_MS)
    first.keep(one.plans.current)
    second.round()
    assert lead(two) == "CDN-B" and two.plans.newest == 1
    for broken in (b'{"generation": "x"}', b'{"note": "\xff"}', b"[" * 100_000):
        plan_file.write_bytes(broken)
        second._seen_ns = 0
        second.round()
        assert lead(two) == "CDN-B", "a broken file changes nothing"
