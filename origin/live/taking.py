"""Takes one volume's media into a copy: from the archive by the store itself, else from the disk.

Rules
1. What the archive has is copied block by block, cut where the wanted octets begin and end. What it
   does not have goes up from the disk: at once where there is no archive, else when nothing more
   comes. While more may come only whole objects are taken.
2. An object is named after where the copy's journal ends, stored, and then noted there: whoever
   dies in between stores the same name again, and no object is ever lost sight of.
3. Few objects are taken at a time, and no more bytes a second than the settings say, over all
   copies of a process.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from origin import metrics
from origin.errors import DamagedLog, NotLocal
from origin.live.archive import object_name, store_checked, stretch_of
from origin.live.blocks import Block, Blocks
from origin.live.excerpt import Lane
from origin.live.volume import Volume
from origin.settings import Settings
from runtime import logs
from runtime.objects import ObjectError, ObjectStore

log = logs.get("copies")


@dataclass(frozen=True, slots=True)
class Piece:
    """The next object: octets of a volume, from this archived block or from the disk."""

    start: int
    end: int
    block: Block | None


def piece(
    archived: Blocks, start: int, end: int, limit: int, *, whole: bool, waits: bool
) -> Piece | None:
    """What of [start, end) is to be taken next; None until there is more. `whole`: nothing comes
    after `end`; `waits`: what is not archived will be.
    """
    if start >= end:
        return None
    for block in archived.covering(start, start + 1):
        until = min(block.end, end)
        return Piece(start, until, block) if whole or until == block.end else None
    until = min(start + limit, end)
    ready = whole or (not waits and until - start == limit)
    return Piece(start, until, None) if ready else None


class Taker:
    """Takes volumes into copies; nothing more begins at `until_s`, by its clock."""

    def __init__(self, store: ObjectStore, settings: Settings, clock: Callable[[], float]) -> None:
        self.until_s = 0.0
        self._store = store
        self._settings = settings
        self._clock = clock
        self._at_once = asyncio.Semaphore(settings.copies_at_once)
        self._free_s = 0.0

    async def take(
        self, lane: Lane, ordinal: int, target: Path, wanted: Callable[[], bool], *, whole: bool
    ) -> None:
        """What can be had of a volume by now, into the track's folder of a copy, as long as the
        copy is wanted. `whole`: nothing more comes. ObjectError when the store is away.
        """
        source = lane.track.log.folder
        target.mkdir(parents=True, exist_ok=True)
        journal, stretch = Blocks(target, ordinal), lane.stretches[ordinal]
        limit, waits = self._settings.archive_block_bytes, self._settings.archive_s > 0
        while wanted():
            stretch.objects, stretch.taken = len(journal.blocks), journal.end
            archived, start = Blocks(source, ordinal), stretch.start + journal.end
            found = piece(archived, start, stretch.end, limit, whole=whole, waits=waits)
            if found is None:
                return
            async with self._at_once:
                if self._clock() >= self.until_s:
                    return
                await self._pace(found.end - found.start)
                try:
                    crc = await self._put(source, ordinal, found, journal)
                except (NotLocal, DamagedLog) as error:
                    if found.block is None and Blocks(source, ordinal).end > start:
                        continue  # it was archived meanwhile, and left the disk
                    lane.lost.add(ordinal)
                    log.error("copy_lacks", volume=str(journal.path), reason=str(error))
                    return
            journal.append(Block(journal.end, found.end - found.start, crc))
            metrics.COPIED.inc(found.end - found.start)

    async def _put(self, source: Path, ordinal: int, wanted: Piece, journal: Blocks) -> int:
        """Store one object of a copy; its CRC-32 where that is known, else 0."""
        store = self._store
        name = object_name(journal.path.parent, ordinal, journal.end)
        if wanted.block is None:
            size = wanted.end - wanted.start
            body = await asyncio.to_thread(stretch_of, Volume(source, ordinal), wanted.start, size)
            await store_checked(store, name, body)
            return crc32(body)
        block = wanted.block
        archived = object_name(source, ordinal, block.offset)
        low, high = wanted.start - block.offset, wanted.end - block.offset
        try:
            made = await store.copy(archived, name, start=low, end=high)
        except ObjectError as error:
            if error.code == "not_found":
                raise NotLocal(f"{archived} is not in the archive") from None
            raise
        if made.size != high - low:
            raise ObjectError("unavailable", "the store copied other bytes than were asked for")
        return block.crc if high - low == block.size else 0

    async def _pace(self, size_bytes: int) -> None:
        """Wait until so many bytes may be copied."""
        now_s = self._clock()
        begins_s = max(self._free_s, now_s)
        self._free_s = begins_s + size_bytes / self._settings.copy_bytes_s
        if begins_s > now_s:
            await asyncio.sleep(begins_s - now_s)
