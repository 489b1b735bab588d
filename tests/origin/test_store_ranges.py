"""Time ranges as data: every spelling, and which numbers of a channel a range means."""

from fractions import Fraction
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.errors import BadRange, NoRange, OriginError
from origin.live.ranges import Range, Shape, Window, moment, parse, resolve

SHAPE = Shape(Fraction(2), 2, first=1000, edge=1999, keep_s=1000, cap_s=600)


def never(_: Range) -> bool:
    return False


def of(start: object, end: object = None) -> Range:
    return Range(Fraction(str(start)), None if end is None else Fraction(str(end)))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", None),
        ("CMCD=br%3D1", None),
        ("starts=1&ends=2", None),
        ("start=1700000000", of(1700000000)),
        ("x=1&end=20&start=10.5", of("10.5", 20)),
        ("start=1970-01-01T00:01:40Z", of(100)),
        ("start=" + quote("1970-01-01T01:00:00+01:00") + "&end=1.000001", of(0, "1.000001")),
        ("start=1970-01-01T00:00:00.25", of("0.25")),
    ],
)
def test_queries(query: str, expected: Range | None) -> None:
    assert parse(query) == expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("start=", "bad_time"),
        ("start", "bad_time"),
        ("start=-1", "bad_time"),
        ("start=1e9", "bad_time"),
        ("start=" + "9" * 400, "bad_time"),
        ("start=1969-12-31T23:59:59Z", "bad_time"),
        ("start=%D9%A1", "bad_time"),
        ("start=0001-01-01T00:00:00%2B23:59", "bad_time"),
        ("start=1&start=2", "bad_range"),
        ("end=2", "range_without_start"),
        ("start=2&end=2", "range_inverted"),
        ("start=2&end=1", "range_inverted"),
    ],
)
def test_hostile_queries(query: str, code: str) -> None:
    with pytest.raises(BadRange) as refused:
        parse(query)
    assert (refused.value.code, refused.value.status) == (code, 400)


@given(st.integers(0, 10**16), st.one_of(st.none(), st.integers(1, 10**15)))
def test_a_range_spells_itself_for_its_children(start: int, length: int | None) -> None:
    start_s = Fraction(start, 10**6)
    wanted = Range(start_s, None if length is None else start_s + Fraction(length, 10**6))
    assert parse(wanted.query) == wanted


@given(st.text(max_size=50))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        assert moment(text) >= 0
    except BadRange as error:
        assert error.code == "bad_time"


@pytest.mark.parametrize(
    ("wanted", "window"),
    [
        (of(3900, 3910), Window(1950, 1954, True, True, 600)),
        (of(3901, 3909), Window(1950, 1954, True, True, 600)),
        (of(3901, 3909.5), Window(1950, 1954, True, True, 600)),
        (of(3900), Window(1950, 1999, False, False, 600)),
        (of(3900, 4001), Window(1950, 1999, False, False, 600)),
        (of(3900, 4000), Window(1950, 1999, True, False, 600)),
        (of(3900, 3994), Window(1950, 1996, True, True, 600)),
        (of(3990), Window(1995, 1999, False, False, 600)),
        (of(3998), Window(1999, 1999, False, False, 600)),
        (of(3400, 3402), Window(1700, 1700, True, True, 60)),
    ],
)
def test_windows(wanted: Range, window: Window) -> None:
    found = resolve(wanted, SHAPE, never)
    assert found == window


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        (of(4000), 404, "range_ahead"),
        (of(9000, 9100), 404, "range_ahead"),
        (of(2998, 3100), 410, "range_gone"),
        (of(1600, 1990), 404, "range_empty"),
        (of(3399), 400, "range_too_long"),
        (of(3300, 3901), 400, "range_too_long"),
    ],
)
def test_refusals(wanted: Range, status: int, code: str) -> None:
    with pytest.raises(OriginError) as refused:
        resolve(wanted, SHAPE, never)
    assert (refused.value.status, refused.value.code) == (status, code)


def test_before_the_first_media_nothing_has_begun() -> None:
    with pytest.raises(NoRange) as refused:
        resolve(of(1), Shape(Fraction(2), 2, -1, -1, 1000, 600), never)
    assert refused.value.code == "range_ahead"


def test_a_hold_keeps_a_range_that_would_have_left() -> None:
    wanted = of(2998, 3100)
    window = resolve(wanted, SHAPE, lambda r: r == wanted)
    assert window == Window(1499, 1549, True, True, 86400)


@given(
    segment=st.fractions(Fraction(1, 5), 10, max_denominator=50),
    target=st.integers(1, 10),
    first=st.integers(0, 500),
    length=st.integers(0, 400),
    keep=st.integers(30, 5000),
    start=st.fractions(0, 9000, max_denominator=1000),
    lasts=st.one_of(st.none(), st.fractions(Fraction(1, 100), 900, max_denominator=1000)),
)
def test_a_window_is_the_published_numbers_with_media_in_the_range(
    segment: Fraction,
    target: int,
    first: int,
    length: int,
    keep: int,
    start: Fraction,
    lasts: Fraction | None,
) -> None:
    """Against an oracle that looks at every number; and time only ever moves a range onwards."""
    edge = first + length
    wanted = Range(start, None if lasts is None else start + lasts)
    end = None if lasts is None else start + lasts
    meant = [
        n
        for n in range(first, edge + 1)
        if (n + 1) * segment > start and (end is None or n * segment < end)
    ]
    try:
        window = resolve(wanted, Shape(segment, target, first, edge, keep, 10**6), never)
    except NoRange as error:
        oldest = min(meant, default=None)
        if error.status == 410:
            assert oldest is not None and (edge + 1 - oldest) * segment > keep
        else:
            assert oldest is None
        return
    assert list(range(window.first, window.last + 1)) == meant
    assert window.complete == (end is not None and end <= (edge + 1) * segment)
    assert not window.settled or window.complete
    after = resolve(
        wanted, Shape(segment, target, first, edge + 1, keep + int(segment) + 1, 10**6), never
    )
    assert after.first == window.first and after.last >= window.last
    assert after.complete >= window.complete and after.settled >= window.settled
    if window.complete:
        assert after.last == window.last
