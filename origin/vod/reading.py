"""Where an input's bytes come from: a file, or an object in S3 that is read by ranges.

Both answer the same two questions: some bytes at a place, and scattered runs for a segment. A
source is only ever read (TR-40..TR-48).
"""

import asyncio
import os
from array import array
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Protocol, Self

from native.bmff import BoxError
from native.bmff.gather import same_file
from native.bmff.source import Source
from origin.vod.errors import VodError
from origin.vod.spans import Key, Spans
from runtime.objects import ObjectError, ObjectInfo, ObjectStore

S3 = "s3://"
HEAD_BYTES = 262_144  # TR-45: the first read of an object
TAIL_BYTES = 32 << 20  # TR-45: what is left of an object is read at once up to here
MERGED_GAP = 524_288  # TR-45: what lies between two runs of one read
PART_BYTES = 16 << 20  # TR-45: a larger plan is read in parallel
SPAN_BYTES = 64 << 20  # of stretches that are kept, of all objects


Mark = tuple[bytes, int, int, int]  # a path, and size, mtime in ns and inode of what lies there


@dataclass(frozen=True, slots=True)
class Identity:
    """What must be unchanged for an index to hold (TR-42). An object's tag stands in `inode`."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)

    def mark(self, path: bytes) -> Mark:
        """Of the file at a path, for kernels."""
        return path, self.size, self.mtime_ns, self.inode

    def holds(self, path: bytes) -> bool:
        """Whether the file is still the same."""
        return same_file(*self.mark(path))


class Reader(Protocol):
    """An open input. Everything may be asked from any thread but the loop's."""

    @property
    def location(self) -> str:
        """What opens it again: a path, or s3://BUCKET/NAME."""

    @property
    def near(self) -> bool:
        """Whether a few bytes here and there cost little."""

    @property
    def identity(self) -> Identity: ...

    def read(self, at: int, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end of the input."""

    def runs(
        self, out: bytes, at: int, starts: "array[int]", lengths: "array[int]", wait: bool
    ) -> bytes | None:
        """`out`, or another like it, filled from `at` on with the runs; None if that would wait."""

    def ahead(self, starts: "array[int]", lengths: "array[int]") -> None:
        """These runs are likely asked for next."""

    def stale(self) -> bool:
        """Whether it is known to be another input by now."""

    def close(self) -> None: ...


def name_of(location: str) -> str:
    """The file's or the object's name, for messages."""
    return location.rpartition("/")[2]


def open_reader(location: str, objects: "Objects | None" = None) -> Reader:
    """VodError `unreadable` says why it cannot be read."""
    if not location.startswith(S3):
        return FileReader(Path(location))
    if objects is None:
        raise VodError("unreadable", location, "no object store is configured (objects.url)")
    return ObjectReader(objects, location)


class FileReader:
    """A file, kept open."""

    near = True

    def __init__(self, path: Path) -> None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise VodError("unreadable", path.name, error.strerror or "cannot be opened") from error
        self._path = os.fsencode(path)
        self.location = str(path.resolve())
        status = os.fstat(fd)
        self.identity = Identity.of(status)
        mappable = status.st_uid == os.geteuid() or os.access(path, os.W_OK)
        self.source = Source(fd, status.st_size, mappable)

    @property
    def mark(self) -> Mark:
        return self.identity.mark(self._path)

    def read(self, at: int, size: int) -> bytes:
        return self.source.read(at, size)

    def runs(
        self, out: bytes, at: int, starts: "array[int]", lengths: "array[int]", wait: bool
    ) -> bytes | None:
        return out if self.source.runs(out, at, starts, lengths, wait) else None

    def ahead(self, starts: "array[int]", lengths: "array[int]") -> None:
        """The kernel reads files ahead."""

    def stale(self) -> bool:
        return not self.identity.holds(self._path)

    def close(self) -> None:
        self.source.close()


class Objects:
    """A bucket as threads see it: they ask, the loop fetches. `gets` counts the range reads."""

    def __init__(self, store: ObjectStore, loop: asyncio.AbstractEventLoop, bucket: str) -> None:
        self._store = store
        self._loop = loop
        self._bucket = bucket
        self.gets = 0
        self.spans = Spans(SPAN_BYTES)

    def key(self, location: str) -> str:
        """The object's name in s3://BUCKET/NAME."""
        bucket, _, name = location.removeprefix(S3).partition("/")
        if bucket != self._bucket:
            raise VodError("unreadable", location, f"the configured bucket is {self._bucket}")
        return name

    def get(
        self, name: str, ranges: list[tuple[int, int]], if_match: str | None
    ) -> list[tuple[bytes, ObjectInfo]]:
        """The bytes [start, end) of each range, fetched side by side."""
        return self.begin(name, ranges, if_match).result()

    def begin(
        self, name: str, ranges: list[tuple[int, int]], if_match: str | None
    ) -> "Future[list[tuple[bytes, ObjectInfo]]]":
        """`get` without waiting."""
        self.gets += len(ranges)

        async def fetch() -> list[tuple[bytes, ObjectInfo]]:
            found = await asyncio.gather(
                *(self._store.get(name, start=a, end=b, if_match=if_match) for a, b in ranges)
            )
            return [(one.body, one.info) for one in found]

        return asyncio.run_coroutine_threadsafe(fetch(), self._loop)


class ObjectReader:
    """An object, read by ranges; what was read lately is not read again (TR-46)."""

    near = False

    def __init__(self, objects: Objects, location: str) -> None:
        self._objects = objects
        self._name = objects.key(location)
        self.location = location
        self._flights: dict[tuple[int, int], Future[list[tuple[bytes, ObjectInfo]]]] = {}
        self._stale = False
        self._identity: Identity | None = None
        self._etag: str | None = None  # of the first answer: all later ones must have it

    @property
    def identity(self) -> Identity:
        if self._identity is None:
            self._fetch([(0, HEAD_BYTES)])
        assert self._identity is not None
        return self._identity

    def expect(self, identity: Identity) -> None:
        """What an index was made of: any other object is stale."""
        self._identity = identity

    def read(self, at: int, size: int) -> bytes:
        end = min(at + size, self.identity.size)
        if at >= end:
            return b""
        held = self._held(at, end)
        if held is None:
            left = self.identity.size - at
            ahead = min(max(end, at + (left if left <= TAIL_BYTES else HEAD_BYTES)), at + left)
            (body,) = self._fetch([(at, ahead)])
            return body[: end - at]
        return bytes(held)

    def runs(
        self, out: bytes, at: int, starts: "array[int]", lengths: "array[int]", wait: bool
    ) -> bytes | None:
        if not wait:
            return None
        spans = list(_spans(starts, lengths))
        if spans and spans[-1][1] > self.identity.size:
            raise BoxError("truncated", self.identity.size, "the object ends inside a sample")
        bodies = {start: self._held(start, end) for start, end in spans}
        wanted = [span for span in spans if bodies[span[0]] is None]
        for span, whole in zip(wanted, self._fetch(wanted) if wanted else (), strict=True):
            bodies[span[0]] = memoryview(whole)
        pieces: list[bytes | memoryview] = [out[:at]]
        base, end, body = 0, 0, memoryview(b"")
        for start, length in zip(starts, lengths, strict=True):
            found = bodies.get(start)
            if found is not None and start >= end:
                base, body = start, found
                end = base + len(body)
            pieces.append(body[start - base : start - base + length])
        return b"".join(pieces)

    def stale(self) -> bool:
        return self._stale

    def close(self) -> None:
        """Nothing is open; what is kept gives way to newer stretches."""

    def ahead(self, starts: "array[int]", lengths: "array[int]") -> None:
        for start, end in _spans(starts, lengths):
            key = self._key
            if end - start > PART_BYTES or (start, end) in self._flights:
                continue
            if self._objects.spans.find(key, start, end) is None:
                flight = self._objects.begin(self._name, [(start, end)], self._etag)
                self._flights[start, end] = flight
                flight.add_done_callback(partial(self._landed, key, start, end))

    def _landed(
        self, key: Key, start: int, end: int, flight: "Future[list[tuple[bytes, ObjectInfo]]]"
    ) -> None:
        """Keep what came ahead if it is of the same object; whoever asks for it hears of faults."""
        if not flight.cancelled() and flight.exception() is None:
            ((body, info),) = flight.result()
            if _identity(info) == self._identity and len(body) == end - start:
                self._objects.spans.put(key, start, body)
        self._flights.pop((start, end), None)

    @property
    def _key(self) -> Key:
        return (self._name, self.identity)

    def _held(self, start: int, end: int) -> memoryview | None:
        """What is at hand, or about to be."""
        for (low, high), flight in list(self._flights.items()):
            if low <= start and end <= high:
                wait_for([flight])
                self._landed(self._key, low, high, flight)
        return self._objects.spans.find(self._key, start, end)

    def _fetch(self, spans: list[tuple[int, int]]) -> list[bytes]:
        """Spans in parallel parts; another object than before is `unreadable` and stale (TR-46)."""
        parts = [part for span in spans for part in _parts(*span)]
        try:
            found = self._objects.get(self._name, parts, self._etag)
        except ObjectError as error:
            self._stale = error.code in ("changed", "not_found")
            raise VodError("unreadable", self._name, str(error)) from error
        for _, info in found:
            identity = _identity(info)
            if self._identity is None:
                self._identity = identity
            if identity != self._identity:
                self._stale = True
                raise VodError("unreadable", self._name, "the object has changed")
            self._etag = info.etag
        bodies = iter(body for body, _ in found)
        whole = []
        for start, end in spans:
            body = b"".join(next(bodies) for _ in _parts(start, end))
            if len(body) != min(end, self.identity.size) - start:
                raise VodError("unreadable", self._name, "the object store gave a short range")
            whole.append(body)
            if len(body) <= PART_BYTES:
                self._objects.spans.put(self._key, start, body)
        return whole


def _identity(info: ObjectInfo) -> Identity:
    tag = blake2b(info.etag.encode(), digest_size=8).digest()
    return Identity(info.size, info.modified_ms * 10**6, int.from_bytes(tag, "big"))


def _parts(start: int, end: int) -> Iterator[tuple[int, int]]:
    yield from pairwise([*range(start, end, PART_BYTES), end])


def _spans(starts: "array[int]", lengths: "array[int]") -> Iterator[tuple[int, int]]:
    """Runs merged over gaps that are cheaper to read than to ask around."""
    low = high = -1
    for start, length in zip(starts, lengths, strict=True):
        if low >= 0 and 0 <= start - high <= MERGED_GAP:
            high = start + length
            continue
        if low >= 0:
            yield low, high
        low, high = start, start + length
    if low >= 0:
        yield low, high
