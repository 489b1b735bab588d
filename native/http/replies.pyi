"""Answers of one connection (C face: replies.pxd)."""

import asyncio

from typing_extensions import disjoint_base

from native.http.wire import Wire

@disjoint_base
class Replies(Wire):
    """The half that answers the request whose head is there."""

    def report(self, status: int, octets: int) -> None:
        """Tell on_answer."""
    def streamed(self, task: asyncio.Task[None]) -> None:
        """The pump is done: cleanly, or the body is cut (HT-114)."""
