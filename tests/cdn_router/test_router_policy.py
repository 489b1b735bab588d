"""Static priority as a function of conditions; the whole table for two pathways (ST-17, RT-13)."""

import itertools

import pytest

from cdn_router.health import State
from cdn_router.pathways import Admin, Pathway
from cdn_router.policy import Condition, Snapshot, decide
from cdn_router.reasons import SENTENCES, Reason

A, B, C = Pathway("A", "http://a", 0), Pathway("B", "http://b", 1), Pathway("C", "http://c", 2)
UP, SLOW, OUT = State.UP, State.SLOW, State.OUT
DRAINED, KILLED = Admin.DRAINED, Admin.KILLED


def order(a: Condition, b: Condition) -> tuple[str, Reason]:
    decision = decide([B, A], Snapshot(7, {"A": a, "B": b}))
    assert decision.snapshot_version == 7
    return "".join(decision.ids), decision.reason


@pytest.mark.parametrize(
    "a, b, expected",
    [
        (Condition(), Condition(), ("AB", Reason.PRIORITY)),
        (Condition(), Condition(OUT), ("AB", Reason.PRIORITY)),
        (Condition(SLOW), Condition(), ("BA", Reason.PROBE_SLOW)),
        (Condition(OUT), Condition(), ("BA", Reason.PROBE_FAILED)),
        (Condition(OUT), Condition(SLOW), ("BA", Reason.PROBE_FAILED)),
        (Condition(SLOW), Condition(OUT), ("AB", Reason.PRIORITY)),
        (Condition(OUT), Condition(OUT), ("AB", Reason.ALL_OUT)),
        (Condition(UP, DRAINED), Condition(), ("BA", Reason.DRAINED)),
        (Condition(UP, DRAINED), Condition(OUT), ("BA", Reason.DRAINED)),
        (Condition(), Condition(UP, DRAINED), ("AB", Reason.PRIORITY)),
        (Condition(), Condition(UP, KILLED), ("A", Reason.PRIORITY)),
        (Condition(UP, DRAINED), Condition(UP, KILLED), ("A", Reason.ALL_DRAINED)),
        (Condition(UP, KILLED), Condition(UP, KILLED), ("AB", Reason.ALL_DRAINED)),
        (Condition(UP, DRAINED), Condition(UP, DRAINED), ("AB", Reason.ALL_DRAINED)),
    ],
)
def test_two_pathways(a: Condition, b: Condition, expected: tuple[str, Reason]) -> None:
    assert order(a, b) == expected


def test_laws_of_any_three() -> None:
    """Never empty, never twice, drained behind all others, better health never behind worse."""
    ranks = {UP: 0, SLOW: 1, OUT: 2}
    choices = [Condition(state, admin) for state in State for admin in Admin]
    for conditions in itertools.product(choices, repeat=3):
        named = dict(zip("ABC", conditions, strict=True))
        decision = decide([A, B, C], Snapshot(1, named))
        ids = decision.ids
        left = [i for i in "ABC" if named[i].admin is not KILLED]
        assert sorted(ids) == (left or ["A", "B", "C"])
        places = [(named[i].admin is DRAINED, ranks[named[i].state], i) for i in ids]
        assert places == sorted(places)
        assert decision.sentence
        assert decide([A, B, C], Snapshot(1, named)) == decision


def test_every_reason_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Reason)
