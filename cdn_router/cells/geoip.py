"""Databases of places that somebody replaces while the router runs, every week say.

In MaxMind's format (City or Country, and ASN; MaxMind DB format 2.0), read whole into memory. Rules
1. Looked for a new file every `LOOK_S`, apart from requests; one that is still being written, which
   is changed from one look to the next, waits for the look after.
2. A file takes the place of its predecessor whole. One that is broken is refused, logged and
   counted, and the predecessor holds, as it does while there is no file. One that cannot be read
   now is tried again at each look.
"""

import asyncio
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from runtime import logs, metrics

from .place import FAULTS, Database, Place, locator

LOOK_S = 5.0
MAX_BYTES = 1 << 30
SAMPLED = range(1, 224)  # the addresses N.0.0.1 that a database must answer for

log = logs.get("cdn_router")
READ = metrics.counter("router_geoip_files", "databases of places read", ("outcome",))


class Stamp(NamedTuple):
    """What tells one version of a file from another."""

    inode: int
    mtime_ns: int
    size: int

    @classmethod
    def of(cls, stat: os.stat_result) -> "Stamp":
        return cls(stat.st_ino, stat.st_mtime_ns, stat.st_size)


class GeoIp:
    """The place of an address by the databases in these files, as they are now."""

    def __init__(self, paths: Sequence[str], *, required: bool = True) -> None:
        """OSError or ValueError for a file that is broken, or `required` and not there."""
        self._paths = tuple(paths)
        self._stamps: dict[str, Stamp] = {}  # read, or refused
        self._glimpsed: dict[str, Stamp] = {}
        self._found: dict[str, Database] = {}
        for path in self._paths:
            try:
                self._stamps[path], self._found[path] = opened(path)
            except FileNotFoundError:
                if required:
                    raise
                log.warning("geoip_absent", file=path)
        self._place = self._located()

    def __call__(self, address: str) -> Place:
        return self._place(address)

    async def forever(self) -> None:
        """Look for new files."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take over files that are new and no longer change."""
        before = dict(self._found)
        for path in self._paths:
            try:
                stamp = Stamp.of(Path(path).stat())
                if stamp == self._stamps.get(path):
                    continue
                if stamp != self._glimpsed.get(path):
                    self._glimpsed[path] = stamp
                    continue
                self._stamps[path], self._found[path] = opened(path)
            except FileNotFoundError:
                continue
            except ValueError as error:
                self._stamps[path] = stamp
                READ.labels("refused").inc()
                log.error("geoip_refused", file=path, reason=str(error))
            except OSError as error:  # which may pass
                READ.labels("unreadable").inc()
                log.warning("geoip_unreadable", file=path, reason=str(error))
            else:
                READ.labels("read").inc()
                log.info("geoip_read", file=path)
        if self._found != before:
            self._place = self._located()

    def _located(self) -> Callable[[str], Place]:
        return locator(*(self._found[path] for path in self._paths if path in self._found))


def opened(path: str) -> tuple[Stamp, Database]:
    """The database in a file; OSError or ValueError where there is none."""
    import maxminddb

    with Path(path).open("rb") as file:
        stamp = Stamp.of(os.fstat(file.fileno()))
        if stamp.size > MAX_BYTES:
            raise ValueError(f"{path}: more than {MAX_BYTES} bytes")
        try:
            found = maxminddb.open_database(file, maxminddb.MODE_FD)
            for number in SAMPLED:
                found.get(f"{number}.0.0.1")
        except (*FAULTS, struct.error) as error:
            raise ValueError(f"{path}: {error}") from None
    return stamp, found
