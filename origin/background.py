"""What runs behind the listeners as parts of the process: the archive and the watch on the disk."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from origin import metrics
from origin.live.archive import Archive
from origin.live.channels import Channels
from origin.live.copying import Copier
from origin.live.disk import Disk
from origin.protection.ring import Ring
from runtime import logs
from runtime.metrics import Sampled, Source
from runtime.service import Background

LOOK_S = 1.0
KEYS_S = 0.1

log = logs.get("disk")


Meters = Sequence[tuple[Sampled, Source]]


class Metered(Background):
    """One that is asked for some figures while it runs."""

    def __init__(
        self, name: str, work: Callable[[], Coroutine[Any, Any, None]], meters: Meters
    ) -> None:
        super().__init__(name, work)
        self._meters = meters
        self._unmeter: list[Callable[[], None]] = []

    async def start(self) -> None:
        self._unmeter = [metric.add(source) for metric, source in self._meters]
        await super().start()

    async def stop(self) -> None:
        for unmeter in self._unmeter:
            unmeter()
        self._unmeter = []
        await super().stop()


class Archiving(Metered):
    """Runs the archive and owns its store; a store that is away never stops the origin."""

    def __init__(self, archive: Archive) -> None:
        meters: Meters = (
            (metrics.ARCHIVE_BACKLOG, lambda: {(): float(archive.backlog_bytes)}),
            (metrics.ARCHIVE_LATE, lambda: {(): archive.late_s}),
        )
        super().__init__("archive", archive.run, meters)
        self._archive = archive

    async def stop(self) -> None:
        await super().stop()
        await self._archive.store.stop()


class Copying(Metered):
    """Makes private copies of recordings."""

    def __init__(self, copier: Copier) -> None:
        meters: Meters = ((metrics.COPIES, copier.counted), (metrics.COPY_BYTES, copier.stored))
        super().__init__("copies", copier.run, meters)
        self._copier = copier

    async def stop(self) -> None:
        await super().stop()
        self._copier.close()


class Keys(Background):
    """Brings keys before they are needed, and shows what waited for one (PR-43, PR-53)."""

    def __init__(self, ring: Ring, channels: Channels) -> None:
        super().__init__("keys", self._keep)
        self._ring = ring
        self._channels = channels

    async def stop(self) -> None:
        await super().stop()
        self._ring.close()

    async def _keep(self) -> None:
        while True:
            shown = [*self._channels.presentations.values(), *self._channels.copies.shown]
            each = [sibling for p in shown for sibling in p.siblings]
            wanted = [q for p in each for q in p.sealing.wanted(p.first_listed)]
            if await self._ring.fetch(wanted):
                for presentation in shown:
                    if presentation.sealing.on:
                        presentation.keyed()
            await asyncio.sleep(KEYS_S)


class Watching(Metered):
    """Looks at the disk once a second."""

    def __init__(self, disk: Disk) -> None:
        meters: Meters = (
            (metrics.DISK_FREE, lambda: {(): float(disk.free_bytes)}),
            (metrics.DISK_SHORT, lambda: {(): float(disk.short)}),
        )
        super().__init__("disk", self._watch, meters)
        self._disk = disk

    async def _watch(self) -> None:
        while True:
            before = self._disk.short
            self._disk.look()
            if self._disk.short != before:
                log.warning("disk", short=self._disk.short, free_bytes=self._disk.free_bytes)
            await asyncio.sleep(LOOK_S)
