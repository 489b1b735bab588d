"""What is told live, heard once by a process for all who listen in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from weakref import WeakKeyDictionary

from control_api.outbox.relay import LIVE
from runtime.store import Store, StoreError

MAX_UNREAD = 1_024  # who reads more slowly is sent away, to come again and say where it left


@asynccontextmanager
async def listen(store: Store, family: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """Inside the block no event is missed whose type begins with `family`; StoreError when the
    store goes, and after `MAX_UNREAD` that wait unread.
    """
    here = _ROUNDS.get(store)
    if here is None or here.task.done():
        here = _ROUNDS[store] = _Round(store)
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    here.listeners[queue] = f'"type":"{family}'.encode()
    try:
        await here.begun()
        yield _heard(queue)
    finally:
        here.listeners.pop(queue, None)
        if not here.listeners:
            here.task.cancel()
            if _ROUNDS.get(store) is here:
                del _ROUNDS[store]


class _Round:
    """One subscription, from the first listener to the last."""

    def __init__(self, store: Store) -> None:
        self.listeners: dict[asyncio.Queue[bytes | None], bytes] = {}
        self._open = asyncio.Event()
        self.task = asyncio.create_task(self._hear(store))

    async def begun(self) -> None:
        """Until what is told is heard; StoreError if it will not be."""
        await self._open.wait()
        if self.task.done():
            raise StoreError("unavailable", "nothing is told")

    async def _hear(self, store: Store) -> None:
        try:
            with suppress(StoreError):
                async with store.subscribe(LIVE) as told:
                    self._open.set()
                    async for raw in told:
                        self._tell(raw)
        finally:
            self._open.set()
            for queue in self.listeners:
                queue.put_nowait(None)
            self.listeners.clear()

    def _tell(self, raw: bytes) -> None:
        for queue in [each for each, family in self.listeners.items() if family in raw]:
            if queue.qsize() < MAX_UNREAD:
                queue.put_nowait(raw)
            else:
                queue.put_nowait(None)
                del self.listeners[queue]


async def _heard(queue: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (raw := await queue.get()) is not None:
        yield raw
    raise StoreError("unavailable", "nothing is told any more")


_ROUNDS: WeakKeyDictionary[Store, _Round] = WeakKeyDictionary()
