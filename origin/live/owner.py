"""Which process writes which channel: an exclusive lock (flock(2)) on a file of the channel's name.

Rules
1. Who holds the lock writes the channel's logs and `channel.json`; nobody else does. The kernel
   frees the lock when its holder dies, however it dies.
2. The file says under which name its holder listens (`address`), so that others can hand bodies on.
   Between taking the lock and writing the name it is empty: ask again.
3. A lock file is removed only by its holder, and a lock on a removed file counts for nothing.
4. `edge` of a channel tells the others how far its holder has published: they follow up to there,
   never further, because only the holder knows what media it will still take.
"""

import contextlib
import fcntl
import os
from pathlib import Path
from struct import Struct
from zlib import crc32

from origin.errors import DiskFull
from origin.live.volume import storing

EDGE = "edge"
ADDRESS_BYTES = 255
_EDGE = Struct("<qI")


class Owners:
    """The locks of one process, in a folder that all processes share."""

    def __init__(self, folder: Path, address: str) -> None:
        self.address = address
        self._folder = folder
        self._held: dict[str, int] = {}

    def holds(self, channel: str) -> bool:
        return channel in self._held

    def take(self, channel: str) -> bool:
        """Hold the lock from now on; False when another process does. DiskFull."""
        if channel in self._held:
            return True
        path = self._path(channel)
        while True:
            with storing():
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            if _is_at(descriptor, path):
                break
            os.close(descriptor)
        self._held[channel] = descriptor
        try:
            with storing():
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, self.address.encode(), 0)
        except (OSError, DiskFull):
            self.release(channel)
            raise
        return True

    def owner(self, channel: str) -> str | None:
        """The address that the holder wrote, None if there is none yet. It may just have died."""
        try:
            with self._path(channel).open("rb") as file:
                return file.read(ADDRESS_BYTES).decode() or None
        except FileNotFoundError:
            return None

    def release(self, channel: str) -> None:
        """Let others take it."""
        descriptor = self._held.pop(channel, -1)
        if descriptor >= 0:
            self._path(channel).unlink(missing_ok=True)
            os.close(descriptor)

    def close(self) -> None:
        for channel in list(self._held):
            self.release(channel)

    def _path(self, channel: str) -> Path:
        return self._folder / f"{channel}.lock"


def tell_edge(folder: Path, edge: int) -> None:
    """Tell how far the channel in this folder is published."""
    with storing():
        descriptor = os.open(folder / EDGE, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            body = edge.to_bytes(8, "little", signed=True)
            os.pwrite(descriptor, _EDGE.pack(edge, crc32(body)), 0)
        finally:
            os.close(descriptor)


def told_edge(folder: Path) -> int:
    """What was told last, -1 for nothing. A mix of two tellings is read again."""
    for _ in range(8):
        data = b""
        with contextlib.suppress(FileNotFoundError):
            data = (folder / EDGE).read_bytes()
        if len(data) < _EDGE.size:
            return -1
        edge, seal = _EDGE.unpack_from(data)
        if seal == crc32(data[:8]):
            return int(edge)
    return -1


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
