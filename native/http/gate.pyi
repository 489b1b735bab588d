"""Requests that wait for one answer (C face: gate.pxd)."""

from collections.abc import Sequence

from typing_extensions import disjoint_base

from native.http.entity import Entity, Refusal
from native.http.growing import Growing

@disjoint_base
class Gate:
    """One awaited version of one object: requests park, one release answers all (O19)."""

    def __init__(self, limit_s: float, late: Entity | Refusal) -> None:
        """A request parked for `limit_s` seconds (in steps of 0.5) gets `late`."""
    @property
    def limit_s(self) -> float: ...
    @property
    def late(self) -> Entity | Refusal: ...
    def park(self) -> Parked:
        """What a handler returns, or an awaitable gives: the connection waits here, without a task.

        A client that goes gives its place back; a drain answers 503 in time (HT-67).
        """
    def release(
        self, answer: Entity | Refusal | Growing, headers: Sequence[tuple[str, str]] = ()
    ) -> int:
        """Give `answer` to every parked request, with `headers` of this release; how many got it.

        HEAD, conditions, ranges and coding are each request's own. The gate is empty afterwards
        and may be used again; what is parked meanwhile waits for the next release.
        """
    def __len__(self) -> int:
        """Requests parked now."""

@disjoint_base
class Parked:
    """A place at a gate."""

    def __init__(self, gate: Gate) -> None: ...
    @property
    def gate(self) -> Gate: ...
