"""The counting, a turn a minute."""

import asyncio
from collections.abc import Callable

from control_api.loops import Loop
from control_api.popularity import counting
from control_api.times import now_ms
from runtime import logs
from runtime.service import Part
from runtime.sql import Database, SqlError

log = logs.get("control")
TURN_S = 60.0
TIMEOUT_MS = 10_000


async def forever(database: Database, clock: Callable[[], int]) -> None:
    """Until cancelled; a full turn is followed by the next at once."""
    looked_at = 0
    while True:
        if looked_at < counting.SESSIONS:
            await asyncio.sleep(TURN_S)
        try:
            async with database.write(timeout_ms=TIMEOUT_MS) as connection:
                looked_at = await counting.count(connection, clock())
        except SqlError as error:
            log.warning("popularity_waits", error=str(error))
            looked_at = 0


def part(database: Database) -> Part:
    return Loop("popularity", lambda: forever(database, now_ms))
