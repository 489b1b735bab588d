"""What all connections of one server share (C face: port.pxd)."""

import asyncio
from collections.abc import Callable, Sequence

from typing_extensions import disjoint_base

from native.http.connection import Connection
from native.http.desk import Desk
from native.http.entity import Refusal
from native.http.errors import Row
from native.http.hot import Hot
from native.http.limits import Limits
from native.http.worker import Worker

def refusal(row: Row) -> Refusal:
    """The constant answer of one row of errors.REFUSALS."""

@disjoint_base
class Port:
    """Shared by the connections of one server; all of it on one event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        worker: Worker,
        handler: Callable[..., object],
        hot: Hot | None,
        limits: Limits,
        access_log: Callable[[bytes], None] | None,
        guard: Callable[..., object] | None = None,
        desk: Desk | None = None,
    ) -> None: ...
    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    @property
    def handler(self) -> Callable[..., object]: ...
    @property
    def guard(self) -> Callable[..., object] | None: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def draining(self) -> bool: ...
    @property
    def connections(self) -> set[Connection]: ...
    @property
    def emptied(self) -> asyncio.Event:
        """Set while no connection is open."""
    def is_trusted(self, address: bytes) -> bool:
        """Whether the IPv4 address or IPv6 /64 prefix lies in a trusted range."""
    def is_front(self, name: str) -> bool:
        """Whether connections from the address `name` begin with a PROXY header (HT-152)."""
    def start_drain(self) -> None:
        """HT-67: idle connections close, running answers end with Connection: close."""
    def set_dress(self, headers: Sequence[tuple[str, str]]) -> None:
        """Fields that every answer carries behind its date from now on."""
    def load(self) -> tuple[float, float]:
        """Shares in use: of the connections by parked requests, of the queue ceiling by octets."""
    def counters(self) -> dict[str, int]:
        """Everything counted since start, by flat name (HT-162)."""
