"""One volume of a track log: a pair of files, `{ordinal}.cmaf` and `{ordinal}.index`."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from origin import metrics
from origin.errors import DamagedLog, DiskFull, NotLocal, OriginError
from origin.live.records import END, RAW, RECORD_BYTES, Record, pack, unpack

# What the kernel says when nothing more can be stored: no space, no quota, RLIMIT_FSIZE, bad disk
FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS))


@dataclass(slots=True, eq=False)
class Volume:
    """`oldest` and `newest` are where its media begins and ends, in ticks."""

    folder: Path
    ordinal: int
    media_bytes: int = 0
    index_bytes: int = 0
    oldest: int = -1
    newest: int = 0
    local: bool = True  # the media is on this disk, not only in the archive
    reader: int = -1  # file descriptor for reads, opened on demand

    @property
    def media(self) -> Path:
        return self.folder / f"{self.ordinal:08d}.cmaf"

    @property
    def index(self) -> Path:
        return self.folder / f"{self.ordinal:08d}.index"

    @property
    def archive(self) -> Path:
        """The journal of what is in the archive (blocks.py)."""
        return self.folder / f"{self.ordinal:08d}.archive"

    @property
    def fixed(self) -> bool:
        """Whether nothing may be added after a restart: what the archive has of it could be more
        than a power cut has left here.
        """
        return not self.local or self.archive.exists()

    def take(self, record: Record) -> None:
        """Count a record that is in the files."""
        self.index_bytes = (record.row + 1) * RECORD_BYTES
        if record.flags & END:
            return
        self.media_bytes = max(self.media_bytes, record.offset + record.size)
        if not record.flags & RAW:
            begins = record.decode_time
            self.oldest = begins if self.oldest < 0 else min(self.oldest, begins)
            self.newest = max(self.newest, record.end)

    def fresh(self) -> Iterator[Record]:
        """Take and yield the sound records behind those taken before; none if the file is gone."""
        try:
            with self.index.open("rb") as file:
                file.seek(self.index_bytes)
                data = file.read()
            on_disk = self._media_size()
        except FileNotFoundError:
            return
        for record in unpack(data, first_row=self.index_bytes // RECORD_BYTES):
            if self.local and record.offset + record.size > on_disk:
                return
            self.take(record)
            yield record

    def sound(self) -> Iterator[Record]:
        """`fresh`, up to the first chunk whose bytes are not those of its record."""
        taken = self.index_bytes, self.media_bytes
        for record in self.fresh():
            if record.size and self.local:
                try:
                    self.read(record)
                except OriginError:
                    self.index_bytes, self.media_bytes = taken
                    return
            taken = self.index_bytes, self.media_bytes
            yield record

    def cut(self) -> None:
        """Drop what is behind the records taken: the torn tail of a crash."""
        os.truncate(self.index, self.index_bytes)
        if self.local and self.media.exists():
            os.truncate(self.media, self.media_bytes)

    def rows(self, first: int, count: int) -> list[Record]:
        """Records of consecutive rows, read from the index file."""
        try:
            with self.index.open("rb", buffering=0) as file:
                file.seek(first * RECORD_BYTES)
                found = unpack(file.read(count * RECORD_BYTES) or b"", first_row=first)
        except OSError as error:
            raise DamagedLog(f"volume {self.ordinal}: {error.strerror}") from error
        if len(found) != count:
            raise DamagedLog(f"volume {self.ordinal}: the index ends before row {first + count}")
        return found

    def read(self, record: Record) -> bytes:
        """The bytes of one chunk. NotLocal when its media has left this disk, DamagedLog when the
        disk does not hold what was written.
        """
        try:
            if self.reader < 0:
                self.reader = os.open(self.media, os.O_RDONLY)
            data = os.pread(self.reader, record.size, record.offset)
        except FileNotFoundError:
            self.local = False
            raise NotLocal(f"volume {self.ordinal} is not on this disk") from None
        except OSError as error:
            raise DamagedLog(f"volume {self.ordinal}: {error.strerror}") from error
        if crc32(data) != record.crc:
            raise DamagedLog(f"volume {self.ordinal}: wrong checksum at byte {record.offset}")
        return data

    def release(self) -> None:
        """Close the descriptor for reads; the next read opens it again."""
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1

    def drop_media(self) -> None:
        """Take the media off this disk; the index stays."""
        self.release()
        self.media.unlink(missing_ok=True)
        self.local = False

    def remove(self) -> None:
        self.drop_media()
        self.index.unlink(missing_ok=True)

    def _media_size(self) -> int:
        """Bytes of the media file; without one the media is away, or there never was any."""
        try:
            size = self.media.stat().st_size
        except FileNotFoundError:
            size = 0
            self.local = False
        return size


class VolumeWriter:
    """The two open files of the volume that grows."""

    def __init__(self, volume: Volume, began: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT
        self.volume = volume
        self.began = began  # decode time, ticks
        with storing():
            self._media = os.open(volume.media, flags, 0o644)
            self._index = os.open(volume.index, flags, 0o644)
        volume.local = True

    def put(self, data: bytes, record: Record) -> None:
        """Media first, then its record: what has no record was never stored. DiskFull."""
        with storing():
            _write(self._media, data, record.offset)
            _write(self._index, pack(record), self.volume.index_bytes)
        self.volume.take(record)

    def sync(self) -> None:
        with storing():
            os.fsync(self._media)
            os.fsync(self._index)

    def close(self) -> None:
        os.close(self._media)
        os.close(self._index)


@contextmanager
def storing() -> Iterator[None]:
    """A disk that takes no more is DiskFull, with one code for every cause."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            metrics.DISK_FULL.inc()
            raise DiskFull(f"the disk takes no more: {error.strerror}") from error
        raise


def replace_file(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a small file so that a crash leaves the old or the new content, never a mix; without
    `sync` that holds for a process that dies, not for a power cut.
    """
    fresh = path.with_suffix(".new")
    with storing():
        with fresh.open("wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)


def sync_folder(folder: Path) -> None:
    """Make what was added to a folder, or taken from it, last."""
    with storing():
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written
