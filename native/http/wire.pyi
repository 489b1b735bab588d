"""The way out of one connection (C face: wire.pxd)."""

from typing_extensions import disjoint_base

from native.http.worker import Seat

@disjoint_base
class Wire(Seat):
    """A seat that owes octets."""

    @property
    def peer(self) -> str: ...
    def finish(self) -> None:
        """Close now; a body without an end must not look complete (HT-114)."""

@disjoint_base
class Sink:
    """The connection as a pump sees it, for one answer (stream.Sink)."""

    def send(self, chunks: list[bytes], last: bool) -> None: ...
    async def room(self) -> None: ...
