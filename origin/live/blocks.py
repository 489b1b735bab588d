"""What of a volume is in the archive: a journal beside the volume, `{ordinal}.archive`.

Each row names one object that was stored and read back as right: its place in the volume's media,
its length and CRC-32, little-endian, sealed like the index (20 bytes). Rows lie end to end, so the
last one tells how far the archive goes. The journal outlives the volume's other files until the
objects are deleted, so that no crash leaves an object that nobody knows.
"""

import os
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from zlib import crc32

from origin.live.volume import Volume, storing

_BODY = Struct("<QII")
_ROW = Struct("<QIII")


@dataclass(frozen=True, slots=True)
class Block:
    """One object: the media bytes from `offset` on."""

    offset: int
    size: int
    crc: int

    @property
    def end(self) -> int:
        return self.offset + self.size


class Blocks:
    """The archived blocks of one volume, read from its journal."""

    def __init__(self, folder: Path, ordinal: int) -> None:
        self.path = Volume(folder, ordinal).archive
        self.ordinal = ordinal
        self.blocks: list[Block] = []
        data = self.path.read_bytes() if self.path.exists() else b""
        for at in range(0, len(data) - _ROW.size + 1, _ROW.size):
            offset, size, crc, seal = _ROW.unpack_from(data, at)
            if seal != crc32(data[at : at + _BODY.size]) or offset != self.end:
                break
            self.blocks.append(Block(offset, size, crc))

    @property
    def end(self) -> int:
        """How many bytes of the volume's media are in the archive."""
        return self.blocks[-1].end if self.blocks else 0

    def append(self, block: Block) -> None:
        """Note a block that follows the last; it lasts when this returns."""
        body = _BODY.pack(block.offset, block.size, block.crc)
        row = body + crc32(body).to_bytes(4, "little")
        with storing():
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.pwrite(descriptor, row, len(self.blocks) * _ROW.size)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self.blocks.append(block)

    def covering(self, start: int, end: int) -> list[Block]:
        """The blocks with the bytes [start, end); fewer than asked when not all are archived."""
        first = max(bisect_right([b.offset for b in self.blocks], start) - 1, 0)
        return [b for b in self.blocks[first:] if b.offset < end and b.end > start]
