"""The part that makes Parquet of journals: a table for each of their files and hours.

Names: `{shelf}/date=YYYY-MM-DD/hour=HH/{first}-{node}-{n}.parquet`, UTC by time of arrival, in the
object store (a folder or S3); any reader of hive-partitioned Parquet finds its way. A journal file
goes only after its table is stored; should the process die between, the same name is written again,
so that nothing is lost and nothing doubled. Hours that are over are compacted (`compact`).
"""

import asyncio
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from runtime import logs, metrics
from runtime.abreast import ended
from runtime.clock import Clock
from runtime.objects import ObjectError, ObjectStore

from .compact import compact
from .journal import Frame, Journal, frames

TURN_S = 30.0  # the youngest rows are so old before they can be queried
SYNC_S = 1.0
COMPACT_S = 60.0
STOP_S = 5.0
HOUR_MS = 3_600_000
PARQUET = "application/vnd.apache.parquet"

log = logs.get("cdn_router")
STORED = metrics.counter("router_archived", "records stored as Parquet")
COMPACTED = metrics.counter("router_archive_compacted", "small files put into larger ones")
FAILED = metrics.counter("router_archive_failures", "rounds that stored nothing")


class Shelf(NamedTuple):
    """Bodies of one kind: where they wait, and the table that frames of a node become."""

    prefix: str
    journal: Journal
    table: Callable[[list[Frame], str], pa.Table]


class Archive:
    """Everything goes on in the background, in a thread."""

    name = "archive"

    def __init__(
        self, shelves: Sequence[Shelf], store: ObjectStore, clock: Clock, kept_days: int
    ) -> None:
        self._shelves = tuple(shelves)
        self._store = store
        self._clock = clock
        self._kept_days = kept_days
        self._resting: dict[str, dict[str, int]] = {shelf.prefix: {} for shelf in self._shelves}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        works = (self._rounds(), self._compactions())
        self._tasks = [asyncio.create_task(work) for work in works]

    def ready(self) -> str | None:
        return None if self._tasks and not any(t.done() for t in self._tasks) else "not running"

    async def watch(self) -> None:
        if self._tasks:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def drain(self) -> None:
        """Still takes what requests in flight bring."""

    async def stop(self) -> None:
        await ended(*self._tasks)
        for shelf in self._shelves:
            with suppress(OSError):
                shelf.journal.turn()
            await asyncio.to_thread(shelf.journal.save)
        with suppress(TimeoutError):  # what is left is stored after the next start
            async with asyncio.timeout(STOP_S):
                await self.store()

    async def _rounds(self) -> None:
        turned_s = self._clock.monotonic_s()
        while True:
            await asyncio.sleep(SYNC_S)
            now_s = self._clock.monotonic_s()
            for shelf in self._shelves:
                with suppress(OSError):  # a file that ended meanwhile
                    await asyncio.to_thread(shelf.journal.sync)
                with suppress(OSError):
                    if now_s - turned_s >= TURN_S or shelf.journal.deleted():
                        shelf.journal.turn()
                await asyncio.to_thread(shelf.journal.save)
            turned_s = now_s if now_s - turned_s >= TURN_S else turned_s
            await self.store()

    async def _compactions(self) -> None:
        """Apart from the rounds: what comes in waits for no merge and no listing of the past."""
        while True:
            await asyncio.sleep(COMPACT_S)
            await self.compact()

    async def store(self) -> None:
        """Store all files that have ended; what fails stays for the next round."""
        try:
            for shelf in self._shelves:
                for path in shelf.journal.ended():
                    try:
                        made = await asyncio.to_thread(tables, shelf, path)
                    except FileNotFoundError:  # another process of this folder was as quick
                        continue
                    for name, body, count in made:
                        await self._store.put(name, body, content_type=PARQUET)
                        STORED.inc(count)
                    shelf.journal.stored(path)
        except (ObjectError, OSError) as error:
            FAILED.inc()
            log.warning("archive_away", reason=str(error))

    async def compact(self) -> None:
        """Put the small files of past hours into larger ones; let go what is too old."""
        try:
            for shelf in self._shelves:
                now_ms, resting = self._clock.now_ms(), self._resting[shelf.prefix]
                count = await compact(self._store, shelf.prefix, now_ms, self._kept_days, resting)
                COMPACTED.inc(count)
        except (ObjectError, OSError, ValueError) as error:  # or an object is not what it was
            log.warning("archive_not_compacted", reason=str(error))


def tables(shelf: Shelf, path: Path) -> list[tuple[str, bytes, int]]:
    """The Parquet of a journal file: name, body and number of records for each hour in it."""
    hours: dict[int, list[Frame]] = {}
    for frame in frames(path.read_bytes()):
        hours.setdefault(frame.at_ms // HOUR_MS, []).append(frame)
    node = path.stem.split("-")[1]
    found = []
    for hour, kept in hours.items():
        made = shelf.table(kept, node)
        body = io.BytesIO()
        pq.write_table(made, body, compression="zstd")
        at = datetime.fromtimestamp(hour * 3600, UTC)
        name = f"{shelf.prefix}/date={at:%Y-%m-%d}/hour={at:%H}/{path.stem}.parquet"
        found.append((name, body.getvalue(), made.num_rows))
    return found
