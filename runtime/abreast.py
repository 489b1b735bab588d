"""Tasks side by side of which none goes on alone."""

import asyncio
from typing import Any


async def abreast(*tasks: asyncio.Task[Any]) -> None:
    """Until all have ended well. Once one fails, or the caller is cancelled, the others are
    cancelled too, and when they have ended that error is raised.

    A `TaskGroup` of Python 3.11 that fails leaves its caller's count of cancellations one too high
    (python/cpython gh-116720), and an `asyncio.timeout` around it then takes its own word for
    somebody else's.
    """
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
