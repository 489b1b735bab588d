"""What a kind of job does, a piece at a time."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection


class Step(NamedTuple):
    """How much was done, whether that was all, and what is told of it so far."""

    done: int
    over: bool
    report: Mapping[str, Any]


# Given the job's row, locked, and the time; what it writes is committed with the step.
Executor = Callable[[AsyncConnection, Any, int], Awaitable[Step]]
