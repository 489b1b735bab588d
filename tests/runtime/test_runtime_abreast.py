"""Tasks side by side: one error ends all, and leaves nothing behind in who waited for them."""

import asyncio
from contextlib import suppress

import pytest

from runtime.abreast import abreast, ended


async def fails_after(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    raise ValueError("of one of them")


async def test_an_error_ends_the_others_before_it_is_raised() -> None:
    cleaned: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("slow")

    with pytest.raises(ValueError, match="of one of them"):
        await abreast(asyncio.create_task(slow()), asyncio.create_task(fails_after(3)))
    assert cleaned == ["slow"]


async def test_a_timeout_around_a_failure_still_knows_its_own_word() -> None:
    """With a TaskGroup of Python 3.11 this is a CancelledError, and the request has no answer."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            try:
                await abreast(asyncio.create_task(fails_after(3)))
            except ValueError:
                await asyncio.Event().wait()  # clearing up takes longer than there is time


async def test_a_caller_who_is_cancelled_takes_all_along() -> None:
    tasks = [asyncio.create_task(asyncio.Event().wait()) for _ in range(2)]
    caller = asyncio.create_task(abreast(*tasks))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert all(task.cancelled() for task in tasks)


async def test_all_that_end_well_have_their_results() -> None:
    one, other = asyncio.create_task(asyncio.sleep(0, 1)), asyncio.create_task(asyncio.sleep(0, 2))
    await abreast(one, other)
    assert (one.result(), other.result()) == (1, 2)


async def test_one_that_swallows_a_cancellation_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runtime.abreast.CANCEL_AGAIN_S", 0.01)
    swallowed = 0

    async def deaf() -> None:
        nonlocal swallowed
        while swallowed < 2:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            swallowed += 1
        await asyncio.Event().wait()

    tasks = asyncio.create_task(deaf()), asyncio.create_task(fails_after(0))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await ended(*tasks)
    assert swallowed == 2 and tasks[0].cancelled()
