"""What is asked for while a batch is on its way makes the next one: nobody waits for a timer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Asked(NamedTuple, Generic[T, R]):
    item: T
    answer: "asyncio.Future[R]"
    context: Context


class Together(Generic[T, R]):
    """One batch at a time, of `most` items. `work` answers each, in their order, with a result or
    with the error that is its alone; an error that it raises is everybody's.

    Who leaves before his batch does is not in it; who leaves later misses his answer. Logs and
    spans of a batch are its first item's. Where the work is cancelled, so are all who wait.
    """

    def __init__(
        self, work: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], *, most: int
    ) -> None:
        self._work = work
        self._most = most
        self._waiting: list[_Asked[T, R]] = []
        self._worker: asyncio.Task[None] | None = None
        self._under_way: asyncio.Future[None] | None = None

    async def do(self, item: T) -> R:
        """What became of the item."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(item, answer, copy_context()))
        if self._worker is None:
            self._worker = asyncio.create_task(self._run(), context=Context())
        return await answer

    async def settled(self) -> None:
        """Return when nothing that was on its way is so any more."""
        if self._under_way is not None:
            await asyncio.shield(self._under_way)

    async def _run(self) -> None:
        batch: Sequence[_Asked[T, R]] = ()
        try:
            while self._waiting:
                batch = [each for each in self._waiting[: self._most] if not each.answer.done()]
                del self._waiting[: self._most]
                if batch:
                    await asyncio.create_task(self._together(batch), context=batch[0].context)
        finally:
            self._worker = None
            for each in (*batch, *self._waiting):
                each.answer.cancel()
            self._waiting.clear()

    async def _together(self, batch: "Sequence[_Asked[T, R]]") -> None:
        self._under_way = under_way = asyncio.get_running_loop().create_future()
        answers: Sequence[R | Exception]
        try:
            answers = await self._work([each.item for each in batch])
        except Exception as error:
            answers = [error] * len(batch)
        finally:
            self._under_way = None
            under_way.set_result(None)
        for asked, answer in zip(batch, answers, strict=True):
            if asked.answer.done():
                continue
            if isinstance(answer, Exception):
                asked.answer.set_exception(answer)
            else:
                asked.answer.set_result(answer)
