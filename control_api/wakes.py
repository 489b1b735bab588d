"""Work that somebody may be told of: done at once, and looked for now and then by itself."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from runtime.sql import SqlError
from runtime.store import Store, StoreError


async def wake(store: Store, channel: str) -> None:
    """Tell every process; whoever misses it looks by itself."""
    with contextlib.suppress(StoreError):
        await store.publish(channel, b"")


async def whenever(
    store: Store, channel: str, every_s: float, work: Callable[[], Awaitable[None]]
) -> None:
    """Work now, when the channel tells and every so often, for ever; without the store only the
    latter, and what the database does not answer waits for the next time.
    """
    while True:
        with contextlib.suppress(StoreError, SqlError):
            async with store.subscribe(channel) as told:
                coming = asyncio.ensure_future(anext(told))
                try:
                    while True:
                        await work()
                        done, _ = await asyncio.wait({coming}, timeout=every_s)
                        if done:
                            coming.result()
                            coming = asyncio.ensure_future(anext(told))
                finally:
                    coming.cancel()
        await asyncio.sleep(every_s)
        with contextlib.suppress(SqlError):
            await work()
