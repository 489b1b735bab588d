"""Single flight: callers that ask for the same thing at the same time share one piece of work."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """One running task per key; its result or its error goes to everyone who waits for it.

    A caller that is cancelled leaves alone; when the last one has left, the work is cancelled too.
    Nothing is remembered once the work has ended: keeping results is a cache's business.
    """

    def __init__(self) -> None:
        self._tasks: dict[K, asyncio.Task[V]] = {}
        self._waiting: dict[K, int] = {}
        self._left: set[asyncio.Task[V]] = set()

    def __len__(self) -> int:
        """Keys in flight."""
        return len(self._tasks)

    async def soon(self, key: K, work: Callable[[], Coroutine[Any, Any, V]], limit_s: float) -> V:
        """As `do`; TimeoutError when it takes longer, and the work goes on for whoever is next."""
        going = asyncio.create_task(self.do(key, work))
        try:
            done, _ = await asyncio.wait([going], timeout=limit_s)
        except asyncio.CancelledError:
            going.cancel()
            raise
        if done:
            return going.result()
        self._left.add(going)
        going.add_done_callback(self._ended)
        raise TimeoutError(f"not within {limit_s:g} s")

    def _ended(self, going: asyncio.Task[V]) -> None:
        """Nobody is left to be told of an error."""
        self._left.discard(going)
        if not going.cancelled():
            going.exception()

    async def do(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The result of `work`, which is called only if no other caller's is running."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(work())
            self._waiting[key] = 0
        self._waiting[key] += 1
        try:
            return await asyncio.shield(task)
        finally:
            if self._tasks.get(key) is task:
                self._waiting[key] -= 1
                if task.done() or not self._waiting[key]:
                    task.cancel()
                    del self._tasks[key], self._waiting[key]
