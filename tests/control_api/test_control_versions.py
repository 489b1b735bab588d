"""An account's access version: the store is asked beside questions, seldom before them."""

import asyncio

from control_api.guarded import Shelf
from control_api.versions import AHEAD_MS, FRESH_MS, UNKNOWN, Versions, key
from runtime.store import MemoryStore, StoreError

ASKED_MS = 1_000_000


class SlowStore(MemoryStore):
    """Counts what it is asked, and answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()

    async def get(self, name: str) -> bytes | None:
        self.asked += 1
        await self.open.wait()
        return await super().get(name)


def made() -> tuple[SlowStore, Versions]:
    store = SlowStore()
    return store, Versions(Shelf(store, 30.0))


async def settled(versions: Versions) -> None:
    """Once nothing is asked any more."""
    async with asyncio.timeout(60):
        while versions._asking:
            await asyncio.sleep(0)


async def test_who_is_asked_about_often_never_waits() -> None:
    """CTL-83: from half its time on a version is looked at beside the question."""
    store, versions = made()
    assert await versions.recent("acc", ASKED_MS) == b""
    assert await versions.recent("acc", ASKED_MS + AHEAD_MS - 1) == b"" and store.asked == 1
    store.open.clear()
    await store.put(key("acc"), b"7")
    for _ in range(3):
        assert await versions.recent("acc", ASKED_MS + FRESH_MS - 1) == b""
    await asyncio.sleep(0)
    assert store.asked == 2, "one look serves all"
    store.open.set()
    await settled(versions)
    assert await versions.recent("acc", ASKED_MS + FRESH_MS + AHEAD_MS - 2) == b"7"
    assert store.asked == 2, "it is as old as its question"


async def test_what_is_too_old_waits_together() -> None:
    """CTL-85: no version serves for longer than its time, whoever asks."""
    store, versions = made()
    await versions.recent("acc", ASKED_MS)
    store.open.clear()
    await store.put(key("acc"), b"8")
    late_ms = ASKED_MS + FRESH_MS
    waiting = [asyncio.create_task(versions.recent("acc", late_ms)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    store.open.set()
    assert await asyncio.gather(*waiting) == [b"8", b"8"] and store.asked == 2


async def test_a_store_away_is_asked_again_as_seldom() -> None:
    store, versions = made()

    async def away(_: str) -> bytes | None:
        store.asked += 1
        raise StoreError("unavailable", "test")

    store.get = away  # type: ignore[method-assign]
    assert await versions.recent("acc", ASKED_MS) == UNKNOWN
    assert await versions.recent("acc", ASKED_MS + AHEAD_MS - 1) == UNKNOWN
    assert store.asked == 1


async def test_what_changed_here_is_asked_anew() -> None:
    store, versions = made()
    await versions.recent("acc", ASKED_MS)
    await store.put(key("acc"), b"9")
    versions.forget("acc")
    assert await versions.recent("acc", ASKED_MS) == b"9"
