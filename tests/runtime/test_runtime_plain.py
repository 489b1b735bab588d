"""Patterns of paths, and time limits that share timers."""

import asyncio
import re
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.deadlines import STEP_S, Deadlines
from runtime.plain import Way, Ways

PATTERNS = ("/", "/a", "/a/b", "/a/{x}", "/a/{x}/c", "/{y}/b", "/a/b/{z}", "/{y}/{z}/c")


async def nobody(_: Any) -> Any:
    raise AssertionError


METHODS = {p: ("GET", "POST") if len(p) % 2 else ("GET",) for p in PATTERNS}
WAYS = Ways(Way(method, p, 0, nobody) for p in PATTERNS for method in METHODS[p])
SEGMENTS = st.sampled_from(["", "a", "b", "c", "q", "{x}"])


@given(st.lists(SEGMENTS, min_size=1, max_size=4), st.sampled_from(["GET", "POST"]))
def test_a_way_that_is_found_is_one_that_matches(segments: list[str], method: str) -> None:
    """And what is written out goes before a name; what is not found may yet be another's."""
    path = "/" + "/".join(segments)
    found = WAYS.find(method, path)
    fixed = [p for p in PATTERNS if p == path and method in METHODS[p]]
    if found is None:
        assert not fixed
        return
    way, names = found
    match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", way.pattern), path)
    assert match is not None and match.groupdict() == names
    assert way.method == method and [way.pattern] == (fixed or [way.pattern])


async def test_a_limit_ends_what_takes_longer_and_nothing_else() -> None:
    deadlines = Deadlines()

    async def work(limit_s: float, takes_s: float) -> str:
        begun = monotonic()
        try:
            with deadlines.within(limit_s):
                await asyncio.sleep(takes_s)
        except TimeoutError:
            assert monotonic() - begun >= limit_s
            return "late"
        await asyncio.sleep(6 * STEP_S)  # its timer rings meanwhile
        return "done"

    limits = [(3600.0, 0.0), (0.001, 3600.0), (0.0011, 3600.0), (3 * STEP_S, 0.0)]
    assert await asyncio.gather(*(work(*each) for each in limits)) == [
        "done",
        "late",
        "late",
        "done",
    ]


async def test_anothers_cancellation_stays_one() -> None:
    deadlines = Deadlines()
    inside = asyncio.Event()

    async def work() -> None:
        with deadlines.within(3600):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_errors_of_the_block_are_its_own() -> None:
    with pytest.raises(KeyError), Deadlines().within(3600):
        raise KeyError
