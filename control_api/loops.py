"""Endless work over the database, which one refused statement does not end.

What looks for something now and then looks on a beat: a process that wakes once and looks for
all of it runs code that the first look made warm, and costs a part of one that wakes for each.
"""

import asyncio

from sqlalchemy.exc import DBAPIError

from runtime.service import Background


class Loop(Background):
    """A deadlock's victim, or what a row made impossible, is tried again in its next turn."""

    outlives = (DBAPIError,)


def beat_s(every_s: float) -> float:
    """How long to sleep until the next beat of so many seconds that is at least half of one away:
    beats are counted by the event loop's clock, so all works of one have theirs together.
    """
    now_s = asyncio.get_running_loop().time()
    return (round(now_s / every_s) + 1) * every_s - now_s
