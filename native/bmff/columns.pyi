"""Numbers of many samples in few bytes: what the VOD index stores (TR-41)."""

from array import array
from typing import final

from typing_extensions import Buffer

MAX_ROWS: int

def pack(values: Buffer) -> bytes:
    """One column of int32, int64, uint8 or uint32 values; a whole number of 8 bytes."""

@final
class Column:
    """A packed column at byte `at` of an index, checked when it is opened."""

    @property
    def rows(self) -> int: ...
    @property
    def end(self) -> int:
        """Byte after the column."""

    def __init__(self, data: Buffer, at: int) -> None: ...
    def slice(self, start: int, stop: int) -> array[int]:
        """Rows start..stop as int64; BoxError outside of the column."""
