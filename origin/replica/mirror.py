"""The copy of one channel on a machine that does not write it.

Theory of operation
1. An entry whose records continue what is here is applied: its media is fetched, checked against
   the records and written before them. The edge moves last.
2. Anything else (a lost entry, a restart, a new volume after a gap) is caught up: the peer lists
   its volumes, and what is missing is fetched. A volume that is not a beginning of the peer's is
   from another life of the channel: it is dropped and fetched anew, and `reset` says so.
3. Volumes that the peer let go leave here too: retention and holds are the writer's business.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from origin import metrics
from origin.live.log import HEADER
from origin.live.owner import tell_edge, told_edge
from origin.live.records import RECORD_BYTES, unpack
from origin.replica import files
from origin.replica.entry import BadEntry, Entry, Listing, Rows, VolumeState

PIECE_ROWS = 512  # records fetched at once while catching up, or fewer when their media is long
PIECE_BYTES = 8 << 20

Fetch = Callable[[str, int, int], Awaitable[bytes]]  # path below the channel, from, to (exclusive)


class Mirror:
    """Writes one channel's folder from what a peer tells, while its process holds the lock."""

    def __init__(self, folder: Path, fetch: Fetch, reset: Callable[[], None]) -> None:
        self._folder = folder
        self._fetch = fetch
        self._reset = reset

    async def apply(self, entry: Entry) -> bool:
        """Take an entry in; False when something is missing before it: `catch_up` then."""
        if entry.anew:
            return False
        files.put_state(self._folder, entry.kept)
        for track, header in entry.headers.items():
            files.put_header(self._folder, track, header)
        whole = await asyncio.gather(*(self._append(rows) for rows in entry.rows))
        if not all(whole):
            return False
        if entry.edge > told_edge(self._folder):
            tell_edge(self._folder, entry.edge)
        return True

    async def catch_up(self, listing: Listing) -> None:
        """Fetch all that the listing has and this folder has not."""
        metrics.CATCH_UPS.inc()
        files.put_state(self._folder, listing.kept)
        for track, volumes in listing.tracks.items():
            await self._catch_up_track(track, volumes)
        tell_edge(self._folder, listing.edge)

    async def _append(self, rows: Rows) -> bool:
        have = files.rows_of(self._folder, rows.track, rows.volume)
        if rows.first > have or (rows.first == 0 and not self._follows(rows)):
            return False
        fresh = rows.rows[(have - rows.first) * RECORD_BYTES :]
        if fresh:
            await self._fetch_rows(Rows(rows.track, rows.volume, have, fresh))
        return True

    def _follows(self, rows: Rows) -> bool:
        before = files.rows_of(self._folder, rows.track, rows.volume - 1)
        return files.opened(self._folder, rows.track) and before == rows.before

    async def _fetch_rows(self, rows: Rows) -> None:
        start, end = files.span(rows.rows)
        media = b""
        if end:
            path = files.name_of(rows.track, rows.volume, files.MEDIA)
            media = await self._fetch(path, start, end)
        files.put_rows(self._folder, rows, start, media)

    async def _catch_up_track(self, track: str, volumes: list[VolumeState]) -> None:
        if not files.opened(self._folder, track):
            header = await self._fetch(f"{track}/{HEADER}", 0, PIECE_BYTES)
            files.put_header(self._folder, track, header)
        told = {volume.ordinal for volume in volumes}
        for ordinal in files.volumes_of(self._folder, track):
            if ordinal not in told:
                files.drop_volume(self._folder, track, ordinal)
        for volume in volumes:
            await self._catch_up_volume(track, volume)

    async def _catch_up_volume(self, track: str, volume: VolumeState) -> None:
        folder, ordinal = self._folder, volume.ordinal
        have = files.rows_of(folder, track, ordinal)
        path = files.name_of(track, ordinal, files.INDEX)
        index = await self._index(path, have, volume.rows) if have < volume.rows else b""
        if have and not self._begins(track, volume, have, index):
            files.drop_volume(folder, track, ordinal)
            self._reset()
            have, index = 0, await self._index(path, 0, volume.rows)
        for piece in _pieces(index):
            rows = Rows(track, ordinal, have, piece)
            if volume.media_bytes:
                await self._fetch_rows(rows)
            else:
                files.put_index(folder, rows)  # its media is in the archive only
            have += len(piece) // RECORD_BYTES

    def _begins(self, track: str, volume: VolumeState, have: int, rest: bytes) -> bool:
        """Whether our records and the rest make up the peer's index."""
        if have > volume.rows:
            return False
        return files.seal_of(self._folder, track, volume.ordinal, have, rest) == volume.seal

    async def _index(self, path: str, first: int, last: int) -> bytes:
        data = await self._fetch(path, first * RECORD_BYTES, last * RECORD_BYTES)
        if len(data) != (last - first) * RECORD_BYTES:
            raise BadEntry("the peer's index is shorter than it said")
        return data


def _pieces(index: bytes) -> Iterator[bytes]:
    """The records in runs whose media is fetched at once."""
    begun, size_bytes = 0, 0
    for row, record in enumerate(unpack(index)):
        if row - begun == PIECE_ROWS or (row > begun and size_bytes + record.size > PIECE_BYTES):
            yield index[begun * RECORD_BYTES : row * RECORD_BYTES]
            begun, size_bytes = row, 0
        size_bytes += record.size
    if rest := index[begun * RECORD_BYTES :]:
        yield rest
