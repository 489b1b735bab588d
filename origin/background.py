"""What runs behind the listeners as parts of the process: the archive and the watch on the disk."""

import asyncio
from collections.abc import Callable

from origin import metrics
from origin.live.archive import Archive
from origin.live.channels import Channels
from origin.live.disk import Disk
from origin.protection.ring import Ring
from runtime import logs
from runtime.service import Background

LOOK_S = 1.0
KEYS_S = 0.1

log = logs.get("disk")


class Archiving(Background):
    """Runs the archive and owns its store; a store that is away never stops the origin."""

    def __init__(self, archive: Archive) -> None:
        super().__init__("archive", archive.run)
        self._archive = archive
        self._unmeter: list[Callable[[], None]] = []

    async def start(self) -> None:
        archive = self._archive
        self._unmeter = [
            metrics.ARCHIVE_BACKLOG.add(lambda: {(): float(archive.backlog_bytes)}),
            metrics.ARCHIVE_LATE.add(lambda: {(): archive.late_s}),
        ]
        await super().start()

    async def stop(self) -> None:
        for unmeter in self._unmeter:
            unmeter()
        self._unmeter = []
        await super().stop()
        await self._archive.store.stop()


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
            shown = [*self._channels.presentations.values()]
            each = [sibling for p in shown for sibling in p.siblings]
            wanted = [q for p in each for q in p.sealing.wanted(p.first_listed)]
            if await self._ring.fetch(wanted):
                for presentation in shown:
                    if presentation.sealing.on:
                        presentation.keyed()
            await asyncio.sleep(KEYS_S)


class Watching(Background):
    """Looks at the disk once a second."""

    def __init__(self, disk: Disk) -> None:
        super().__init__("disk", self._watch)
        self._disk = disk
        self._unmeter: list[Callable[[], None]] = []

    async def start(self) -> None:
        disk = self._disk
        self._unmeter = [
            metrics.DISK_FREE.add(lambda: {(): float(disk.free_bytes)}),
            metrics.DISK_SHORT.add(lambda: {(): float(disk.short)}),
        ]
        await super().start()

    async def stop(self) -> None:
        for unmeter in self._unmeter:
            unmeter()
        self._unmeter = []
        await super().stop()

    async def _watch(self) -> None:
        while True:
            before = self._disk.short
            self._disk.look()
            if self._disk.short != before:
                log.warning("disk", short=self._disk.short, free_bytes=self._disk.free_bytes)
            await asyncio.sleep(LOOK_S)
