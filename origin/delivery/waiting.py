"""Requests that wait for a channel: one gate for all who await the same answer (O19)."""

from native.http import Gate, Parked
from origin.live.awaited import Awaited


class Waiting:
    """Gates by channel; what nobody waits for any more is forgotten."""

    def __init__(self) -> None:
        self._gates: dict[str, dict[Awaited, Gate]] = {}

    def park(self, awaited: Awaited) -> Parked:
        gates = self._gates.setdefault(awaited.channel, {})
        if (gate := gates.get(awaited)) is None:
            gate = gates[awaited] = Gate(awaited.limit_s, awaited.late)
        return gate.park()

    def wake(self, channel: str) -> None:
        """The channel changed: answer whoever can be answered."""
        gates = self._gates.get(channel, {})
        for awaited, gate in list(gates.items()):
            answer = awaited.answer() if len(gate) else None
            if answer is not None or not len(gate):
                del gates[awaited]
            if answer is not None:
                gate.release(answer)
