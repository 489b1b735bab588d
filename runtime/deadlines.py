"""Time limits of many short works, by few timers.

`asyncio.timeout` makes a timer of its own each time, and asks three times which loop runs (a system
call each, in Python 3.11): more than most of what it bounds costs. Here the limits that end in the
same `STEP_S` share a timer; so one ends up to a step late, never early.
"""

import asyncio
from types import TracebackType
from typing import Any, Final

STEP_S: Final = 0.02


class Deadlines:
    """Those of one event loop."""

    def __init__(self) -> None:
        self._due: dict[int, set[Deadline]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def within(self, limit_s: float) -> "Deadline":
        """A block that ends with TimeoutError when it takes longer."""
        return Deadline(self, limit_s)

    def task(self) -> "asyncio.Task[Any]":
        """The one that runs."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        assert task is not None, "a task can be ended, nothing else"
        return task

    def note(self, deadline: "Deadline", limit_s: float) -> "set[Deadline]":
        """The limits that it shares a timer with."""
        loop = self._loop
        assert loop is not None
        step = int((loop.time() + limit_s) / STEP_S) + 1
        due = self._due.get(step)
        if due is None:
            due = self._due[step] = set()
            loop.call_at(step * STEP_S, self._ring, step)
        due.add(deadline)
        return due

    def _ring(self, step: int) -> None:
        for deadline in self._due.pop(step):
            deadline.late()


class Deadline:
    """One limit; ends like `asyncio.timeout`: another's cancellation stays one."""

    __slots__ = ("_among", "_before", "_deadlines", "_late", "_limit_s", "_task")

    def __init__(self, deadlines: Deadlines, limit_s: float) -> None:
        self._deadlines = deadlines
        self._limit_s = limit_s
        self._late = False

    def __enter__(self) -> None:
        self._task = self._deadlines.task()
        self._before = self._task.cancelling()
        self._among = self._deadlines.note(self, self._limit_s)

    def late(self) -> None:
        self._late = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._among.discard(self)
        mine = self._late and self._task.uncancel() <= self._before
        if mine and kind is asyncio.CancelledError:
            raise TimeoutError from error
