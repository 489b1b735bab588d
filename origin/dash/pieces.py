"""Manifests in which much is settled: bodies in pieces, their coded twin, and a tag made of parts.

Settled text lies in blocks whose checksums combine, as in playlists (hls/rolling.py). A manifest
has several runs of blocks, one for each timeline, with text between them.
"""

import zlib
from collections import deque
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from origin.hls.rolling import (
    GZIP_HEAD,
    LEVEL,
    ONE,
    Block,
    Text,
    block,
    combined,
    power,
    product,
)


class Leaf(NamedTuple):
    """A block of runs: the number and the time (ticks) at which the first begins."""

    block: Block
    number: int
    start: int


class Settled:
    """Leaves end to end; what a body needs to know of their whole is kept as they come and go."""

    def __init__(self) -> None:
        self.plain: tuple[bytes, ...] = ()
        self.coded: tuple[bytes, ...] = ()
        self.digest = b""
        self.size_bytes = 0
        self.crc = 0
        self.shift = ONE
        self._leaves: deque[Leaf] = deque()

    def __len__(self) -> int:
        return len(self._leaves)

    def __iter__(self) -> Iterator[Leaf]:
        return iter(self._leaves)

    def __reversed__(self) -> Iterator[Leaf]:
        return reversed(self._leaves)

    def push(self, text: str, number: int, start: int) -> None:
        leaf = Leaf(block(text.encode()), number, start)
        self.crc = combined(self.crc, leaf.block.crc, power(len(leaf.block.plain)))
        self._leaves.append(leaf)
        self._changed(len(leaf.block.plain))

    def pop(self) -> Leaf:
        """Take the oldest leaf out."""
        leaf = self._leaves.popleft()
        self._changed(-len(leaf.block.plain))
        self.crc ^= product(self.shift, leaf.block.crc)
        return leaf

    def _changed(self, by_bytes: int) -> None:
        self.size_bytes += by_bytes
        self.shift = power(self.size_bytes)
        self.plain = tuple(leaf.block.plain for leaf in self._leaves)
        self.coded = tuple(leaf.block.coded for leaf in self._leaves)
        self.digest = sha256(b"".join(leaf.block.digest for leaf in self._leaves)).digest()


class Pieces:
    """A document under construction: text, and settled text between."""

    def __init__(self) -> None:
        self._plain: list[bytes] = []
        self._coded: list[bytes] = [GZIP_HEAD]
        self._seam: list[str] = []
        self._coder = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = self._size_bytes = 0
        self._digest = sha256()

    def text(self, text: str) -> None:
        self._seam.append(text)

    def settled(self, settled: Settled) -> None:
        if not settled:
            return
        self._close_seam(zlib.Z_FULL_FLUSH)
        self._plain += settled.plain
        self._coded += settled.coded
        self._size_bytes += settled.size_bytes
        self._crc = combined(self._crc, settled.crc, settled.shift)
        self._digest.update(settled.digest)

    def finish(self) -> Text:
        """The whole; nothing may be added any more."""
        self._close_seam(zlib.Z_FINISH)
        size = (self._size_bytes & 0xFFFFFFFF).to_bytes(4, "little")
        self._coded.append(self._crc.to_bytes(4, "little") + size)
        return Text(tuple(self._plain), tuple(self._coded), self._digest.hexdigest()[:32])

    def joined(self) -> str:
        """The text so far, for short ones."""
        return b"".join([*self._plain, "".join(self._seam).encode()]).decode()

    def _close_seam(self, flush: int) -> None:
        seam = "".join(self._seam).encode()
        self._seam = []
        self._plain.append(seam)
        self._coded.append(self._coder.compress(seam) + self._coder.flush(flush))
        self._crc = zlib.crc32(seam, self._crc)
        self._size_bytes += len(seam)
        self._digest.update(sha256(seam).digest())
