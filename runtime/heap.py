"""A part that keeps the pauses of Python's collector short while a process serves.

Theory of operation
1. A collection looks at every container of its generation in one go. What is there when this part
   starts (50 ms, for what is imported) is not looked at again before the process ends.
2. Python looks at the young when there are 700 more of them than went. Where new things take the
   place of old ones, as what is last known of a session does, there never are, and those that stay
   pile up to pauses of 5 ms. So they are looked at every few milliseconds: as often as makes a
   pause of `YOUNG_S`, and hardly ever while nothing happens. Every `MIDDLE_AFTER` times the
   middle-aged have their turn.
3. The old are looked at (50 to 100 ms beside the sessions and cells of a busy node) only where
   there may be memory to win: when the process has grown by half since they last were, or by a
   tenth and has nothing else to do.
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, process_time, thread_time
from typing import NamedTuple

from runtime import logs
from runtime.service import Background

YOUNG_S = 0.0001
SHORTEST_S, LONGEST_S = 0.01, 1.0
MIDDLE_AFTER = 3
NEVER = (1 << 31) - 1
LOOK_S = 10.0
IDLE = 0.1  # of a core
STATM = Path("/proc/self/statm")

log = logs.get("heap")


class Size(NamedTuple):
    """Of a process: blocks that Python has given out, and pages in memory where Linux counts."""

    blocks: int
    pages: int


SMALL = Size(1 << 22, 1 << 16)  # some 256 MB; who is below may grow as much as one of this size


def size() -> Size:
    """Of this one."""
    pages = int(STATM.read_bytes().split()[1]) if STATM.exists() else 0
    return Size(sys.getallocatedblocks(), pages)


def grown(now: Size, then: Size, idle: bool) -> bool:
    """Whether there may be enough to win."""
    by = 0.1 if idle else 0.5
    return any(a > b + by * max(b, least) for a, b, least in zip(now, then, SMALL, strict=True))


class Heap(Background):
    """For a process that holds much and answers within milliseconds; it starts next to last."""

    def __init__(self, measure: Callable[[], Size] = size) -> None:
        super().__init__("heap", self._forever)
        self._measure = measure
        self._before: tuple[int, int, int] | None = None

    async def start(self) -> None:
        self._before = gc.get_threshold()
        gc.collect()
        gc.freeze()
        gc.set_threshold(self._before[0], MIDDLE_AFTER, NEVER)
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        if self._before is not None:
            gc.set_threshold(*self._before)
            gc.unfreeze()
            self._before = None

    async def _forever(self) -> None:
        await asyncio.gather(self._young(), self._old())

    async def _young(self) -> None:
        rest_s = LONGEST_S
        while True:
            for _ in range(MIDDLE_AFTER):
                await asyncio.sleep(rest_s)
                begun_s = thread_time()
                gc.collect(0)
                wanted_s = rest_s * YOUNG_S / max(thread_time() - begun_s, 1e-6)
                rest_s = min(max(wanted_s, SHORTEST_S), 2 * rest_s, LONGEST_S)
            await asyncio.sleep(rest_s)
            gc.collect(1)

    async def _old(self) -> None:
        then, spent_s = self._measure(), process_time()
        while True:
            await asyncio.sleep(LOOK_S)
            before_s, spent_s = spent_s, process_time()
            if not grown(self._measure(), then, spent_s - before_s < IDLE * LOOK_S):
                continue
            begun_s = monotonic()
            found = gc.collect()
            log.info("collected", found=found, ms=round(1000 * (monotonic() - begun_s), 1))
            then = self._measure()
