"""The archive: live media in the object store, written behind the disk, read when it left that.

Theory of operation
1. The media of a volume goes up in blocks, in order: a block when it is full, the rest when the
   volume is finished. After each upload the object is checked (the tag of an S3 put is the MD5 of
   the body; otherwise it is read back), and only then noted in the volume's journal (blocks.py).
   A crash in between uploads the same bytes to the same name again.
2. Media leaves the disk when it is older than `retention_s` and the journal has all of it; the
   index stays until `archive_s`, so that nothing changes in playlists and numbers. While the store
   is away uploads wait on the disk, and the disk keeps what they wait for.
3. A segment that is not on the disk is recalled once for all who ask for it at the same time, its
   chunks are checked against their records, and it stays in memory for a while.
4. Volumes that expired leave their journal behind: its objects are deleted, then the journal.
"""

import asyncio
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from hashlib import md5
from pathlib import Path
from zlib import crc32

from native.http import Answer
from origin import metrics
from origin.delivery.caching import Class
from origin.errors import DamagedLog, NotLocal, OriginError
from origin.live import media
from origin.live.awaited import Awaited
from origin.live.blocks import Block, Blocks
from origin.live.channel import LiveChannel
from origin.live.log import TrackLog
from origin.live.presentation import Presentation
from origin.live.records import Record
from origin.live.shelf import Chunk, Stored
from origin.live.track import LiveTrack
from origin.live.volume import Volume
from origin.settings import Settings
from runtime import logs
from runtime.flight import SingleFlight
from runtime.objects import ObjectError, ObjectStore

LOOK_S = 1.0  # between looks for work
MOST_S = 30.0  # between tries while the store is away
UPLOADS, RECALLS, WAITING = 4, 8, 256  # at once; at once; waiting for those
NUMBER = re.compile(r"\d{1,18}", re.ASCII)

Key = tuple[Path, int]  # a track's folder, and a volume of it
Parts = tuple[Path, tuple[Chunk, ...]]  # a track's folder, and the chunks of a segment
Chunks = dict[tuple[int, int], bytes]  # by volume and offset

log = logs.get("archive")


