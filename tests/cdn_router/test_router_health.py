"""The health of a pathway: when it goes out, and what brings it back (RT-8, RT-18)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn_router.health import Health, Limits, Outcome, State
from cdn_router.reasons import Reason

G, S, F = Outcome.GOOD, Outcome.SLOW, Outcome.FAILED
LIMITS = Limits(threshold=3, recovery=2, out_s=10)


def play(health: Health, outcomes: str, start_s: int = 0) -> list[tuple[int, State, Reason]]:
    """One probe a second; g good, s slow, f failed; the changes with their times."""
    kinds = {"g": G, "s": S, "f": F}
    changes = []
    for second, letter in enumerate(outcomes, start_s):
        if change := health.observe(kinds[letter], second):
            changes.append((second, change.state, change.reason))
    return changes


@pytest.mark.parametrize(
    "outcomes, changes",
    [
        ("ggffgffg", []),
        ("fff", [(2, State.OUT, Reason.PROBE_FAILED)]),
        ("sss", [(2, State.SLOW, Reason.PROBE_SLOW)]),
        ("sfs", [(2, State.SLOW, Reason.PROBE_SLOW)]),
        ("sssfff", [(2, State.SLOW, Reason.PROBE_SLOW), (5, State.OUT, Reason.PROBE_FAILED)]),
        ("ssgsgs", []),
        ("sssgg", [(2, State.SLOW, Reason.PROBE_SLOW), (4, State.UP, Reason.RECOVERED)]),
        ("sssgsgg", [(2, State.SLOW, Reason.PROBE_SLOW), (6, State.UP, Reason.RECOVERED)]),
        ("fff" + "g" * 9, [(2, State.OUT, Reason.PROBE_FAILED)]),
        (
            "fff" + "g" * 10,
            [(2, State.OUT, Reason.PROBE_FAILED), (12, State.UP, Reason.RECOVERED)],
        ),
        ("fff" + "f" * 9 + "gfg", [(2, State.OUT, Reason.PROBE_FAILED)]),
        (
            "fff" + "f" * 9 + "ss",
            [(2, State.OUT, Reason.PROBE_FAILED), (13, State.SLOW, Reason.PROBE_SLOW)],
        ),
        ("fffssss", [(2, State.OUT, Reason.PROBE_FAILED)]),
    ],
)
def test_changes(outcomes: str, changes: list[tuple[int, State, Reason]]) -> None:
    assert play(Health(LIMITS), outcomes) == changes


def test_the_sentence_counts_and_times() -> None:
    health = Health(LIMITS)
    changes = [health.observe(F, second) for second in (10.0, 11.5, 13.0)]
    assert changes[2] is not None and changes[2].why == "3 probes failed in 3 s"


@given(st.text("gsf", max_size=60))
def test_never_flaps_faster_than_its_limits(outcomes: str) -> None:
    """Between two changes lie as many probes as the shorter streak, and out lasts `out_s`."""
    changes = play(Health(LIMITS), outcomes)
    for (earlier, before, _), (later, after, _) in itertools.pairwise(changes):
        assert before is not after
        assert later - earlier >= min(LIMITS.recovery, LIMITS.threshold) - 1
        if before is State.OUT:
            assert later - earlier >= LIMITS.out_s
