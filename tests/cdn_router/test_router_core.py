"""Sessions through decisions and polls, without a socket: moves, state, memory (ST-17, ST-53)."""

import itertools
import json
from urllib.parse import urlsplit

import pytest

from cdn_router.admin.screen import Screen
from cdn_router.core import Router, is_session_id
from cdn_router.errors import NotFound
from cdn_router.health import Limits, Outcome
from cdn_router.pathways import Admin, Pathway
from cdn_router.sessions import Viewer
from cdn_router.state import Signer
from cdn_router.verdict import GRACE_MS

NOW_MS = 1_700_000_000_000
PATHWAYS = [Pathway("CDN-A", "http://a", 0), Pathway("CDN-B", "http://b", 1)]


def router(key: bytes = b"k" * 32, max_sessions: int = 100) -> Router:
    ids = itertools.count()
    return Router(
        PATHWAYS,
        signer=Signer(key),
        public_url="http://r:8004",
        ttl_s=10,
        state_ttl_s=3600,
        limits=Limits(),
        max_sessions=max_sessions,
        now_ms=NOW_MS,
        new_id=lambda: f"fresh{next(ids)}",
    )


def fail(subject: Router, name: str, times: int = 3) -> None:
    for second in range(times):
        subject.probed(name, Outcome.FAILED, None, second, NOW_MS + 1000 * second)


def manifest(subject: Router, query: str, at_ms: int = NOW_MS) -> dict[str, object]:
    found = json.loads(subject.poll("hls", query, at_ms).body)
    assert isinstance(found, dict)
    return found


def follow(answer: dict[str, object]) -> str:
    return urlsplit(str(answer["RELOAD-URI"])).query


def test_a_session_is_moved_and_back_with_one_sentence_each() -> None:
    subject = router()
    session, decision = subject.start("ses_1", Viewer("/live/demo/", "SE"), NOW_MS)
    assert decision.ids == ("CDN-A", "CDN-B")
    answer = manifest(subject, "sid=ses_1&_HLS_pathway=CDN-A&_HLS_throughput=5000000")
    assert answer["PATHWAY-PRIORITY"] == ["CDN-A", "CDN-B"]
    assert session.followed is True and session.throughput_bps == {"CDN-A": 5_000_000}
    fail(subject, "CDN-A")
    answer = manifest(subject, follow(answer) + "&_HLS_pathway=CDN-A")
    assert answer["PATHWAY-PRIORITY"] == ["CDN-B", "CDN-A"], "always two (ST-17)"
    answer = manifest(subject, follow(answer) + "&_HLS_pathway=CDN-A")
    assert session.followed is True, "told B a moment ago (ST-40)"
    answer = manifest(subject, follow(answer) + "&_HLS_pathway=.", NOW_MS + GRACE_MS)
    assert session.followed is True, "before it knows a pathway it says nothing of it"
    answer = manifest(subject, follow(answer) + "&_HLS_pathway=CDN-A", NOW_MS + GRACE_MS)
    assert session.followed is False, "told B, still plays A"
    answer = manifest(subject, follow(answer) + "&_HLS_pathway=CDN-B")
    assert session.followed is True and session.moves == 1 and session.polls == 6
    for second in range(20, 23):
        subject.probed("CDN-A", Outcome.GOOD, 3.0, second, NOW_MS + 1000 * second)
    assert manifest(subject, follow(answer))["PATHWAY-PRIORITY"] == ["CDN-A", "CDN-B"]
    assert [(m["reason"], m["sentence"]) for m in subject.moves.to_json()] == [
        ("recovered", "moved from CDN-B to CDN-A: 3 good probes in a row"),
        ("probe_failed", "moved from CDN-A to CDN-B: 3 probes failed in 2 s"),
    ]


def test_the_last_switches_are_not_those_of_who_polled_last() -> None:
    """RT-17."""
    subject = router()
    for number in range(30):
        manifest(subject, f"sid=s{number}")
    subject.administer("CDN-A", Admin.DRAINED, NOW_MS)
    for number in range(30):
        manifest(subject, f"sid=s{number}", NOW_MS + number)
    for number in range(30):
        manifest(subject, f"sid=s{number}", NOW_MS + 1_000)
    shown = [each["session_id"] for each in Screen(subject).switches()]
    assert shown == [f"s{number}" for number in range(29, 9, -1)]
    manifest(subject, "sid=s0", NOW_MS + 2_000)
    assert [each["session_id"] for each in Screen(subject).switches()] == shown


def test_state_makes_nodes_interchangeable() -> None:
    """Another node with the same key answers the session; TTL and poll number go along."""
    one, two = router(), router()
    one.start("ses_1", Viewer(), NOW_MS)
    answer = two.poll("hls", follow(manifest(one, "sid=ses_1")), NOW_MS)
    assert answer.session.id == "ses_1" and answer.issues == ()
    same = one.poll("hls", follow(manifest(one, "sid=ses_1")), NOW_MS)
    assert same.body == answer.body