class Archive:
    """The archive of the channels in `written`, and the way back for all."""

    def __init__(
        self,
        store: ObjectStore,
        settings: Settings,
        written: Callable[[], Iterator[LiveChannel]],
        clock: Callable[[], float],
        short: Callable[[], bool] = lambda: False,
    ) -> None:
        self.store = store
        self.started = False
        self.needed: Callable[[], bool] = lambda: False  # by others than the archive
        self._short = short
        self.backlog_bytes = 0
        self._settings = settings
        self._written = written
        self._clock = clock
        self._failing_since: float | None = None
        self._uploads = asyncio.Semaphore(UPLOADS)
        self._recalls = asyncio.Semaphore(RECALLS)
        self._flight: SingleFlight[Parts, Chunks] = SingleFlight()
        self._recalled: OrderedDict[Parts, Chunks] = OrderedDict()
        self._recalled_bytes = 0
        self._done: set[Key] = set()
        self._swept: dict[Path, set[int]] = {}

    @property
    def late_s(self) -> float:
        """For how long the store has refused to take what is behind; 0 when all is well."""
        return 0.0 if self._failing_since is None else self._clock() - self._failing_since

    async def run(self) -> None:
        """Start the store once it is needed, then work for ever."""
        pause_s = LOOK_S
        while True:
            try:
                if not self.started and (self._settings.archive_s or self.needed()):
                    await self._start()
                    self.started = True
                if self._settings.archive_s:
                    await self.work()
                self._failing_since, pause_s = None, LOOK_S
            except (ObjectError, OriginError, OSError) as error:
                code = getattr(error, "code", "io")
                metrics.ARCHIVE_ERRORS.labels(code).inc()
                if self._failing_since is None:
                    self._failing_since = self._clock()
                    log.warning("archive_away", code=code)
                pause_s = min(pause_s * 2, MOST_S)
            await asyncio.sleep(pause_s)

    async def _start(self) -> None:
        try:
            await self.store.start()
        except ObjectError:
            await self.store.stop()
            raise

    async def work(self) -> None:
        """Bring the archive up to date once. ObjectError when the store is away."""
        tracks = [
            (channel, track) for channel in self._written() for track in channel.tracks.values()
        ]
        jobs = (self._archive(channel, track) for channel, track in tracks)
        done = await asyncio.gather(*jobs, return_exceptions=True)
        volumes = (volume for _, track in tracks for volume in track.log.volumes())
        self.backlog_bytes = sum(map(self._behind, volumes))
        for each in done:
            if isinstance(each, BaseException):
                raise each

    async def answer(self, presentation: Presentation, track: LiveTrack, leaf: str) -> Answer:
        """Media that is not on the disk, asked for again once it is recalled."""
        found = NUMBER.match(leaf)
        stored = track.whole(int(found[0])) if found else None
        if stored is None:
            return presentation.refusal(404, "not_found", Class.GONE)
        if len(self._flight) >= WAITING:
            return presentation.refusal(503, "busy", Class.EARLY)
        try:
            key = (track.log.folder, tuple(stored.parts))
            chunks = self._recalled.get(key)
            if chunks is None:
                chunks = await self._flight.do(key, lambda: self._recall(track.log, key, stored))
        except ObjectError as error:
            metrics.ARCHIVE_ERRORS.labels(error.code).inc()
            return presentation.refusal(503, "archive_away", Class.EARLY)
        except OriginError as error:
            return presentation.refusal(error.status, error.code, Class.EARLY)
        track.log.recalled = chunks
        given = media.ask(presentation, track, leaf)
        track.log.recalled = {}
        if isinstance(given, Awaited):
            return presentation.refusal(404, "not_found", Class.GONE)
        return given

    async def _archive(self, channel: LiveChannel, track: LiveTrack) -> None:
        """Upload what a track's volumes have more than the archive; let local media go."""
        volumes = track.log.volumes()
        local_s = 2 * self._settings.window_s if self._short() else self._settings.retention_s
        edge_s = (channel.edge + 1) * channel.duration_s if channel.duration_s else 0
        before = int((edge_s - local_s) * track.timescale)
        for volume in volumes:
            key = (volume.folder, volume.ordinal)
            finished = volume is not volumes[-1]
            if key not in self._done:
                blocks = Blocks(volume.folder, volume.ordinal)
                await self._upload(volume, blocks, finished=finished)
                if finished and blocks.end >= volume.media_bytes:
                    self._done.add(key)
            if key in self._done and volume.local and volume.newest < before:
                volume.drop_media()
        await self._sweep(track.log.folder, {v.ordinal for v in volumes})

    async def _upload(self, volume: Volume, blocks: Blocks, *, finished: bool) -> None:
        limit = self._settings.archive_block_bytes
        while (left := volume.media_bytes - blocks.end) >= limit or (finished and left > 0):
            async with self._uploads:
                size = min(left, limit)
                body = await asyncio.to_thread(stretch_of, volume, blocks.end, size)
                block = Block(blocks.end, size, crc32(body))
                name = object_name(volume.folder, volume.ordinal, block.offset)
                await store_checked(self.store, name, body)
                await asyncio.to_thread(blocks.append, block)
                metrics.ARCHIVED.inc(size)

    async def _sweep(self, folder: Path, kept: set[int]) -> None:
        """Delete the objects of volumes that expired since the last time."""
        if self._swept.get(folder) == kept:
            return
        for path in folder.glob("*.archive"):
            if path.stem.isdigit() and int(path.stem) not in kept:
                blocks = Blocks(folder, int(path.stem))
                for block in blocks.blocks:
                    await self.store.delete(object_name(folder, blocks.ordinal, block.offset))
                path.unlink(missing_ok=True)
                self._done.discard((folder, blocks.ordinal))
        self._swept[folder] = kept

    async def _recall(self, log: TrackLog, key: Parts, stored: Stored) -> Chunks:
        """Bring the chunks of a segment into memory; the oldest recalled leave."""
        if (reason := self.store.ready()) is not None:
            raise ObjectError("unavailable", reason)
        async with self._recalls:
            chunks: Chunks = {}
            for ordinal, records in _runs(stored):
                start, end = records[0].offset, records[-1].offset + records[-1].size
                data = await self._read(log.folder, ordinal, start, end)
                for record in records:
                    chunk = data[record.offset - start : record.offset - start + record.size]
                    if crc32(chunk) != record.crc:
                        raise DamagedLog(f"archived volume {ordinal}: wrong checksum")
                    chunks[ordinal, record.offset] = chunk
        self._recalled[key] = chunks
        self._recalled_bytes += stored.size_bytes
        while self._recalled_bytes > self._settings.archive_cache_bytes and len(self._recalled) > 1:
            _, oldest = self._recalled.popitem(last=False)
            self._recalled_bytes -= sum(map(len, oldest.values()))
        return chunks

    async def _read(self, folder: Path, ordinal: int, start: int, end: int) -> bytes:
        """The media bytes [start, end) of a volume, from however many objects."""
        blocks = await asyncio.to_thread(Blocks, folder, ordinal)
        if end > blocks.end:
            raise DamagedLog(f"volume {ordinal} is neither here nor in the archive")
        pieces = []
        for block in blocks.covering(start, end):
            name = object_name(folder, ordinal, block.offset)
            low, high = max(start, block.offset), min(end, block.end)
            found = await self.store.get(name, start=low - block.offset, end=high - block.offset)
            pieces.append(found.body)
        return b"".join(pieces)

    def _behind(self, volume: Volume) -> int:
        if (volume.folder, volume.ordinal) in self._done:
            return 0
        return volume.media_bytes - Blocks(volume.folder, volume.ordinal).end


async def store_checked(store: ObjectStore, name: str, body: bytes) -> None:
    """Store and make sure that what is stored is what was sent."""
    tag = await store.put(name, body, content_type="video/mp4")
    if tag != md5(body, usedforsecurity=False).hexdigest():
        back = await store.get(name)
        if back.body != body:
            raise ObjectError("unavailable", "the store returned other bytes than it took")


def object_name(folder: Path, ordinal: int, offset: int) -> str:
    """Where media of a track's folder is archived: below `live/`, or `copies/` (copies.py)."""
    return f"{'/'.join(folder.parts[-3:])}/{ordinal:08d}/{offset:014d}"


def stretch_of(volume: Volume, offset: int, size: int) -> bytes:
    """Media of a volume on this disk. NotLocal, DamagedLog."""
    try:
        with volume.media.open("rb", buffering=0) as file:
            data = os.pread(file.fileno(), size, offset)
    except FileNotFoundError:
        raise NotLocal(f"volume {volume.ordinal} is not on this disk") from None
    if len(data) != size:
        raise DamagedLog(f"volume {volume.ordinal} is shorter than its index says")
    return data


def _runs(stored: Stored) -> Iterator[tuple[int, list[Record]]]:
    """Chunks of a segment that lie end to end in one volume."""
    run: list[Record] = []
    of = 0
    for ordinal, record in stored.parts:
        if run and (ordinal != of or record.offset != run[-1].offset + run[-1].size):
            yield of, run
            run = []
        of = ordinal
        run.append(record)
    if run:
        yield of, run
