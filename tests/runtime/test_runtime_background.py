"""Endless work ends when it is told to, also below a library that swallows a cancellation."""

import asyncio
import contextlib

import pytest

from runtime import service
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


@pytest.mark.parametrize("grouped", [False, True])
async def test_work_outlives_what_it_is_said_to(
    monkeypatch: pytest.MonkeyPatch, *, grouped: bool
) -> None:
    """And begins again, counted; whatever else it fails of is its death."""
    monkeypatch.setattr(service, "AGAIN_S", 0)
    failures: list[Exception] = [KeyError("one"), KeyError("two"), ValueError("three")]

    async def work() -> None:
        failure = failures.pop(0)
        raise ExceptionGroup("several", [failure]) if grouped else failure

    class Tough(Background):
        outlives = (KeyError,)

    part = Tough(f"tough-{grouped}", work)
    await part.start()
    with pytest.raises(ExceptionGroup if grouped else ValueError):
        await asyncio.wait_for(part.watch(), 60)
    assert not failures
    assert service.AGAIN.labels(part.name)._value.get() == 2
