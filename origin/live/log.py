"""The track log: what an encoder pushed, once, in wire form, append-only.

Theory of operation
1. A log is a folder of volumes. A volume is `{ordinal}.cmaf` (chunks, end to end) and
   `{ordinal}.index` (records.py), plus the track's `header.mp4` beside them.
2. Media is written before its record, and both before the encoder is answered. Both writes have
   then reached the kernel, so a killed process (kill -9) loses nothing that was acknowledged. A
   power cut may lose what the kernel had not written back (about 30 s); with `power_safe` each
   segment is fsynced before it is acknowledged.
3. Opening checks the last volume: records stop at the first broken seal, at media that is shorter
   than its record says, or at a wrong checksum; everything after is cut off both files.
4. Retention removes whole volumes from the head.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from origin.errors import DamagedLog
from origin.live.records import END, INDEPENDENT, RAW, RECORD_BYTES, Record, pack, unpack

HEADER = "header.mp4"


@dataclass(slots=True)
class Volume:
    """One pair of files; `newest` is the end (ticks) of the newest media in it."""

    ordinal: int
    media_bytes: int = 0
    index_bytes: int = 0
    newest: int = 0
    readers: int = field(default=-1)  # file descriptor for reads, opened on demand

    def note_age(self, record: Record) -> None:
        if not record.flags & RAW:
            self.newest = max(self.newest, record.end)


class TrackLog:
    """One track's log; the only writer of its folder."""

    def __init__(self, folder: Path, *, volume_ticks: int, power_safe: bool = False) -> None:
        self.folder = folder
        self._volume_ticks = volume_ticks
        self._power_safe = power_safe
        self._volumes: dict[int, Volume] = {}
        self._began = 0
        self._media = self._index = -1
        folder.mkdir(parents=True, exist_ok=True)

    def recover(self) -> Iterator[tuple[int, Record]]:
        """(volume, record) of everything kept, oldest first; call once, before any append."""
        ordinals = sorted(int(p.stem) for p in self.folder.glob("*.index") if p.stem.isdigit())
        for ordinal in ordinals:
            volume = self._volumes[ordinal] = Volume(ordinal)
            for record in self._checked(volume, last=ordinal == ordinals[-1]):
                volume.note_age(record)
                yield ordinal, record

    def append(
        self, data: bytes, *, decode_time: int, duration: int, earliest: int, flags: int
    ) -> tuple[int, Record]:
        """Store one chunk; returns where it lies. Times before zero cannot be told, but happen."""
        volume = self._writable(decode_time, bool(flags & INDEPENDENT))
        earliest = max(earliest, 0)
        record = Record(
            volume.media_bytes, len(data), crc32(data), decode_time, duration, earliest, flags
        )
        _write(self._media, data, record.offset)
        self._note(volume, record)
        volume.media_bytes += len(data)
        volume.note_age(record)
        return volume.ordinal, record

    def seal(self, decode_time: int) -> None:
        """Note that the segment which starts at `decode_time` is whole."""
        self._note(self._writable(decode_time, False), Record(0, 0, 0, decode_time, 0, 0, END))
        if self._power_safe:
            os.fsync(self._media)
            os.fsync(self._index)

    def read(self, ordinal: int, record: Record) -> bytes:
        """The bytes of one chunk; DamagedLog when the disk no longer holds what was written."""
        volume = self._volumes[ordinal]
        try:
            if volume.readers < 0:
                volume.readers = os.open(self._path(ordinal, "cmaf"), os.O_RDONLY)
            data = os.pread(volume.readers, record.size, record.offset)
        except OSError as error:
            raise DamagedLog(f"volume {ordinal}: {error.strerror}") from error
        if crc32(data) != record.crc:
            raise DamagedLog(f"volume {ordinal}: wrong checksum at byte {record.offset}")
        return data

    def expire(self, before: int) -> list[int]:
        """Remove volumes whose newest media ended before this time; returns their ordinals."""
        current = max(self._volumes, default=0)
        old = [v for v in self._volumes.values() if v.newest < before and v.ordinal != current]
        for volume in old:
            del self._volumes[volume.ordinal]
            if volume.readers >= 0:
                os.close(volume.readers)
            for suffix in ("index", "cmaf"):
                self._path(volume.ordinal, suffix).unlink(missing_ok=True)
        return [volume.ordinal for volume in old]

    def close(self) -> None:
        readers = [volume.readers for volume in self._volumes.values()]
        for descriptor in (self._media, self._index, *readers):
            if descriptor >= 0:
                os.close(descriptor)
        self._media = self._index = -1
        for volume in self._volumes.values():
            volume.readers = -1

    def header(self) -> bytes | None:
        path = self.folder / HEADER
        return path.read_bytes() if path.exists() else None

    def put_header(self, data: bytes) -> None:
        replace_file(self.folder / HEADER, data)

    def _path(self, ordinal: int, suffix: str) -> Path:
        return self.folder / f"{ordinal:08d}.{suffix}"

    def _note(self, volume: Volume, record: Record) -> None:
        _write(self._index, pack(record), volume.index_bytes)
        volume.index_bytes += RECORD_BYTES

    def _writable(self, decode_time: int, independent: bool) -> Volume:
        """The volume to write to; a new one once the current spans enough time."""
        current = max(self._volumes, default=0)
        spent = abs(decode_time - self._began) >= self._volume_ticks
        if self._index >= 0 and not (independent and spent):
            return self._volumes[current]
        if self._index < 0 and current:
            ordinal = current
        else:
            ordinal = current + 1
            self._volumes[ordinal] = Volume(ordinal)
        for descriptor in (self._media, self._index):
            if descriptor >= 0:
                os.close(descriptor)
        flags = os.O_WRONLY | os.O_CREAT
        self._media = os.open(self._path(ordinal, "cmaf"), flags, 0o644)
        self._index = os.open(self._path(ordinal, "index"), flags, 0o644)
        self._began = decode_time
        return self._volumes[ordinal]

    def _checked(self, volume: Volume, *, last: bool) -> list[Record]:
        """A volume's records; the last volume's torn tail is cut off."""
        index, media = self._path(volume.ordinal, "index"), self._path(volume.ordinal, "cmaf")
        records = unpack(index.read_bytes())
        data_bytes = media.stat().st_size if media.exists() else 0
        kept = []
        with media.open("rb") if data_bytes else open(os.devnull, "rb") as file:
            for record in records:
                if record.offset + record.size > data_bytes:
                    break
                if last and record.size:
                    file.seek(record.offset)
                    if crc32(file.read(record.size)) != record.crc:
                        break
                kept.append(record)
                volume.media_bytes = max(volume.media_bytes, record.offset + record.size)
        volume.index_bytes = len(kept) * RECORD_BYTES
        if last:
            os.truncate(index, volume.index_bytes)
            if media.exists():
                os.truncate(media, volume.media_bytes)
        return kept


def replace_file(path: Path, data: bytes) -> None:
    """Write a small file so that a crash leaves the old or the new content, never a mix."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _write(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written
