"""The access versions of accounts, by which another process's changes are seen (CTL-22, CTL-83).

What the store says of an account serves every question about it for `FRESH_MS`. From `AHEAD_MS` on
the store is asked again beside the question that finds it so old: whoever is asked about often
never waits for the store.
"""

import asyncio
from collections import OrderedDict
from typing import NamedTuple

from control_api.guarded import Shelf
from runtime.store import StoreError

FRESH_MS = 2_000
AHEAD_MS = 1_000
MAX_SEEN = 50_000
UNKNOWN = b"?"


class _Seen(NamedTuple):
    version: bytes
    asked_ms: int


class Versions:
    """One process's view of them."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._asking: dict[str, asyncio.Task[bytes]] = {}

    async def recent(self, account_id: str, now_ms: int) -> bytes:
        """As of `FRESH_MS` ago or later. Empty: never changed; `UNKNOWN`: the store is away."""
        seen = self._seen.get(account_id)
        age_ms = FRESH_MS if seen is None else now_ms - seen.asked_ms
        if seen is not None and age_ms < AHEAD_MS:
            return seen.version
        asking = self._asking.get(account_id)
        if asking is None:
            asking = self._asking[account_id] = asyncio.create_task(self._ask(account_id, now_ms))
        if seen is not None and age_ms < FRESH_MS:
            return seen.version
        return await asyncio.shield(asking)

    def forget(self, account_id: str) -> None:
        """It has changed, as this process knows."""
        self._seen.pop(account_id, None)

    async def _ask(self, account_id: str, now_ms: int) -> bytes:
        try:
            version = await self._shelf.ask(lambda store: store.get(key(account_id))) or b""
        except StoreError:
            version = UNKNOWN
        finally:
            del self._asking[account_id]
        self._seen[account_id] = _Seen(version, now_ms)
        self._seen.move_to_end(account_id)
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
        return version


def key(account_id: str) -> str:
    """Where the store has an account's version; changes of anything else are counted alike."""
    return f"{{a:{account_id}}}:v"
