"""One connection of the delivery port (C face: connection.pxd)."""

from typing_extensions import disjoint_base

from native.http.asking import Asking

@disjoint_base
class Connection(Asking):
    """A client, from accept to close."""

    def give_up(self, number: int) -> None:
        """Answer a request in the making with a row of errors.REFUSALS instead."""
    def is_idle(self) -> bool:
        """Nothing received that is not answered, nothing to send."""
    def state(self) -> str:
        """A row of tables.STATES."""
    def drain(self) -> None:
        """At the start of a drain: go if idle (HT-67)."""
    def release(self) -> None:
        """Shortly before its limit: a parked request gets 503 (HT-67)."""
