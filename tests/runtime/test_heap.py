"""The collector's pauses: what was there is left alone, what is young is looked at often, what is
old when there is memory to win, and all is as before once it ends.
"""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import pytest

from runtime import heap as module
from runtime.heap import MIDDLE_AFTER, NEVER, SMALL, Heap, Size, grown, size

WAIT_S = 60


class Ring:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.ring = self


class Machine:
    """Says how much memory there is in use, and counts who asks."""

    def __init__(self) -> None:
        self.said = SMALL
        self.asked = 0

    def measure(self) -> Size:
        self.asked += 1
        return self.said


async def gone(there: "weakref.ref[Ring]") -> None:
    async with asyncio.timeout(WAIT_S):
        while there() is not None:
            await asyncio.sleep(0.001)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
async def heap(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Heap]:
    """Nothing but this part collects."""
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    monkeypatch.setattr(module, "LONGEST_S", 0.01)
    found = Heap(machine.measure)
    await found.start()
    gc.disable()
    yield found
    gc.enable()
    await found.stop()


async def test_what_was_there_is_left_alone_until_the_end() -> None:
    before, heap, old = gc.get_threshold(), Heap(), Ring()
    there = weakref.ref(old)
    assert heap.ready()
    await heap.start()
    try:
        assert heap.ready() is None and gc.get_threshold() == (before[0], MIDDLE_AFTER, NEVER)
        del old
        gc.collect()
        assert there() is not None
    finally:
        await heap.stop()
    gc.collect()
    assert there() is None and gc.get_threshold() == before
    await heap.stop()


async def test_the_young_are_looked_at_without_being_more(heap: Heap) -> None:
    await gone(weakref.ref(Ring()))
    middle = Ring()
    gc.collect(0)
    there = weakref.ref(middle)
    del middle
    await gone(there)
    before = gc.get_stats()
    young = middling = 0
    async with asyncio.timeout(WAIT_S):
        while middling < 3:
            await asyncio.sleep(0.001)
            young, middling = (
                now["collections"] - then["collections"]
                for now, then in zip(gc.get_stats()[:2], before[:2], strict=True)
            )
    assert young >= MIDDLE_AFTER * (middling - 1)


async def test_the_old_are_looked_at_once_there_is_memory_to_win(
    heap: Heap, machine: Machine
) -> None:
    old = Ring()
    gc.collect(1)
    there = weakref.ref(old)
    del old
    before = machine.asked
    async with asyncio.timeout(WAIT_S):
        while machine.asked < before + 10:
            await asyncio.sleep(0.001)
    assert there() is not None
    machine.said = Size(2 * SMALL.blocks, SMALL.pages)
    await gone(there)


@pytest.mark.parametrize(
    ("now", "then", "busy", "idle"),
    [
        (Size(100, 100), Size(100, 100), False, False),
        (Size(105_000_000, 100), Size(100_000_000, 100), False, False),
        (Size(111_000_000, 100), Size(100_000_000, 100), False, True),
        (Size(151_000_000, 100), Size(100_000_000, 100), True, True),
        (Size(100, 2_000_000), Size(100, 1_000_000), True, True),
        (Size(100, 1_000_000), Size(100, 2_000_000), False, False),
        (Size(1_000, 1_000), Size(100, 100), False, False),  # ten times nearly nothing
        (Size(100 + SMALL.blocks, 100), Size(100, 100), True, True),
    ],
)
def test_how_much_a_process_may_grow(now: Size, then: Size, busy: bool, idle: bool) -> None:
    assert (grown(now, then, False), grown(now, then, True)) == (busy, idle)


def test_a_process_has_a_size() -> None:
    before = size()
    held = [[number] for number in range(100_000)]
    assert size().blocks >= before.blocks + len(held) and before.pages >= 0
