# cython: auto_pickle=False
"""Requests that wait for one answer, without a task each (O19; specs/http1.md HT-63, HT-65, HT-67).

A parked connection keeps its request head; at release the one answer is judged against each head in
turn: HEAD, conditions, ranges, coding.
"""

from native.http.entity cimport Entity, Refusal
from native.http.growing cimport Growing
from native.http.wire cimport Wire

from native.http import heads


cdef class Gate:
    """One awaited version of one object: requests park, one release answers all."""

    def __init__(self, limit_s: float, late: Entity | Refusal) -> None:
        if limit_s < 0:
            raise ValueError("a gate's limit is not negative")
        if not isinstance(late, (Entity, Refusal)):
            raise TypeError(f"not an answer for late requests: {late!r}")
        self.limit_s, self.late, self.seats = limit_s, late, {}

    def park(self) -> Parked:
        """What a handler returns: the connection waits here."""
        return Parked(self)

    def release(
        self, answer: Entity | Refusal | Growing, headers: Sequence[tuple[str, str]] = ()
    ) -> int:
        """Give `answer` to every parked request; how many got it."""
        cdef bytes dress = heads.fields(headers) if headers else None
        cdef dict waiting = self.seats
        cdef Wire wire
        cdef int count = 0
        if not isinstance(answer, (Entity, Refusal, Growing)):
            raise TypeError(f"not an answer for parked requests: {answer!r}")
        self.seats = {}  # what is pipelined behind an answer may park again
        for wire in waiting:
            try:
                if wire.wake(self, answer, dress):
                    wire.port.unparked += 1
                    count += 1
            except BaseException as error:
                wire.worker.failed(wire, error)
        return count

    def __len__(self) -> int:
        return len(self.seats)


cdef class Parked:
    """A place at a gate."""

    def __init__(self, gate: Gate) -> None:
        if gate is None:
            raise TypeError("no gate")
        self.gate = gate

    def __repr__(self) -> str:
        return f"<Parked at a gate with {len(self.gate)} requests>"
