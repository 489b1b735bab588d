"""Endless work ends when it is told to, also below a library that swallows a cancellation."""

import asyncio
import contextlib

from runtime.service import Background


async def test_work_that_swallows_a_cancellation_is_told_again() -> None:
    told = 0

    async def work() -> None:
        nonlocal told
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            told += 1
        await asyncio.Event().wait()

    part = Background("pump", work)
    await part.start()
    await asyncio.sleep(0)
    await asyncio.wait_for(part.stop(), 30)
    assert told == 2
    assert part.ready() == "not running"
