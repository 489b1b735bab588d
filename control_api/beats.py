"""Heartbeats that arrive together go to the store together, in one round trip (CTL-107)."""

from collections.abc import Sequence

from control_api.guarded import Shelf
from runtime.store import Pulse
from runtime.together import Together

MAX_TOGETHER = 256
Beat = tuple[str, str, int]  # account, session, limit


class Beats:
    """One process's way to the store's `heartbeats`."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._together: Together[Beat, Pulse] = Together(self._sent, most=MAX_TOGETHER)

    async def send(self, account: str, session: str, limit: int) -> Pulse:
        """The store's answer; `StoreError` when there is none."""
        return await self._together.do((account, session, limit))

    async def _sent(self, beats: Sequence[Beat]) -> Sequence[Pulse]:
        return await self._shelf.ask(lambda store: store.heartbeats(beats))
