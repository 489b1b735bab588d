"""Asking for an answer (C face: asking.pxd)."""

import asyncio

from typing_extensions import disjoint_base

from native.http.following import Following

@disjoint_base
class Asking(Following):
    """The half that finds what to answer."""

    def made(self, task: asyncio.Future[object]) -> None:
        """The handler's task is done."""
