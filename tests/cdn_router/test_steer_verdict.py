"""Did the client obey: from segments, with ten seconds of grace, else from polls (ST-34, ST-40)."""

from collections.abc import Callable

import pytest

from cdn_router.sessions import Told
from cdn_router.verdict import judge

TOLD = [Told(0, "A", "r", ""), Told(100_000, "B", "r", "")]


def switched(at_ms: int) -> Callable[[int], str]:
    return lambda when_ms: "B" if when_ms >= at_ms else "A"


@pytest.mark.parametrize(
    "at_ms, off_ms", [(100_000, 0), (110_000, 0), (115_000, 5_000), (200_000, 50_000)]
)
def test_time_off_pathway_begins_after_the_grace(at_ms: int, off_ms: int) -> None:
    found = judge(TOLD, switched(at_ms), None, 160_000)
    assert (found.off_ms, found.on_ms) == (off_ms, 140_000 - off_ms)
    assert found.obeyed is (off_ms == 0) and found.by == "segments"


def test_too_early_counts_too() -> None:
    assert judge(TOLD, switched(95_000), None, 160_000).off_ms == 5_000


def test_unknown_time_counts_for_neither_side() -> None:
    assert judge(TOLD, lambda _: "", None, 160_000).obeyed is None
    assert judge(TOLD, lambda _: "", False, 160_000)[:2] == (False, "polls")
    assert judge(TOLD, None, True, 160_000)[:2] == (True, "polls")
    assert judge([], lambda _: "A", None, 160_000).by == "none"


def test_only_the_last_ten_minutes_are_looked_at() -> None:
    found = judge(TOLD, switched(0), None, 10_000_000)
    assert found.on_ms == 600_000
