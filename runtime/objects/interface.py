"""What an object store does, for every implementation alike.

A name is a relative path of 1..512 bytes with `/` between its parts; see `check_name`. A body is
replaced whole or not at all: no reader ever sees half of it.

    ObjectError
        bad_name       not a name                                   400
        not_found      no such object                               404
        exists         `if_absent`, and there is one                412
        changed        `if_match`, and it is another body by now    412
        bad_range      starts beyond the end                        416
        timeout        the store is late                            503
        unavailable    the store is away or refuses                 503
"""

import re
from dataclasses import dataclass
from typing import Protocol

STATUS = {
    "bad_name": 400,
    "not_found": 404,
    "exists": 412,
    "changed": 412,
    "bad_range": 416,
    "timeout": 503,
    "unavailable": 503,
}
MAX_NAME_BYTES = 512
_PART = re.compile(r"(?!\.\.?$)[A-Za-z0-9._~=+:@,!-]{1,200}", re.ASCII)


class ObjectError(Exception):
    """See the module's table; `status` is the hint for an HTTP answer."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.status = STATUS[code]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """`etag` is opaque and without quotes: equal tags, equal bytes."""

    name: str
    size: int
    etag: str
    modified_ms: int


@dataclass(frozen=True, slots=True)
class Object:
    """The body, or the part that was asked for; `info.size` is always the whole's."""

    info: ObjectInfo
    body: bytes


class ObjectStore(Protocol):
    """A part of the process (runtime.service) with these operations."""

    name: str

    async def start(self) -> None: ...
    def ready(self) -> str | None: ...
    async def drain(self) -> None: ...
    async def stop(self) -> None: ...

    async def put(
        self,
        name: str,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> str:
        """Store durably; the new etag. At most one of the two conditions; `exists` or `changed` if
        it fails.
        """

    async def get(
        self, name: str, *, start: int = 0, end: int | None = None, if_match: str | None = None
    ) -> Object:
        """The bytes [start, end) or all of them; `end` may lie beyond the body. `changed` when the
        object has another tag than `if_match`.
        """

    async def copy(
        self, source: str, name: str, *, start: int = 0, end: int | None = None
    ) -> ObjectInfo:
        """Store the bytes [start, end) of `source`, or all of them, under another name. The store
        does it, and only a part of what is too small for that passes through here; afterwards
        neither object minds what becomes of the other.
        """

    async def head(self, name: str) -> ObjectInfo: ...

    async def find(
        self, prefix: str = "", *, after: str = "", limit: int = 1000
    ) -> list[ObjectInfo]:
        """Objects whose name begins with `prefix`, from behind `after` on, an earlier page's last.

        Byte order, as S3 has it; SeaweedFS walks folder by folder, so that `a/1` precedes `a-b`.
        """

    async def delete(self, name: str) -> None:
        """Gone afterwards, whether or not it was there."""


def check_name(name: str) -> None:
    """Letters, digits and ._~=+:@,!- in parts of 1..200, none `.` or `..`. Raises
    `bad_name`.
    """
    if len(name) > MAX_NAME_BYTES or not all(map(_PART.fullmatch, name.split("/"))):
        raise ObjectError("bad_name", "a relative path of plain characters, 512 bytes at most")


def check_prefix(prefix: str) -> None:
    """A name, or the beginning of one. Raises `bad_name`."""
    whole, slash, part = prefix.rpartition("/")
    if whole or slash:
        check_name(whole)
    if part.strip("."):
        check_name(part)


def check_range(start: int, end: int | None, size: int | None = None) -> None:
    """A range that holds at least one byte, or all of an empty body. Raises `bad_range`."""
    if start < 0 or (end is not None and end <= start) or (size is not None and 0 < start >= size):
        raise ObjectError("bad_range", "no byte of the body lies in that range")


def clip(start: int, end: int | None, size: int) -> tuple[int, int]:
    """The range in a body of this size. Raises `bad_range`."""
    check_range(start, end, size)
    return start, size if end is None else min(end, size)
