"""Sockets, time and dates of one process (C face: worker.pxd)."""

import asyncio

from typing_extensions import disjoint_base

from native.http.accesslog import AccessLog

TICK_S: float

@disjoint_base
class Seat:
    """A descriptor in the set, with at most one deadline."""

@disjoint_base
class Worker:
    """The epoll set, the timer wheel and the date."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None: ...
    def on_ready(self) -> None: ...
    def on_tick(self) -> None: ...
    log: AccessLog | None
    def hand_over(self) -> None:
        """What was logged since the last tick."""
    def failed(self, seat: Seat, error: BaseException) -> None:
        """Report a fault of ours and close that connection; the port stays up."""
    def shut(self) -> None:
        """Close everything and stop watching."""
