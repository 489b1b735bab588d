"""Holds: what they keep, what an id may change, and what another process sees."""

from fractions import Fraction
from pathlib import Path

import pytest

from origin.errors import OriginError
from origin.live.holds import Hold, Holds
from origin.live.ranges import Range

DAY = 86400


def hold(name: str, start: int, end: int | None = None, channel: str = "one") -> Hold:
    asked = Range(Fraction(start), None if end is None else Fraction(end))
    return Hold(name, channel, asked)


def test_a_hold_outlives_the_process_and_is_let_go_by_name(tmp_path: Path) -> None:
    holds = Holds(tmp_path, DAY)
    other = Holds(tmp_path, DAY)
    assert holds.put(hold("a", 100, 200))
    assert holds.put(hold("b", 5, None, "two"))
    assert [h.id for h in other.all()] == ["a", "b"]
    again = Holds(tmp_path, DAY)
    assert again.get("a") == hold("a", 100, 200) and again.get("b") == hold("b", 5, None, "two")
    assert again.remove("a") and not again.remove("a")
    assert [h.id for h in holds.all()] == [h.id for h in other.all()] == ["b"]


def test_an_id_means_one_range_whose_open_end_may_be_closed_once(tmp_path: Path) -> None:
    holds = Holds(tmp_path, DAY)
    assert holds.put(hold("a", 100))
    assert not holds.put(hold("a", 100)), "said twice, done once"
    for wrong in (hold("a", 101), hold("a", 100, 200, "two")):
        with pytest.raises(OriginError) as refused:
            holds.put(wrong)
        assert (refused.value.status, refused.value.code) == (409, "conflict")
    assert not holds.put(hold("a", 100, 200))
    assert holds.get("a") == hold("a", 100, 200)
    with pytest.raises(OriginError):
        holds.put(hold("a", 100, 300))
    with pytest.raises(OriginError):
        holds.put(hold("a", 100))


def test_what_is_kept_and_what_is_covered(tmp_path: Path) -> None:
    holds = Holds(tmp_path, DAY)
    holds.put(hold("a", 100, 200))
    holds.put(hold("b", 1000))
    for start, end, kept in ((0, 100, 0), (0, 101, 1), (150, 160, 1), (199, 500, 1), (200, 300, 0)):
        assert holds.keeps("one", Fraction(start), Fraction(end)) == bool(kept)
        assert not holds.keeps("two", Fraction(start), Fraction(end))
    assert holds.keeps("one", Fraction(1000 + DAY - 1), Fraction(10**9))
    assert not holds.keeps("one", Fraction(1000 + DAY), Fraction(10**9)), "it ends by itself"
    for start, end, covered in ((100, 200, 1), (99, 200, 0), (150, 201, 0), (1000, 1500, 1)):
        assert holds.covers("one", Range(Fraction(start), Fraction(end))) == bool(covered)
    assert not holds.covers("one", Range(Fraction(1000)))
    assert not holds.covers("two", Range(Fraction(100), Fraction(200)))


def test_there_is_an_end_to_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("origin.live.holds.LIMIT", 2)
    holds = Holds(tmp_path, DAY)
    holds.put(hold("a", 1))
    holds.put(hold("b", 1))
    with pytest.raises(OriginError) as refused:
        holds.put(hold("c", 1))
    assert refused.value.code == "too_many_holds"
    assert not holds.put(hold("b", 1))
