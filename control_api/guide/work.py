"""An ear for the guide's changes in every process: whoever is told of one and asks gets it."""

import asyncio
import contextlib
from collections.abc import Sequence

from control_api.calls import Services
from control_api.guide.handlers import DOMAIN, pages
from control_api.loops import Loop
from control_api.outbox.relay import LIVE
from control_api.times import now_ms
from runtime.service import Part
from runtime.sql import Database
from runtime.store import Store, StoreError

OURS = f'"type":"{DOMAIN}'.encode()
PAUSE_S = 1.0


async def listen(database: Database, store: Store) -> None:
    """For ever; what was told while nobody listened counts as a change."""
    while True:
        with contextlib.suppress(StoreError):
            async with store.subscribe(LIVE) as told:
                pages(database).changed(now_ms())
                async for raw in told:
                    if OURS in raw:
                        pages(database).changed(now_ms())
        await asyncio.sleep(PAUSE_S)


def work(services: Services) -> Sequence[Part]:
    return [Loop("guide-ear", lambda: listen(services.database, services.store))]
