"""What sessions need done behind them: debts paid, the silent ended, viewers counted (CTL-107,
CTL-108, CTL-145).
"""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence

from control_api import qoe
from control_api.calls import Services
from control_api.cases import DOMAINS
from control_api.catalogue import derived
from control_api.ledger import Ledger
from control_api.loops import Loop
from control_api.outbox.consumer import Consumer
from control_api.popularity import work as popularity
from control_api.silent import Silent
from control_api.streams import Streams
from control_api.times import now_ms
from runtime import logs
from runtime.fetch import Fetcher
from runtime.service import Background, Part
from runtime.sql import SqlError
from runtime.store import StoreError

log = logs.get("control")
REAP_S = 5.0


class Debts(Loop):
    """The ledger's loop, and its last payment."""

    def __init__(self, ledger: Ledger, streams: Streams) -> None:
        super().__init__("session-ledger", ledger.run)
        self._ledger = ledger
        self._streams = streams

    async def stop(self) -> None:
        await super().stop()
        await self._streams.settled()
        try:
            await self._ledger.flush()
        except SqlError as error:
            log.error("ledger_unpaid", error=str(error))


async def reap(streams: Streams) -> None:
    """Look for the silent now and then, for ever."""
    while True:
        await asyncio.sleep(REAP_S)
        with contextlib.suppress(StoreError):
            await streams.reap(now_ms())


def work(services: Services) -> Sequence[Part]:
    """These, and an ear for changes of access."""
    playback = services.playback
    follower = Consumer(
        services.database,
        services.store,
        "access",
        DOMAINS,
        playback.cases.heard,
        name=secrets.token_hex(8),
    )
    ttl_s = services.settings.session_ttl_s
    silent = Silent(services.database, playback.shelf, playback.ledger, ttl_s)
    router_url = services.settings.router_url
    fetcher = Fetcher([router_url], name="qoe-client")
    return [
        fetcher,
        Background("qoe", lambda: qoe.forward(playback.quality, fetcher, f"{router_url}/cmcd")),
        Debts(playback.ledger, playback.streams),
        Loop("session-pledges", lambda: playback.streams.pledges.run(services.settings.flush_s)),
        Background("reaper", lambda: reap(playback.streams)),
        Loop("session-silent", silent.run),
        popularity.part(services.database),
        derived.part(services.database),
        Background("access-ear", playback.cases.listen),
        Loop("access-follower", follower.run),
    ]
