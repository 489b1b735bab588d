"""Which renditions a Period shows: the rules of casts.py one by one (D3, D13, I15)."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from origin.live.casts import PATIENCE, Cast, cast_at, decide, follow, prune

KINDS: dict[str, Any] = {"v1": "video", "v2": "video", "a": "audio", "t": "text", "e": "event"}
ALL = ["v1", "v2", "a", "t"]


@pytest.mark.parametrize(
    ("last", "number", "present", "shown"),
    [
        (ALL, 20, ["v1", "v2", "a", "t", "e"], ALL),  # events are no rendition
        (ALL, 20, ["v1", "a", "t"], ["v1", "a", "t"]),  # D13: a Period without it
        (ALL, 20, ["v1", "v2", "a"], ALL),  # I15: text may be silent
        (["v1", "a"], 20, ["v1", "v2", "a"], ["v1", "v2", "a"]),  # it comes back
        (["v1", "a"], 20, ["v1", "a", "t"], ["v1", "a", "t"]),  # text begins
        (ALL, 20, ["v1", "v2"], []),  # no audio at all: in no Period
        (ALL, 20, ["a"], []),
        (ALL, 20, [], []),
        ([], 10 + PATIENCE - 1, ["v1"], []),  # not yet
        ([], 10 + PATIENCE, ["v1"], ["v1"]),  # it lasts
        ([], 11, ["v1", "a"], ["v1", "a"]),  # it is over
    ],
)
def test_who_is_shown(last: list[str], number: int, present: list[str], shown: list[str]) -> None:
    casts = [Cast(1, ALL), Cast(10, last)]
    assert follow(casts, number, KINDS, present) == shown


@dataclass
class Track:
    rendition: Any
    held: set[int]
    segments: Any = field(default_factory=lambda: SimpleNamespace(first_whole=5))

    def whole(self, number: int) -> Any:
        return SimpleNamespace(parts=[(0, None)]) if number in self.held else None


def tracks(**held: set[int]) -> Any:
    return [Track(SimpleNamespace(name=n, kind=KINDS[n]), numbers) for n, numbers in held.items()]


@pytest.fixture(autouse=True)
def prft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("origin.live.casts._lag_ms", lambda track, _: len(track.held))


def test_a_break_begins_a_period_with_the_same_renditions() -> None:
    here = tracks(v1={20, 21}, a={20, 21})
    casts = [Cast(5, ["v1", "a"])]
    assert decide(casts, 20, here, breaks=False) is None
    assert decide(casts, 20, here, breaks=True) == Cast(20, ["v1", "a"], 2)


def test_what_was_decided_stays() -> None:
    """After a restart the numbers are walked again, some without their media (AB6)."""
    here = tracks(v1={20}, a=set())
    casts = [Cast(5, ["v1", "a"]), Cast(20, ["v1", "a"])]
    assert decide(casts, 20, here, breaks=True) is None
    assert decide(casts[:1], 4, here, breaks=True) is None, "its media is gone already"
    assert decide(casts, 21, tracks(v1=set(), a=set()), breaks=False) == Cast(21, [])
    assert decide([*casts, Cast(21, [])], 22, tracks(v1=set(), a=set()), breaks=True) is None


def test_old_casts_are_forgotten_but_for_the_one_in_force() -> None:
    casts = [Cast(n, ["v1"]) for n in (5, 10, 20)]
    assert prune(casts, 9) == casts
    assert prune(casts, 10) == casts[1:]
    assert prune(casts, 99) == casts[2:]
    assert [cast_at(casts, n).number for n in (4, 5, 9, 10, 99)] == [-1, 5, 5, 10, 20]