def test_altered_state_is_a_fresh_session_and_an_issue() -> None:
    """ST-53: 200, default list, logged."""
    subject = router()
    query = follow(manifest(subject, "sid=ses_1"))
    for bad in (query[:-1] + "!", "ss=", "ss=v1.a.b", query.replace("ss=v1", "ss=v2")):
        answer = subject.poll("dash", bad, NOW_MS)
        assert json.loads(answer.body)["PATHWAY-PRIORITY"] == ["CDN-A", "CDN-B"]
        if bad != "ss=":
            assert answer.issues == ("state refused",) and answer.session.id.startswith("fresh")
    late = subject.poll("hls", query, NOW_MS + 3_600_001)
    assert late.issues == ("state refused",)
    forged = follow(manifest(router(b"x" * 32), "sid=ses_1"))
    assert subject.poll("hls", forged, NOW_MS).session.id != "ses_1"


@pytest.mark.parametrize("query", ["", "sid=", "sid=%0d%0a", "sid=" + "x" * 65, "%ff=%fe", "&&&="])
def test_whoever_polls_is_answered(query: str) -> None:
    """ST-21."""
    answer = manifest(router(), query)
    assert answer["VERSION"] == 1 and answer["PATHWAY-PRIORITY"] == ["CDN-A", "CDN-B"]
    assert str(answer["RELOAD-URI"]).startswith("http://r:8004/steer/hls?ss=v1.")


def test_a_drain_while_a_session_lives_and_its_end() -> None:
    """What the manifest declared is remembered, also over a drain; CDN-A leads again."""
    subject = router()
    subject.start("ses_1", Viewer(), NOW_MS)
    subject.administer("CDN-A", Admin.DRAINED, NOW_MS)
    answer = manifest(subject, "sid=ses_1")
    assert answer["PATHWAY-PRIORITY"] == ["CDN-B", "CDN-A"]
    subject.administer("CDN-A", Admin.ENABLED, NOW_MS)
    assert manifest(subject, follow(answer))["PATHWAY-PRIORITY"] == ["CDN-A", "CDN-B"]
    version = subject.snapshot().version
    subject.administer("CDN-A", Admin.ENABLED, NOW_MS)
    assert subject.snapshot().version == version, "no change, no version"
    with pytest.raises(NotFound):
        subject.administer("CDN-Z", Admin.ENABLED, NOW_MS)


def test_a_session_is_never_sent_where_its_manifest_does_not_lead() -> None:
    """ST-12: started while A was killed, so its manifest names B alone."""
    subject = router()
    subject.administer("CDN-A", Admin.KILLED, NOW_MS)
    subject.start("ses_1", Viewer(), NOW_MS)
    subject.administer("CDN-A", Admin.ENABLED, NOW_MS)
    answer = manifest(subject, "sid=ses_1")
    assert answer["PATHWAY-PRIORITY"] == ["CDN-B"]
    assert manifest(subject, follow(answer))["PATHWAY-PRIORITY"] == ["CDN-B"]


@pytest.mark.parametrize(
    "admin, order", [(Admin.DRAINED, ["CDN-A", "CDN-B"]), (Admin.KILLED, ["CDN-A"])]
)
def test_a_session_is_told_its_own_when_others_alone_are_wanted(
    admin: Admin, order: list[str]
) -> None:
    """ST-12: never only ids that its manifest lacks, which some players take for none at all."""
    subject = router()
    subject.administer("CDN-A", Admin.KILLED, NOW_MS)
    subject.start("ses_1", Viewer(), NOW_MS)
    subject.administer("CDN-A", Admin.ENABLED, NOW_MS)
    subject.administer("CDN-B", admin, NOW_MS)
    assert manifest(subject, "sid=ses_1")["PATHWAY-PRIORITY"] == ["CDN-B"]
    assert manifest(subject, "sid=ses_2")["PATHWAY-PRIORITY"] == order


def test_a_dash_report_is_not_taken_as_obedience() -> None:
    """ST-34."""
    subject = router()
    session, _ = subject.start("ses_1", Viewer(), NOW_MS)
    subject.poll("dash", "sid=ses_1&_DASH_pathway=CDN-A,CDN-B&_DASH_throughput=2,3", NOW_MS)
    assert session.followed is None and session.reported == (("CDN-A", 2), ("CDN-B", 3))
    assert session.to_json(NOW_MS)["throughput_bps"] == {"CDN-A": 2, "CDN-B": 3}


def test_memory_is_bounded() -> None:
    subject = router(max_sessions=10)
    for number in range(50):
        query = f"sid=s{number}&_DASH_pathway=" + ",".join(f"p{number}x{n}" for n in range(16))
        rates = ",".join(["7"] * 16)
        for _ in range(10):
            answer = subject.poll("dash", f"{query}&_DASH_throughput={rates}", NOW_MS)
    assert len(subject.sessions) == 10
    assert subject.sessions.get("s0") is None and subject.sessions.get("s49") is not None
    assert len(answer.session.issues) <= 8 and len(answer.session.throughput_bps) <= 8
    for number in range(500):
        admin = Admin.DRAINED if number % 2 else Admin.ENABLED
        subject.administer("CDN-A", admin, NOW_MS)
    assert len(subject.moves.to_json()) == 100


def test_session_ids_need_no_quoting() -> None:
    assert is_session_id("ses_0190-a.b~c") and not is_session_id("a/b") and not is_session_id("é")
