"""What a steering manifest may not say, clones, the TTL's jitter, and hostile queries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn_router import report
from cdn_router.clones import Clone, check
from cdn_router.errors import EmitError
from cdn_router.pathways import is_pathway_id
from cdn_router.steering import drawn, emit, jittered, origin

DECLARED = ("A", "B")


@pytest.mark.parametrize(
    "order, ttl_s, reload_uri, code",
    [
        ([], 1, "http://r", "priority"),
        (["A", "A"], 1, "http://r", "priority"),
        (["A", "b c"], 1, "http://r", "priority"),
        (["X", "Y"], 1, "http://r", "priority_unknown"),
        (["A"], 0, "http://r", "ttl"),
        (["A"], 1, "/steer", "reload_uri"),
    ],
)
def test_what_players_refuse_is_never_emitted(
    order: list[str], ttl_s: int, reload_uri: str, code: str
) -> None:
    """ST-10..ST-14."""
    with pytest.raises(EmitError) as caught:
        emit(order, ttl_s=ttl_s, reload_uri=reload_uri, declared=DECLARED)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "clone, code",
    [
        (Clone("A", "B", "h"), "clone_id"),
        (Clone("A", "C D", "h"), "clone_id"),
        (Clone("X", "C", "h"), "clone_base"),
        (Clone("A", "C", ""), "clone_host"),
        (Clone("A", "C", "h:80"), "clone_host"),
        (Clone("A", "C", "h/x"), "clone_host"),
        (Clone("A", "C", "h", {"a": "b&c"}), "clone_params"),
        (Clone("A", "C", "h", {"": "b"}), "clone_params"),
    ],
)
def test_clones_that_players_drop(clone: Clone, code: str) -> None:
    """ST-15."""
    with pytest.raises(EmitError) as caught:
        check([clone], DECLARED)
    assert caught.value.code == code


def test_a_clone_may_stand_on_an_earlier_clone() -> None:
    check([Clone("A", "C", "c"), Clone("C", "D", "d")], DECLARED)
    with pytest.raises(EmitError, match="clone_base"):
        check([Clone("C", "D", "d"), Clone("A", "C", "c")], DECLARED)


def test_clone_parameters_replace_and_are_sorted() -> None:
    clone = Clone("A", "C", "c", {"b": "2", "B": "1", "x": "9"})
    assert clone.uri("https://a:8/p?x=1&y=~*#f") == "https://c:8/p?y=~*&B=1&b=2&x=9#f"


def test_jitter_is_bounded_repeatable_and_spreads() -> None:
    """ST-52: sessions that start together drift apart."""
    seeds = [drawn(origin(f"s{n}"), poll)[1] for n in range(2000) for poll in range(2)]
    ttls = [jittered(100, seed) for seed in seeds]
    assert min(ttls) == 90 and max(ttls) == 110
    assert max(ttls.count(ttl) for ttl in set(ttls)) < len(ttls) / 10
    assert drawn(origin("s1"), 3) == drawn(origin("s1"), 3) != drawn(origin("s1"), 4)
    assert {jittered(10, seed) for seed in seeds} == {9, 10, 11}
    assert jittered(1, 0) == 1


@pytest.mark.parametrize(
    "query, entries",
    [
        ("_HLS_throughput=700", [(".", 700)]),
        ("_HLS_pathway=A", [("A", None)]),
        ("_DASH_pathway=A,B", [("A", None), ("B", None)]),
        ("_DASH_throughput=5", []),
        ('_DASH_pathway="A","B"&_DASH_throughput="5,6"', [("A", 5), ("B", 6)]),
        ('_DASH_pathway="A, B"&_DASH_throughput=5,', [("A", 5), ("B", None)]),
        ("_HLS_pathway=A&_HLS_throughput=NaN", [("A", None)]),
        ("_HLS_pathway=A&_HLS_pathway=B&_HLS_throughput=1", [("A", 1)]),
        ("_HLS_pathway=A+B&_HLS_throughput=1", []),
        ("_HLS_pathway=A&_HLS_throughput=" + "9" * 30, [("A", None)]),
    ],
)
def test_every_parameter_is_accepted_alone(
    query: str, entries: list[tuple[str, int | None]]
) -> None:
    assert list(report.parse(query, DECLARED).entries) == entries


@pytest.mark.parametrize(
    "query, issue",
    [
        ("_HLS_pathway=A&_HLS_throughput=fast", "throughput unreadable"),
        ("_HLS_pathway=%00", "illegal pathway"),
        ("_DASH_pathway=" + ",".join("A" * 65), "too many pathways"),
        ("x" * (report.MAX_QUERY_CHARS + 1), "query too long"),
    ],
)
def test_faults_are_named(query: str, issue: str) -> None:
    """ST-31."""
    assert issue in report.parse(query, DECLARED).issues


def test_a_report_of_all_pathways_is_read_whole() -> None:
    names = [f"CDN-{number}" for number in range(report.MAX_PATHWAYS)]
    rates = ",".join(str(1_000 + at) for at in range(len(names)))
    told = report.parse(f"_DASH_pathway={','.join(names)}&_DASH_throughput={rates}", names)
    assert told.entries == tuple(zip(names, range(1_000, 1_064), strict=True)) and not told.issues


@given(st.text(max_size=200))
def test_no_query_is_refused(query: str) -> None:
    told = report.parse(query, DECLARED)
    assert all(is_pathway_id(name) for name, _ in told.entries)
    with_key = report.parse(f"_HLS_pathway={query}&_DASH_pathway={query}", DECLARED)
    assert len(with_key.entries) <= report.MAX_PATHWAYS


def test_a_first_guess_is_no_evidence() -> None:
    """ST-33."""
    guess = report.parse("_HLS_pathway=A&_HLS_throughput=500000", DECLARED)
    assert guess.measured(first_poll=True) == {} and guess.measured(first_poll=False) == {
        "A": 500000
    }
    dash = report.parse("_DASH_pathway=A&_DASH_throughput=1000000", DECLARED)
    assert dash.measured(first_poll=True) == {}
    real = report.parse("_DASH_pathway=A&_DASH_throughput=500000", DECLARED)
    assert real.measured(first_poll=True) == {"A": 500000}
