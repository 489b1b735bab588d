"""A node ends at any moment, whatever becomes of the store in the same one (RT-15)."""

import asyncio

import pytest

from cdn_router.cells import keeper
from cdn_router.cells.keeper import Keeper
from cdn_router.cells.state import State
from cdn_router.server import cdn
from cdn_router.settings import Settings
from runtime.clock import ManualClock
from runtime.store import MemoryStore, StoreError


class Dying(MemoryStore):
    """Takes nothing any more once it is told so."""

    gone = False

    async def publish(self, channel: str, *messages: bytes) -> None:
        if self.gone:
            raise StoreError("unavailable", "stopped")
        await super().publish(channel, *messages)


@pytest.mark.parametrize("after", range(6))
async def test_a_node_stops_in_the_moment_in_which_its_store_does(
    monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(keeper, "ROUND_S", 0.0)
    clock, store = ManualClock(), Dying()
    cells = State([cdn(each) for each in Settings().pathways], clock.now_ms() / 1000)
    node = Keeper(cells, "one", clock, store)
    await node.start()
    async with asyncio.timeout(60):
        while not node.exchange.heard_s:
            await asyncio.sleep(0)
        store.gone = True
        for _ in range(after):
            await asyncio.sleep(0)
        await node.stop()
    assert node.ready() == "not running"
