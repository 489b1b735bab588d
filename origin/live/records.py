"""The index record of the track log: one fixed row for each chunk, sealed by its own checksum.

Little-endian, 48 bytes: offset u64, size u32, crc u32 of the media bytes, decode time u64, duration
u64, earliest presentation time u64, flags u32, seal u32 (CRC-32 of the 44 bytes before it).
"""

from dataclasses import dataclass, field
from struct import Struct
from zlib import crc32

_BODY = Struct("<QIIQQQI")
_SEAL = Struct("<I")
RECORD_BYTES = _BODY.size + _SEAL.size

INDEPENDENT = 1  # starts with a sample that needs no other
RAW = 4  # in the source's own time, kept until the channel has a grid (anchor.py)
END = 2  # no media: the segment that holds decode_time is whole
VOID = 8  # no media: what came before for the segment that holds decode_time does not count
SLATE = 16  # filler (brand `slat`, C7): gives way to real media until it is published (I8)
TIME_LIMIT = 1 << 63


@dataclass(frozen=True, slots=True)
class Record:
    """One chunk of the log, times in ticks; `offset` is within its volume, `row` in its index."""

    offset: int
    size: int
    crc: int
    decode_time: int
    duration: int
    earliest: int
    flags: int
    row: int = field(default=0, compare=False)

    @property
    def end(self) -> int:
        return self.decode_time + self.duration


def pack(record: Record) -> bytes:
    body = _BODY.pack(
        record.offset,
        record.size,
        record.crc,
        record.decode_time,
        record.duration,
        record.earliest,
        record.flags,
    )
    return body + _SEAL.pack(crc32(body))


def unpack(data: bytes, *, first_row: int = 0) -> list[Record]:
    """Records up to the first that is cut or whose seal is broken: the torn tail of a crash."""
    found = []
    for row in range(len(data) // RECORD_BYTES):
        at = row * RECORD_BYTES
        body = data[at : at + _BODY.size]
        if _SEAL.unpack_from(data, at + _BODY.size)[0] != crc32(body):
            break
        found.append(Record(*(*_BODY.unpack(body), first_row + row)))
    return found
