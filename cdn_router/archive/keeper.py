"""The part that makes Parquet of the journal: a table for each of its files and hours.

Names: `qoe/date=YYYY-MM-DD/hour=HH/{first}-{node}.parquet`, UTC by time of arrival, in the object
store (a folder or S3); any reader of hive-partitioned Parquet finds its way. A journal file goes
only after its table is stored; should the process die between, the same name is written again, so
that nothing is lost and nothing doubled.
"""

import asyncio
import io
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from runtime import logs, metrics
from runtime.clock import Clock
from runtime.objects import ObjectError, ObjectStore

from .journal import Frame, Journal, frames
from .table import table

TURN_S = 30.0  # the youngest rows are so old before they can be queried
SYNC_S = 1.0
HOUR_MS = 3_600_000

log = logs.get("cdn_router")
STORED = metrics.counter("router_archived", "records stored as Parquet")
FAILED = metrics.counter("router_archive_failures", "rounds that stored nothing")


class Archive:
    """Keeps bodies by `append`; everything else goes on in the background, in a thread."""

    name = "archive"

    def __init__(self, journal: Journal, store: ObjectStore, clock: Clock) -> None:
        self.append = journal.append
        self._journal = journal
        self._store = store
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._rounds())

    def ready(self) -> str | None:
        return None if self._task is not None and not self._task.done() else "not running"

    async def watch(self) -> None:
        if self._task is not None:
            await asyncio.shield(self._task)

    async def drain(self) -> None:
        """Still takes what requests in flight bring."""

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._journal.turn()

    async def _rounds(self) -> None:
        turned_s = self._clock.monotonic_s()
        while True:
            await asyncio.sleep(SYNC_S)
            with suppress(OSError):  # a file that ended meanwhile
                await asyncio.to_thread(self._journal.sync)
            if self._clock.monotonic_s() - turned_s >= TURN_S:
                turned_s = self._clock.monotonic_s()
                self._journal.turn()
            await self.store()

    async def store(self) -> None:
        """Store all files that have ended; what fails stays for the next round."""
        for path in self._journal.ended():
            try:
                for name, body, count in await asyncio.to_thread(tables, path):
                    await self._store.put(name, body, content_type="application/vnd.apache.parquet")
                    STORED.inc(count)
            except (ObjectError, OSError) as error:
                FAILED.inc()
                log.warning("archive_away", reason=str(error))
                return
            self._journal.stored(path)


def tables(path: Path) -> list[tuple[str, bytes, int]]:
    """The Parquet of a journal file: name, body and number of records for each hour in it."""
    hours: dict[int, list[Frame]] = {}
    for frame in frames(path.read_bytes()):
        hours.setdefault(frame.at_ms // HOUR_MS, []).append(frame)
    found = []
    for hour, kept in hours.items():
        made = table(kept)
        body = io.BytesIO()
        pq.write_table(made, body, compression="zstd")
        at = datetime.fromtimestamp(hour * 3600, UTC)
        name = f"qoe/date={at:%Y-%m-%d}/hour={at:%H}/{path.stem}.parquet"
        found.append((name, body.getvalue(), made.num_rows))
    return found
