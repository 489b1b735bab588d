"""Tasks side by side of which none goes on alone."""

import asyncio
from typing import Any

CANCEL_AGAIN_S = 0.5


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


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel them until they have ended, whatever with: again and again, for a library may swallow
    one, and so does a `TaskGroup` of Python 3.11 that fails at the same moment.
    """
    while going := [task for task in tasks if not task.done()]:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
