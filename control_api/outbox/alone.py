"""What one process at a time does, by a lease in the store, so that nobody overtakes it (CTL-170).

A lease that two hold for a moment, as one did that was frozen, costs repeats.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from runtime import logs
from runtime.abreast import ended
from runtime.store import Store, StoreError

LEASE_MS: Final = 3_000

log = logs.get("control")


class Alone:
    """One process's attempt to do it."""

    def __init__(
        self,
        store: Store,
        lease: str,
        owner: str,
        work: Callable[[], Awaitable[None]],
        *,
        lease_ms: int = LEASE_MS,
    ) -> None:
        self._store = store
        self._lease = lease
        self._owner = owner.encode()
        self._work = work
        self._lease_ms = lease_ms

    async def run(self) -> None:
        """For ever; work is cut off where the lease may be another's, and begins again with it."""
        beat_s = self._lease_ms / 3_000
        while True:
            if await self._mine():
                work = asyncio.ensure_future(self._work())
                try:
                    while not work.done() and await self._mine():
                        await asyncio.wait([work], timeout=beat_s)
                finally:
                    await ended(work)
                if not work.cancelled():
                    work.result()
            await asyncio.sleep(beat_s)

    async def _mine(self) -> bool:
        try:
            held = await self._store.renew(self._lease, self._owner, self._lease_ms)
            return held or await self._store.put_if_absent(self._lease, self._owner, self._lease_ms)
        except StoreError as error:
            log.warning("lease_unknown", lease=self._lease, error=str(error))
            return False
