"""The origin as parts of a process: the delivery listener and the ingest listener."""

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, time

from aiohttp import web

from native.http import Hot, Server, serve
from origin import metrics
from origin.delivery.handler import Delivery
from origin.delivery.recordings import TimeShift
from origin.ingest.receiver import application
from origin.ingest.relay import Relay
from origin.live.channels import Channels
from origin.live.shared import SharedChannels
from origin.settings import Settings
from origin.vod import Library
from runtime.service import Background, Part, Web

GAP_CHECK_S = 0.25
POLL_S = 1.0
DRAIN_S = 7.5  # inside the process's own budget (HT-67)


def parts(
    settings: Settings,
    data_dir: Path,
    library: Library | None = None,
    *,
    reuse_port: bool = False,
) -> list[Part]:
    """Delivery first, so that recovered channels are served before encoders are let in."""
    hot = Hot()
    folder = data_dir / "origin" / "live"
    library = library or Library(data_dir)
    if reuse_port:
        address = f"{os.getpid()}-{secrets.token_hex(4)}"
        shared = SharedChannels(folder, settings, hot, monotonic, wall=time, address=address)
    channels = shared if reuse_port else Channels(folder, settings, hot, monotonic)
    ingest_app = application(channels, settings, time)
    sharing = share(shared, settings, ingest_app) if reuse_port else []

    async def fill_gaps() -> None:
        while True:
            channels.fill_gaps()
            await asyncio.sleep(GAP_CHECK_S)

    gaps = Background("gaps", fill_gaps)
    ingest = Web(
        "ingest",
        ingest_app,
        host=settings.host,
        port=settings.ingest_port,
        reuse_port=reuse_port,
    )
    delivery = Deliver(settings, hot, channels, library, reuse_port=reuse_port)
    return [delivery, gaps, *sharing, ingest]


def share(channels: SharedChannels, settings: Settings, ingest_app: web.Application) -> list[Part]:
    """What a worker runs beside delivery and ingest; `ingest_app` learns to hand pushes on."""
    relay = Relay(channels)
    ingest_app.middlewares.append(relay.outer)
    handed_on = application(channels, settings, time)
    handed_on.middlewares.append(relay.inner)
    return [Sharing(channels, relay), Web("handed-on", handed_on, path=Path(relay.socket))]


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


class Deliver:
    """The CDN-facing port: native protocol, hot objects, and a handler for the rest."""

    name = "delivery"

    def __init__(
        self,
        settings: Settings,
        hot: Hot,
        channels: Channels,
        library: Library,
        *,
        reuse_port: bool,
    ) -> None:
        self.port = settings.delivery_port
        self._settings = settings
        self._reuse_port = reuse_port
        self._hot = hot
        self._channels = channels
        self._library = library
        self._delivery = Delivery(settings, hot, channels.presentations, library, time)
        self._delivery.shift = TimeShift(settings, hot, channels.presentations, channels.recordings)
        self._server: Server | None = None
        self._unmeter: list[Callable[[], None]] = []

    async def start(self) -> None:
        channels = self._channels
        channels.on_publish = self._delivery.wake
        channels.open()
        self._unmeter = [
            metrics.HOT_BYTES.add(lambda: {(): float(channels.window.held_bytes)}),
            metrics.EDGE_AGE.add(self._edge_ages),
            metrics.LATE.add(self._late),
            metrics.SESSIONS.add(self._sessions),
        ]
        self._server = await serve(
            self._delivery.handle,
            host=self._settings.host,
            port=self.port,
            hot=self._hot,
            reuse_port=self._reuse_port,
        )
        self.port = self._server.port
        self._unmeter += metrics.meter_delivery(self._server.counters)

    def ready(self) -> str | None:
        return None if self._server is not None else "not listening"

    async def drain(self) -> None:
        if self._server is not None:
            await self._server.drain(DRAIN_S)

    async def stop(self) -> None:
        for unmeter in self._unmeter:
            unmeter()
        self._unmeter = []
        if self._server is not None:
            await self._server.close()
            self._server = None
        self._channels.close()
        self._library.close()

    def _edge_ages(self) -> Mapping[tuple[str, ...], float]:
        return {
            (name,): time() - p.edge_s
            for name, p in self._channels.presentations.items()
            if p.channel.edge >= 0
        }

    def _late(self) -> Mapping[tuple[str, ...], float]:
        return {(): float(sum(w.late_chunks for w in self._channels.writers.values()))}

    def _sessions(self) -> Mapping[tuple[str, ...], float]:
        channels = [p.channel for p in self._channels.presentations.values()]
        return {(): float(sum(c.kept.anchor.sessions for c in channels))}
