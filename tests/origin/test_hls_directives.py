"""Delivery directives in the order of specs/hls.md section 3, against a plain oracle."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.delivery.directives import (
    BadDirectives,
    Directives,
    Position,
    advance_limit,
    judge,
    parse,
)

HALF = Fraction(1, 2)
AT = Position(100, 4, 2, HALF)  # 100 is finished with parts 0..3, of 101 there are 0 and 1


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", Directives()),
        ("CMCD=x&a=b", Directives()),
        ("_HLS_msn=7", Directives(7)),
        ("_HLS_msn=7&_HLS_part=0", Directives(7, 0)),
        ("_HLS_part=3&x=1&_HLS_msn=07", Directives(7, 3)),
        ("_HLS_skip=YES", Directives(skip="YES")),
        ("_HLS_skip=v2&_HLS_msn=1", Directives(1, skip="v2")),
        ("_HLS_skip=NO", Directives()),
        ("_HLS_skip=yes", Directives()),
        ("_HLS_report=1&_HLS_push=2", Directives()),
        ("_HLS_msn=" + "9" * 5000, Directives(10**18)),
    ],
)
def test_what_a_query_asks_for(query: str, asked: Directives) -> None:
    """HLS-22, HLS-30: what is unknown is ignored."""
    assert parse(query) == asked


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("_HLS_part=1", "part_without_msn"),
        ("_HLS_part=x", "part_without_msn"),
        ("_HLS_msn=", "not_a_number"),
        ("_HLS_msn=-1", "not_a_number"),
        ("_HLS_msn=1.5", "not_a_number"),
        ("_HLS_msn=%31", "not_a_number"),
        ("_HLS_msn=²", "not_a_number"),
        ("_HLS_msn=1&_HLS_part=1e3", "not_a_number"),
    ],
)
def test_what_no_directive_may_be(query: str, code: str) -> None:
    """HLS-28 and the third step of the order."""
    with pytest.raises(BadDirectives) as error:
        parse(query)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("msn", "part", "verdict"),
    [
        (1, None, "now"),  # HLS-25: long gone
        (100, None, "now"),
        (101, None, "wait"),
        (102, None, "wait"),
        (103, None, "msn_too_far"),  # HLS-27: more than last + 2
        (100, 3, "now"),
        (100, 4, "now"),  # HLS-24: counts as part 0 of 101, which is there
        (100, 99, "now"),
        (99, 99, "now"),
        (101, 1, "now"),
        (101, 2, "wait"),
        (101, 7, "wait"),  # 1 + 6: not more than the limit of 3 / 0.5
        (101, 8, "part_too_far"),
        (102, 0, "wait"),
        (102, 5, "wait"),
        (102, 6, "part_too_far"),
        (103, 0, "msn_too_far"),
    ],
)
def test_now_later_or_never(msn: int, part: int | None, verdict: str) -> None:
    try:
        found: str = judge(Directives(msn, part), AT)
    except BadDirectives as error:
        found = error.code
    assert found == verdict


def test_without_a_part_in_the_making_the_last_finished_one_counts() -> None:
    at = Position(100, 4, 0, HALF)
    assert judge(Directives(100, 3), at) == "now"
    assert judge(Directives(100, 4), at) == "wait", "part 0 of 101 is not there"
    assert judge(Directives(101, 5), at) == "wait"
    with pytest.raises(BadDirectives):
        judge(Directives(101, 6), at)


def test_a_playlist_without_parts_waits_for_segments() -> None:
    at = Position(100)
    assert judge(Directives(100, 9), at) == "now"
    assert judge(Directives(101, 0), at) == "wait"
    with pytest.raises(BadDirectives):
        judge(Directives(103), at)


@pytest.mark.parametrize(
    ("part_s", "limit"),
    [("1/3", 9), ("1/2", 6), ("2/5", Fraction(15, 2)), ("1", 3), ("2", 3)],
)
def test_the_advance_part_limit(part_s: str, limit: Fraction) -> None:
    assert advance_limit(Fraction(part_s)) == limit


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.integers(0, 5),
    st.integers(0, 8),
    st.one_of(st.none(), st.integers(0, 9)),
)
def test_holds_against_a_list_of_all_parts(
    parts: list[int], coming: int, msn: int, part: int | None
) -> None:
    """HLS-24 told the long way: every part in order, and which of them are listed."""
    at = Position(len(parts) - 1, parts[-1], coming, HALF)
    if part is None:
        assert at.holds(msn, None) == (msn < len(parts))
        return
    listed = [(n, p) for n, count in enumerate(parts) for p in range(count)]
    listed += [(len(parts), p) for p in range(coming)]
    wanted = (msn, part)
    if msn < len(parts) and part >= parts[msn]:
        wanted = (msn + 1, 0)
    finished = [n for n in range(len(parts)) if n >= wanted[0]]
    assert at.holds(msn, part) == (bool(finished) or any(x >= wanted for x in listed))


@given(st.text(max_size=60))
def test_any_query_is_read_or_refused(query: str) -> None:
    try:
        asked = parse(query)
    except BadDirectives as error:
        assert error.code.replace("_", "").isalpha()
    else:
        assert asked.part is None or asked.msn is not None
