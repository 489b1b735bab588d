"""The origin as parts of a process: the delivery listener and the ingest listener."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, time

from native.http import Hot, Limits, Server, serve
from origin import metrics
from origin.background import Archiving, Copying, Keys, Watching
from origin.delivery.caching import Caching
from origin.delivery.doors import Doors
from origin.delivery.handler import Delivery
from origin.delivery.recordings import TimeShift
from origin.errors import DiskFull
from origin.ingest import admission
from origin.ingest.receiver import application
from origin.live import pace
from origin.live.archive import Archive
from origin.live.channels import Channels
from origin.live.copying import Copier
from origin.live.disk import Disk, free_bytes
from origin.live.shared import SharedChannels
from origin.protection.inputs import InputKeys
from origin.protection.ring import Ring
from origin.protection.sources import key_sources
from origin.protection.titles import Guards
from origin.settings import Settings
from origin.sharing import share
from origin.vod import Films, Library
from runtime.objects import FolderStore, ObjectStore
from runtime.service import Background, Part, Web

GAP_CHECK_S = 0.25
DRAIN_S = 7.5  # inside the process's own budget (HT-67)


def parts(
    settings: Settings,
    data_dir: Path,
    library: Library | None = None,
    *,
    reuse_port: bool = False,
    objects: ObjectStore | None = None,
    films: tuple[ObjectStore, str] | None = None,
) -> list[Part]:
    """Delivery first, so that recovered channels are served before encoders are let in. `objects`
    is where the archive goes, a folder by default; `films` where s3://BUCKET/... films are, with
    the bucket's name. Both are started and stopped here.
    """
    hot = Hot()
    folder = data_dir / "origin" / "live"
    library = library or Library(
        data_dir,
        open_titles=settings.vod_titles,
        kept_bytes=settings.vod_bytes,
        caching=Caching(settings.caching),
        guards=Guards(data_dir, settings.protection),
        keys=InputKeys(settings.protection),
    )
    ring = Ring(key_sources(settings, data_dir), monotonic)
    if reuse_port or settings.replica.enabled:
        address = f"{os.getpid()}-{secrets.token_hex(4)}"
        shared = SharedChannels(
            folder, settings, hot, monotonic, wall=time, address=address, ring=ring
        )
        ingest_app, sharing = share(shared, settings, lambda: application(shared, settings, time))
        channels: Channels = shared
    else:
        channels, sharing = Channels(folder, settings, hot, monotonic, ring), []
        ingest_app = application(channels, settings, time)

    delivery = Deliver(settings, hot, channels, library, reuse_port=reuse_port)

    async def fill_gaps() -> None:
        while True:
            with contextlib.suppress(DiskFull):  # counted where it happens, tried again
                channels.fill_gaps()
            channels.judge(time())
            delivery.judge()
            await asyncio.sleep(GAP_CHECK_S)

    gaps = Background("gaps", fill_gaps)
    keys = Keys(ring, channels)
    ingest = Web(
        "ingest",
        ingest_app,
        host=settings.host,
        port=settings.ingest_port,
        reuse_port=reuse_port,
        tls=admission.context(settings.ingest_tls) if settings.ingest_tls else None,
    )
    disk = Disk(lambda: free_bytes(folder), settings.disk_reserve_bytes, channels.shed)
    behind: list[Part] = [Watching(disk)]
    if films is not None:
        behind.append(Films(*films, library))
    archive = delivery.archive(objects or FolderStore(data_dir / "objects"), disk)
    copier = Copier(archive, settings, channels)
    archive.needed = lambda: copier.wanted
    behind += [Archiving(archive), Copying(copier)]
    return [delivery, keys, gaps, *behind, *sharing, ingest]


def limits(settings: Settings) -> Limits:
    """What the delivery port allows its peers."""
    return Limits(
        idle_s=settings.idle_s,
        per_address=settings.per_address,
        trusted=tuple(map(str, settings.trusted)),
        proxy_from=tuple(map(str, settings.proxy_from)),
    )


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
        self._delivery = Delivery(settings, hot, channels.presentations, library, time, monotonic)
        self._shift = TimeShift(settings, hot, channels.presentations, channels.recordings)
        self._delivery.shift = self._shift
        self._doors = Doors(settings, channels.recordings.channel_of, time)
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
            metrics.DURESS.add(lambda: {(): float(self._delivery.duress.on)}),
            *self._doors.meter(),
        ]
        self._server = await serve(
            self._delivery.handle,
            host=self._settings.host,
            port=self.port,
            hot=self._hot,
            limits=limits(self._settings),
            reuse_port=self._reuse_port,
            guard=None if self._doors.open else self._doors.guard,
            desk=self._library.counter,
        )
        self.port = self._server.port
        self._unmeter += metrics.meter_delivery(self._server.counters)
        self._unmeter += pace.meter(channels.writers, monotonic)

    def judge(self) -> None:
        """Let answers tell of duress as long as it lasts (O27); call it several times a second."""
        duress = self._delivery.duress
        if self._server is not None and duress.judge(self._server.load()):
            self._server.dress(duress.fields())

    def archive(self, store: ObjectStore, disk: Disk) -> Archive:
        """The archive of the channels that this process writes, asked for what left the disk."""
        writers = self._channels.writers
        archive = Archive(
            store,
            self._settings,
            lambda: (w.channel for w in writers.values()),
            monotonic,
            lambda: disk.short,
        )
        self._shift.archive = archive
        return archive

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
