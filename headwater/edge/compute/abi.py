"""The host calls of a Compute service as one table: (module, name) -> what it does.

Rules of the table: a call takes the session and the guest's integers and gives a status. A call
that is not here answers `UNSUPPORTED`, as the platform does for what it lacks. Pointers are
checked against the guest's memory before anything is read or written.
"""

import ctypes
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from headwater.edge.errors import BuildError

if TYPE_CHECKING:
    from headwater.edge.compute.session import Session

OK: Final = 0
ERROR: Final = 1
INVALID_ARGUMENT: Final = 2
BAD_HANDLE: Final = 3
BUFFER_LENGTH: Final = 4
UNSUPPORTED: Final = 5
NONE: Final = 10

Call = Callable[..., int]
CALLS: Final[dict[tuple[str, str], Call]] = {}


def call(module: str, name: str) -> Callable[[Call], Call]:
    """Enter a function into the table."""

    def enter(does: Call) -> Call:
        CALLS[module, name] = does
        return does

    return enter


class Memory:
    """The guest's memory while a call lasts."""

    def __init__(self, base: int, size: int) -> None:
        self.base = base
        self.size = size

    def read(self, at: int, length: int) -> bytes:
        at, length = at & 0xFFFFFFFF, length & 0xFFFFFFFF
        if at + length > self.size:
            raise BuildError("the guest points outside of its memory")
        return ctypes.string_at(self.base + at, length)

    def text(self, at: int, length: int) -> str:
        return self.read(at, length).decode("utf-8", "surrogateescape")

    def write(self, at: int, data: bytes) -> None:
        at &= 0xFFFFFFFF
        if at + len(data) > self.size:
            raise BuildError("the guest points outside of its memory")
        ctypes.memmove(self.base + at, data, len(data))

    def u32(self, at: int, value: int) -> None:
        self.write(at, struct.pack("<I", value & 0xFFFFFFFF))

    def u64(self, at: int, value: int) -> None:
        self.write(at, struct.pack("<q", value))

    def words(self, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self.read(at, 4 * count))

    def filled(self, at: int, room: int, data: bytes, written_at: int) -> int:
        """Data into a buffer of the guest; too small a one is told the size that is needed."""
        self.u32(written_at, len(data))
        if len(data) > room:
            return BUFFER_LENGTH
        self.write(at, data)
        return OK

    def listed(
        self, items: list[bytes], at: int, room: int, cursor: int, end_at: int, written_at: int
    ) -> int:
        """As many NUL-ended items from the cursor on as there is room for; the end is -1."""
        found, position = b"", cursor
        while position < len(items) and len(found) + len(items[position]) < room:
            found += items[position] + b"\0"
            position += 1
        if position == cursor and cursor < len(items):
            self.u32(written_at, len(items[cursor]) + 1)
            return BUFFER_LENGTH
        self.u64(end_at, position if position < len(items) else -1)
        return self.filled(at, room, found, written_at)


def status(session: "Session", does: Call, args: tuple[int, ...]) -> int:
    """Run one call. A handle that names nothing is the guest's mistake."""
    try:
        return does(session, *args)
    except KeyError:
        return BAD_HANDLE
