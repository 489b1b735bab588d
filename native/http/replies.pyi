"""Answers of one connection (C face: replies.pxd)."""

import asyncio

from typing_extensions import disjoint_base

from native.http.wire import Wire

__pyx_capi__: dict[str, object]  # what other kernels call

@disjoint_base
class Replies(Wire):
    """The half that answers the request whose head is there."""

    def tell(self, message: str, error: BaseException) -> None:
        """Report a fault of the code around us; the connection goes on."""
    def streamed(self, task: asyncio.Task[None]) -> None:
        """The pump is done: cleanly, or the body is cut (HT-114)."""
    def let_go(self, chunks: object) -> None:
        """Close a source that is not read to its end, or not at all."""
    def closed(self, task: asyncio.Task[None]) -> None:
        """A source is closed."""
    def resume(self) -> None:
        """Go on behind an answer, from outside of the worker's own pass."""
