"""What one guest sees: its exchange, and handles of everything it opened."""

from typing import TypeVar

from headwater.edge.compute.abi import Memory
from headwater.edge.compute.exchange import Answer, Exchange, Head

Kind = TypeVar("Kind")


class Ended(Exception):
    """The guest left with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Session:
    """One instance of a service. `memory` is set anew before each call."""

    memory: Memory

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.sent: tuple[Head, bytearray] | None = None
        self.output = b""
        self._handles: dict[int, object] = {}
        self._next = 1

    def finish(self) -> None:
        """Hand over what was sent, with all that was written to its body since."""
        if self.sent is not None:
            head, body = self.sent
            self.exchange.answer = Answer(head.status, head.fields, bytes(body))

    def open(self, thing: object) -> int:
        handle, self._next = self._next, self._next + 1
        self._handles[handle] = thing
        return handle

    def close(self, handle: int) -> None:
        self._handles.pop(handle, None)

    def get(self, handle: int, kind: type[Kind]) -> Kind:
        """KeyError: no such thing is open."""
        thing = self._handles[handle]
        if not isinstance(thing, kind):
            raise KeyError(handle)
        return thing
