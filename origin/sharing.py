"""What an origin process runs beside delivery and ingest when it is one of several: on one machine
(`--workers`), among machines (`[origin.replica]`), or both.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from origin.ingest.relay import Relay
from origin.live.shared import SharedChannels
from origin.replica import peer
from origin.replica.replica import Replica
from origin.settings import Settings
from runtime.service import Background, Part, Web
from runtime.store.remote import RedisStore

POLL_S = 2.0
STORE_MS = 500


def share(
    channels: SharedChannels, settings: Settings, application: Callable[[], web.Application]
) -> tuple[web.Application, list[Part]]:
    """The shared ingest port's application, and the parts behind it. `application` makes one that
    takes pushes in.
    """
    replica, secret = None, settings.replica.secret.get_secret_value()
    if settings.replica.enabled:
        replica = Replica(
            channels,
            RedisStore(settings.replica.store_url.get_secret_value(), timeout_ms=STORE_MS),
            peer.Peer(secret),
            url=settings.replica.url,
            lease_s=settings.replica.lease_s,
            entries=settings.replica.entries,
        )
        relay = Relay(channels, replica.writer, {"Authorization": peer.bearer(secret)})
    else:
        relay = Relay(channels)
    ingest, handed_on = application(), application()
    ingest.middlewares.append(relay.outer())
    handed_on.middlewares.append(relay.inner)
    found: list[Part] = [Sharing(channels, relay)]
    found.append(Web("handed-on", handed_on, path=Path(relay.socket)))
    if replica is not None:
        from_peers = application()
        from_peers.middlewares.append(relay.outer(local=True))
        at = settings.replica
        peer.mount(from_peers, channels.folder, secret)
        found += [replica, Web("peers", from_peers, host=at.host, port=at.port, reuse_port=True)]
    return ingest, found


class Sharing(Background):
    """The slow look at what other workers write, and the way out of this one."""

    def __init__(self, channels: SharedChannels, relay: Relay) -> None:
        super().__init__("sharing", self._poll)
        self._channels = channels
        self._relay = relay

    async def drain(self) -> None:
        self._channels.drain()

    async def stop(self) -> None:
        await super().stop()
        self._relay.close()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            self._channels.poll()
