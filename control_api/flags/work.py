"""Keeps a process's flags as they were set last, before it serves and ever after."""

import contextlib
from collections.abc import Sequence

from control_api.calls import Services
from control_api.flags.handlers import CHANNEL
from control_api.loops import Loop
from control_api.wakes import whenever
from runtime.service import Part
from runtime.sql import SqlError

LOOK_S = 5.0


class Follower(Loop):
    """Not ready before the flags were read."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known = False
        super().__init__("flags", lambda: whenever(services.store, CHANNEL, LOOK_S, self._read))

    async def start(self) -> None:
        with contextlib.suppress(SqlError):
            await self._read()
        await super().start()

    def ready(self) -> str | None:
        return super().ready() if self._known else "flags not read"

    async def _read(self) -> None:
        await self._services.flags.refresh(self._services.database)
        self._known = True


def work(services: Services) -> Sequence[Part]:
    return [Follower(services)]
