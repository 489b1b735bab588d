"""The archive as a part of the process: a task behind the listeners, and its gauges."""

from collections.abc import Callable

from origin import metrics
from origin.live.archive import Archive
from runtime.service import Background


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
