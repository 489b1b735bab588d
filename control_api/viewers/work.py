"""What is done for viewers without being asked: reminders that are due."""

import asyncio
from collections.abc import Sequence

from control_api.calls import Services
from control_api.loops import Loop, beat_s
from control_api.times import now_ms
from control_api.viewers import due
from runtime import logs
from runtime.service import Part
from runtime.sql import SqlError

log = logs.get("control")
EVERY_S = 5.0


async def remind(services: Services, at_ms: int) -> int:
    """Tell of all that is due; how many are."""
    database, parents, told = services.database, services.playback.judge.parents, 0
    while await database.ask(due.ANY_DUE, {"at": at_ms}):
        async with database.write() as connection:
            count = await due.tell(connection, parents, at_ms)
        told += count
        if count < due.BATCH:  # the rest is told by another process
            break
    return told


async def forever(services: Services) -> None:
    """Look now and then, for ever."""
    while True:
        try:
            await remind(services, now_ms())
        except SqlError as error:
            log.warning("reminders_wait", error=str(error))
        await asyncio.sleep(beat_s(EVERY_S))


def work(services: Services) -> Sequence[Part]:
    return [Loop("reminders", lambda: forever(services))]
