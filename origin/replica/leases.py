"""Which machine writes which channel: a lease in the store for each, renewed while it is written.

A machine that dies stops renewing, and `lease_s` later another may write. While the store does not
answer, leases stay where they were: who wrote goes on, and nobody else begins.
"""

import contextlib

from origin.errors import OriginError
from runtime.store import Store, StoreError

PREFIX = "live:owner:"


class Unknown(OriginError):
    """The store does not answer, so nobody can tell who may write."""

    status = 503
    code = "owner_unknown"


class Leases:
    """The leases of one machine, named by the URL where the others reach it."""

    def __init__(self, store: Store, url: str, lease_s: float) -> None:
        self.url = url
        self._store = store
        self._lease_ms = int(lease_s * 1000)

    async def acquire(self, channel: str) -> str | None:
        """None when this machine may write the channel from now on, else the URL of who does."""
        key, mine = PREFIX + channel, self.url.encode()
        try:
            for _ in range(2):
                if await self._store.put_if_absent(key, mine, self._lease_ms):
                    return None
                holder = await self._store.get(key)
                if holder == mine:
                    return None
                if holder is not None:
                    return holder.decode(errors="replace")
        except StoreError as error:
            raise Unknown(str(error)) from None
        raise Unknown("the lease changes hands")

    async def keep(self, channel: str) -> bool:
        """Renew; False when another machine has the lease meanwhile."""
        key, mine = PREFIX + channel, self.url.encode()
        try:
            return await self._store.renew(key, mine, self._lease_ms) or (
                await self.acquire(channel) is None
            )
        except (StoreError, Unknown):
            return True

    async def release(self, channel: str) -> None:
        with contextlib.suppress(StoreError):
            await self._store.release(PREFIX + channel, self.url.encode())
