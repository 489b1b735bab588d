"""The listening socket."""

from typing_extensions import disjoint_base

from native.http.port import Port
from native.http.worker import Seat, Worker

PAUSE_S: float

@disjoint_base
class Listener(Seat):
    """Owns one listening descriptor; accepted sockets inherit its options."""

    def __init__(self, worker: Worker, port: Port, fd: int) -> None: ...
    def stop(self) -> None:
        """Close the listening socket."""
    def make_room(self) -> None:
        """Shed the connection that has been idle longest (HT-128)."""
