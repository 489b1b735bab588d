"""Requests that wait for a channel: one gate for all who await the same answer (O19)."""

from collections.abc import Callable
from typing import NamedTuple

from native.http import Entity, Gate, Parked
from origin.delivery import cmsd
from origin.delivery.duress import Duress
from origin.live.awaited import Awaited


class _Held(NamedTuple):
    gate: Gate
    since_s: float


class Waiting:
    """Gates by channel; what nobody waits for any more is forgotten. `clock` is steady."""

    def __init__(self, clock: Callable[[], float], duress: Duress) -> None:
        self._clock = clock
        self._duress = duress
        self._gates: dict[str, dict[Awaited, _Held]] = {}

    def park(self, awaited: Awaited) -> Parked:
        gates = self._gates.setdefault(awaited.channel, {})
        held = gates.get(awaited)
        if held is None or not len(held.gate):
            gate = Gate(awaited.limit_s, awaited.late) if held is None else held.gate
            held = gates[awaited] = _Held(gate, self._clock())
        return held.gate.park()

    def __len__(self) -> int:
        """Requests that wait now."""
        return sum(len(held.gate) for gates in self._gates.values() for held in gates.values())

    def wake(self, channel: str) -> None:
        """The channel changed: answer whoever can be answered, and tell for how long the first of
        them was held (O26).
        """
        gates = self._gates.get(channel, {})
        for awaited, (gate, since_s) in list(gates.items()):
            answer = awaited.answer() if len(gate) else None
            if answer is not None or not len(gate):
                del gates[awaited]
            if answer is not None:
                held_ms = int((self._clock() - since_s) * 1000)
                told = isinstance(answer, Entity)
                static = [(cmsd.STATIC, str(cmsd.Static(ht=held_ms)))] if told else []
                gate.release(answer, [*static, *self._duress.fields(held_ms)] if told else ())
