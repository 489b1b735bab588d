"""The track log: what an encoder pushed, once, in wire form, append-only.

Theory of operation
1. A log is a folder of volumes (volume.py). A volume is `{ordinal}.cmaf` (chunks, end to end) and
   `{ordinal}.index` (records.py), plus the track's `header.mp4` beside them.
2. Media is written before its record, and both before the encoder is answered. Both writes have
   then reached the kernel, so a killed process (kill -9) loses nothing that was acknowledged. A
   power cut may lose what the kernel had not written back (about 30 s); with `power_safe` each
   segment is fsynced before it is acknowledged.
3. Opening checks the last volume: records stop at the first broken seal, at media that is shorter
   than its record says, or at a wrong checksum; everything after is cut off both files.
4. One process writes; others open the same folder with `read_only`, cut nothing, and learn by
   `tail` what was appended since. What retention took away they learn from `expire`.
5. A disk that takes no more is DiskFull: neither the bytes nor the record count, and the next
   append writes over them.
6. Retention removes whole volumes from the head.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from zlib import crc32

from origin.errors import DamagedLog
from origin.live.fresh import Fresh
from origin.live.records import END, INDEPENDENT, RAW, RECORD_BYTES, Record
from origin.live.volume import Volume, VolumeWriter, replace_file

__all__ = ["HEADER", "TrackLog", "replace_file"]

HEADER = "header.mp4"
READERS = 8  # volumes of one log whose media stays open for reads

Held = Callable[[int, int], bool]


class TrackLog:
    """One track's log; the only writer of its folder unless `read_only`."""

    def __init__(
        self,
        folder: Path,
        *,
        volume_ticks: int,
        power_safe: bool = False,
        read_only: bool = False,
        fresh_bytes: int = 0,
    ) -> None:
        self.folder = folder
        self.read_only = read_only
        self.recalled: Mapping[tuple[int, int], bytes] = {}  # archived chunks by volume and offset
        self.fresh = Fresh(fresh_bytes)
        self._volume_ticks = volume_ticks
        self._power_safe = power_safe
        self._volumes: dict[int, Volume] = {}
        self._writer: VolumeWriter | None = None
        self._readers: list[Volume] = []
        if not read_only:
            folder.mkdir(parents=True, exist_ok=True)

    def recover(self) -> Iterator[tuple[int, Record]]:
        """(volume, record) of everything kept, oldest first; call once, before any append."""
        ordinals = self._on_disk()
        for ordinal in ordinals:
            volume = self._volumes[ordinal] = Volume(self.folder, ordinal)
            last = ordinal == ordinals[-1] and not self.read_only
            for record in volume.sound() if last else volume.fresh():
                yield ordinal, record
            if last:
                volume.cut()

    def tail(self) -> Iterator[tuple[int, Record]]:
        """(volume, record) of what the writer appended since `recover` or the last `tail`.

        Ends early, at whole records, where the writer is in the middle of one. Volumes that
        vanished before they were read yield nothing. Read-only logs only.
        """
        newest = max(self._volumes, default=0)
        for ordinal in [newest, *(o for o in self._on_disk() if o > newest)]:
            if ordinal:
                volume = self._volumes.setdefault(ordinal, Volume(self.folder, ordinal))
                for record in volume.fresh():
                    yield ordinal, record

    def claim(self) -> None:
        """Write from now on, after a last `tail`: what is behind the records taken is cut off."""
        self.read_only = False
        if self._volumes:
            self._volumes[max(self._volumes)].cut()

    def hand_over(self) -> None:
        """Only read from now on."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.read_only = True

    def append(
        self, data: bytes, *, decode_time: int, duration: int, earliest: int, flags: int
    ) -> tuple[int, Record]:
        """Store one chunk; returns where it lies. Times before zero cannot be told, but happen."""
        writer = self._writable(decode_time, bool(flags & INDEPENDENT))
        ordinal = writer.volume.ordinal
        record = self._put(writer, data, decode_time, duration, max(earliest, 0), flags)
        if data and not flags & RAW:
            self.fresh.put(ordinal, record.offset, decode_time, data)
        return ordinal, record

    def seal(self, decode_time: int) -> None:
        """Note that the segment which starts at `decode_time` is whole."""
        writer = self._writable(decode_time, False)
        self._put(writer, b"", decode_time, 0, 0, END)
        if self._power_safe:
            writer.sync()

    def read(self, ordinal: int, record: Record) -> bytes:
        """The bytes of one chunk. NotLocal when they left the disk and are not recalled, DamagedLog
        when the disk no longer holds what was written.
        """
        if (data := self.fresh.get(ordinal, record.offset)) is not None:
            return data
        if (data := self.recalled.get((ordinal, record.offset))) is not None:
            return data
        volume = self._known(ordinal)
        if volume.reader < 0:
            self._readers.append(volume)
            if len(self._readers) > READERS:
                self._readers.pop(0).release()
        return volume.read(record)

    def rows(self, ordinal: int, first: int, count: int) -> list[Record]:
        """Records of consecutive rows of a volume's index, read from disk."""
        return self._known(ordinal).rows(first, count)

    def expire(self, before: int, held: Held = lambda *_: False) -> list[int]:
        """Remove volumes whose newest media ended before this time and that `held` (told where
        their media begins and ends) does not keep; returns their ordinals.

        A read-only log returns those that its writer removed, whatever the time.
        """
        if self.read_only:
            kept = set(self._on_disk())
            old = [v for v in self._volumes.values() if v.ordinal not in kept]
        else:
            old = [v for v in self.settled(before) if not held(v.oldest, v.newest)]
        for volume in old:
            del self._volumes[volume.ordinal]
            if self.read_only:
                volume.release()
            else:
                volume.remove()
        return [volume.ordinal for volume in old]

    def settled(self, before: int) -> list[Volume]:
        """Volumes that nothing is added to and whose media ended before this time, oldest first."""
        current = max(self._volumes, default=0)
        return [v for o, v in sorted(self._volumes.items()) if v.newest < before and o != current]

    def volumes(self) -> list[Volume]:
        """Every volume, oldest first; the last one grows."""
        return [volume for _, volume in sorted(self._volumes.items())]

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for volume in self._readers:
            volume.release()
        self._readers = []

    def header(self) -> bytes | None:
        path = self.folder / HEADER
        return path.read_bytes() if path.exists() else None

    def put_header(self, data: bytes) -> None:
        replace_file(self.folder / HEADER, data)

    def _on_disk(self) -> list[int]:
        return sorted(int(p.stem) for p in self.folder.glob("*.index") if p.stem.isdigit())

    def _known(self, ordinal: int) -> Volume:
        try:
            return self._volumes[ordinal]
        except KeyError:
            raise DamagedLog(f"volume {ordinal} is no longer here") from None

    def _put(
        self,
        writer: VolumeWriter,
        data: bytes,
        decode_time: int,
        duration: int,
        earliest: int,
        flags: int,
    ) -> Record:
        volume = writer.volume
        record = Record(
            volume.media_bytes if data else 0,
            len(data),
            crc32(data),
            decode_time,
            duration,
            earliest,
            flags,
            volume.index_bytes // RECORD_BYTES,
        )
        writer.put(data, record)
        return record

    def _writable(self, decode_time: int, independent: bool) -> VolumeWriter:
        """Where to write; a new volume once the current spans enough time."""
        if self.read_only:
            raise RuntimeError("a read-only log has another writer")
        writer = self._writer
        if writer is not None:
            spent = abs(decode_time - writer.began) >= self._volume_ticks
            if not (independent and spent):
                return writer
        current = max(self._volumes, default=0)
        fresh = writer is not None or not current or self._volumes[current].fixed
        volume = Volume(self.folder, current + 1) if fresh else self._volumes[current]
        opened = VolumeWriter(volume, decode_time)
        self._volumes[volume.ordinal] = volume
        if writer is not None:
            writer.close()
        self._writer = opened
        return opened
