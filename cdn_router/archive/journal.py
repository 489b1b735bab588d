"""The journal of bodies: written before a body is acknowledged, read when it becomes Parquet.

A frame is length, CRC-32, time of arrival in epoch ms and the length of a label, then the label
(whence the body is) and the body; numbers are little-endian. `WHOLE` in the length says that the
CRC is over the frame from the time on and the length; without, as it was once, over the body. Each
frame goes out in one write to a file
opened for appending, so what was acknowledged survives a kill -9 of the process. `sync` brings it
to the disk; what a power failure may take is what came since the last one. A torn frame ends a
file. Files are named for the form of their frames (`FORM`), so that an older router, which cannot
read them, leaves them alone; files without are of older routers and read.

Bodies hold URLs as players sent them, queries and all: files are for their owner only and go when
their table is stored.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from zlib import crc32

from runtime import logs, metrics

from ..errors import Busy

HEAD = struct.Struct("<IIqH")
TOLD = struct.Struct("<IqH")  # of the head, what the CRC is over
WHOLE = 1 << 31
FORM = "2"
MAX_FILE_BYTES = 64 << 20
MAX_FRAME_BYTES = 64 << 20
COPIED_BYTES = 1 << 20  # at a time
RETRY_MS = 1_000  # until a disk that took nothing is tried again: each try begins a file

log = logs.get("cdn_router")
GONE = metrics.counter(
    "router_journal_lost_bytes", "acknowledged, and neither in the folder nor stored any more"
)


class Frame(NamedTuple):
    """A body, when it came (epoch ms) and whence."""

    at_ms: int
    label: str
    body: bytes


class Journal:
    """Files of one node and kind in a folder; a new one by size, by `turn` and at each start."""

    def __init__(self, folder: Path, node: str, max_bytes: int, kind: str = "cmcd") -> None:
        self._folder = folder
        self._node = node
        self._suffixes = f".{kind}", f".{kind}{FORM}"
        self._max_bytes = max_bytes
        self._file = -1
        self._size = 0
        self._numbers = count(1)
        self._deleted: list[tuple[int, int]] = []  # files and their sizes, to be written anew
        self._saving = Lock()
        self._retry_ms = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._waiting = 0
        self.ended()

    def append(self, body: bytes, label: str, now_ms: int) -> None:
        """Write a frame; Busy when more waits than may, or the disk takes no more."""
        name = label.encode()
        told = len(body) | WHOLE, now_ms, len(name)
        check = crc32(body, crc32(name, crc32(TOLD.pack(*told))))
        frame = b"".join((HEAD.pack(told[0], check, *told[1:]), name, body))
        if self._waiting + len(frame) > self._max_bytes:
            raise Busy("archive_full", "what came before has yet to be stored")
        if 0 < self._retry_ms - now_ms <= RETRY_MS:
            raise Busy("archive_full", "the disk took nothing of late")
        try:
            if self._file < 0:
                self._file = self._begun(now_ms)
            written = os.write(self._file, frame)
        except OSError:
            written = -1
        if written != len(frame):
            self.turn()  # what is torn ends its file
            self._retry_ms = now_ms + RETRY_MS
            raise Busy("archive_full", "the disk takes no more")
        self._size += len(frame)
        self._waiting += len(frame)
        if self._size >= MAX_FILE_BYTES:
            self.turn()

    def turn(self) -> None:
        """End the file; the next frame begins another. One that was deleted meanwhile waits for
        `save`.
        """
        if self._file < 0:
            return
        file, size = self._file, self._size
        self._file, self._size = -1, 0
        if size and not os.fstat(file).st_nlink:
            self._deleted.append((file, size))
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
        else:
            os.close(file)

    def save(self) -> None:
        """Write deleted files anew; takes its time, and may run in a thread."""
        with self._saving:
            while self._deleted:
                file, size = self._deleted[0]
                try:
                    self._save(file)
                except OSError as error:
                    GONE.inc(size)
                    log.error("journal_lost", bytes=size, reason=str(error))
                finally:
                    del self._deleted[0]
                    os.close(file)

    def deleted(self) -> bool:
        """Whether somebody took away the file that is written."""
        return self._file >= 0 and not os.fstat(self._file).st_nlink

    def sync(self) -> None:
        """Bring what is written to the disk."""
        if self._file >= 0:
            os.fdatasync(self._file)

    def ended(self) -> list[Path]:
        """Files that nobody writes any more, oldest first: a writer holds a lock on its own. Other
        processes of this folder store and begin some: what waits is counted anew.
        """
        found = sorted(p for suffix in self._suffixes for p in self._folder.glob(f"*{suffix}"))
        self._waiting = sum(map(_size, found)) + sum(size for _, size in self._deleted)
        return [path for path in found if _idle(path)]

    def stored(self, path: Path) -> None:
        """The content of a file is safe elsewhere."""
        with suppress(FileNotFoundError):  # another process of this folder was as quick
            size = _size(path)
            path.unlink()
            self._waiting = max(0, self._waiting - size)

    def _begun(self, now_ms: int) -> int:
        """A new file, locked from when `ended` sees it. OSError, and then there is none."""
        number, suffix = next(self._numbers), self._suffixes[-1]
        path = self._folder / f"{now_ms:013d}-{self._node}-{number}{suffix}"
        begun = path.with_name(f"{path.name}.begun")  # which `ended` passes over
        file = os.open(begun, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            begun.rename(path)
        except OSError:
            os.close(file)
            begun.unlink(missing_ok=True)
            raise
        return file

    def _save(self, file: int) -> None:
        """Write what a deleted file holds to a new one. OSError where that fails."""
        at = 0
        head = os.pread(file, HEAD.size, at)
        saved = self._begun(HEAD.unpack(head)[2])
        try:
            while piece := os.pread(file, COPIED_BYTES, at):
                if os.write(saved, piece) != len(piece):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                at += len(piece)
        finally:
            os.close(saved)
        log.warning("journal_written_anew", bytes=at)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _idle(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(file)


def frames(content: bytes) -> Iterator[Frame]:
    """The frames of a file, up to the first that is torn."""
    at = 0
    while at + HEAD.size <= len(content):
        told, check, at_ms, named = HEAD.unpack_from(content, at)
        length, begin = told & ~WHOLE, at + HEAD.size + named
        body = content[begin : begin + length]
        over = TOLD.pack(told, at_ms, named) + content[at + HEAD.size : begin]
        begun = crc32(over) if told & WHOLE else 0
        if length > MAX_FRAME_BYTES or len(body) != length or crc32(body, begun) != check:
            return
        yield Frame(at_ms, content[at + HEAD.size : begin].decode(errors="replace"), body)
        at = begin + length
