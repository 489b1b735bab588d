"""What comes while a batch is on its way makes the next one."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from runtime.together import Together


class Works:
    """Doubles numbers, batch by batch, each when it is let go; some are errors."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Semaphore(0)

    async def __call__(self, batch: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(batch))
        await self.gate.acquire()
        if 13 in batch:
            raise ArithmeticError
        return [KeyError(each) if each < 0 else 2 * each for each in batch]


def asked(together: Together[int, int], *items: int) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(together.do(item)) for item in items]


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_nobody_waits_alone_and_many_go_together() -> None:
    works = Works()
    together = Together[int, int](works, most=3)
    first = asked(together, 1)
    await turn()
    others = asked(together, 2, -3, 4, 5)
    for _ in range(3):
        works.gate.release()
    found = await asyncio.gather(*first, *others, return_exceptions=True)
    assert works.batches == [[1], [2, -3, 4], [5]]
    assert isinstance(found.pop(2), KeyError) and found == [2, 4, 8, 10]
    works.gate.release()
    assert await together.do(6) == 12, "and again, once nothing waits"


async def test_an_error_of_the_batch_is_everybodys_and_ends_with_it() -> None:
    works = Works()
    together = Together[int, int](works, most=9)
    tasks = asked(together, 1, 13)
    works.gate.release()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in found] == [ArithmeticError] * 2
    works.gate.release()
    assert await together.do(1) == 2


async def test_who_leaves_before_is_not_in_it_and_who_leaves_later_can_wait_for_its_end() -> None:
    works = Works()
    together = Together[int, int](works, most=9)
    first, second = asked(together, 1, 2)
    await turn()
    third, fourth = asked(together, 3, 4)
    await turn()
    second.cancel()
    third.cancel()
    settled = asyncio.create_task(together.settled())
    await turn()
    assert not settled.done() and second.cancelled() and third.cancelled()
    works.gate.release()
    await settled
    assert await first == 2
    works.gate.release()
    assert await fourth == 8
    assert works.batches == [[1, 2], [4]]
    await together.settled()


async def test_a_leaver_who_stops_waiting_for_the_end_takes_it_from_nobody() -> None:
    works = Works()
    together = Together[int, int](works, most=9)
    (first,) = asked(together, 1)
    await turn()
    one, other = (asyncio.create_task(together.settled()) for _ in range(2))
    await turn()
    one.cancel()
    works.gate.release()
    await other
    assert await first == 2
    with pytest.raises(asyncio.CancelledError):
        await one


async def test_a_batch_is_told_of_its_first_asker() -> None:
    """Else logs and spans of all would be those of who came first of all, or of nobody."""
    asker = ContextVar("asker", default="nobody")
    seen = []

    async def work(batch: Sequence[int]) -> Sequence[int]:
        seen.append((asker.get(), len(batch)))
        await asyncio.sleep(0)
        return batch

    async def ask(number: int) -> int:
        asker.set(f"no. {number}")
        return await together.do(number)

    together = Together[int, int](work, most=2)
    assert await asyncio.gather(*map(ask, range(5))) == [0, 1, 2, 3, 4]
    assert seen == [("no. 0", 2), ("no. 2", 2), ("no. 4", 1)]


async def test_work_that_is_cancelled_leaves_nobody_waiting() -> None:
    works = Works()
    together = Together[int, int](works, most=1)
    tasks = asked(together, 1, 2, 3)
    await turn()
    assert together._worker is not None
    together._worker.cancel()
    done, _ = await asyncio.wait(tasks, timeout=60)
    assert len(done) == 3 and all(each.cancelled() for each in tasks)
    works.gate.release()
    assert await together.do(4) == 8
