"""Heartbeats that arrive together go to the store together, in one round trip (CTL-107).

Whatever came while the last round trip was out makes the next one; nobody waits for a timer.
"""

import asyncio

from control_api.guarded import Shelf
from runtime.store import Pulse

MAX_TOGETHER = 256
Beat = tuple[str, str, int]  # account, session, limit


class Beats:
    """One process's way to the store's `heartbeats`."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._waiting: list[tuple[Beat, asyncio.Future[Pulse]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def send(self, account: str, session: str, limit: int) -> Pulse:
        """The store's answer; `StoreError` when there is none."""
        answer: asyncio.Future[Pulse] = asyncio.get_running_loop().create_future()
        self._waiting.append(((account, session, limit), answer))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())
        return await answer

    async def _send(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:MAX_TOGETHER]
                del self._waiting[:MAX_TOGETHER]
                await self._together(batch)
        finally:
            self._sender = None

    async def _together(self, batch: list[tuple[Beat, asyncio.Future[Pulse]]]) -> None:
        try:
            pulses = await self._shelf.ask(
                lambda store: store.heartbeats([beat for beat, _ in batch])
            )
        except BaseException as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, answer), pulse in zip(batch, pulses, strict=True):
            if not answer.done():
                answer.set_result(pulse)
