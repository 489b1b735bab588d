"""Long texts that are mostly settled: bodies as pieces, their coded twin and their tag.

A settled leaf is deflated alone and ends on a byte boundary with an empty history (zlib's full
flush), so any sequence of leaves is one deflate stream (RFC 1951). The checksum of a sequence comes
from the checksums of its leaves: CRC-32 is linear, and appending n bytes multiplies by x^8n modulo
its polynomial (as zlib's crc32_combine does).
"""

import zlib
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from struct import pack

GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # RFC 1952: deflate, no time, unknown system
LEVEL = 6
TAG_BYTES = 16
POLYNOMIAL = 0xEDB88320
ONE = 1 << 31  # x^0, bits reflected


@dataclass(slots=True)
class Leaf:
    """A text that will not change. `number` and `start` are its owner's."""

    text: bytes
    number: int = 0
    start: int = 0
    deflated: bytes = field(init=False)
    crc: int = field(init=False)
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.deflated = _deflate(self.text, zlib.Z_FULL_FLUSH)
        self.crc = zlib.crc32(self.text)
        self.digest = blake2b(self.text, digest_size=TAG_BYTES).digest()


class Settled:
    """Leaves in order, with the checksum of their whole kept as they come and go."""

    def __init__(self) -> None:
        self.leaves: deque[Leaf] = deque()
        self.size_bytes = 0
        self.crc = 0

    def push(self, leaf: Leaf) -> None:
        self.leaves.append(leaf)
        self.crc = _times(_power(len(leaf.text)), self.crc) ^ leaf.crc
        self.size_bytes += len(leaf.text)

    def pop(self) -> Leaf:
        """Take the oldest leaf out."""
        leaf = self.leaves.popleft()
        self.size_bytes -= len(leaf.text)
        self.crc ^= _times(_power(self.size_bytes), leaf.crc)
        return leaf


class Pieces:
    """A document under construction. Texts between leaves are coded when it is finished."""

    def __init__(self) -> None:
        self.plain: list[bytes] = []
        self._coded: list[bytes] = [GZIP_HEAD]
        self._seam: list[str] = []
        self._crc = 0
        self._size_bytes = 0
        self._digest = blake2b(digest_size=TAG_BYTES)

    def text(self, text: str) -> None:
        self._seam.append(text)

    def settled(self, settled: Settled) -> None:
        if not settled.leaves:
            return
        self._close_seam(zlib.Z_FULL_FLUSH)
        self.plain += [leaf.text for leaf in settled.leaves]
        self._coded += [leaf.deflated for leaf in settled.leaves]
        self._crc = _times(_power(settled.size_bytes), self._crc) ^ settled.crc
        self._size_bytes += settled.size_bytes
        self._digest.update(b"".join(leaf.digest for leaf in settled.leaves))

    def finish(self) -> tuple[list[bytes], list[bytes], str]:
        """Plain pieces, gzip pieces (RFC 1952), and a tag for the whole."""
        self._close_seam(zlib.Z_FINISH)
        self._coded.append(pack("<II", self._crc, self._size_bytes & 0xFFFFFFFF))
        return self.plain, self._coded, self._digest.hexdigest()

    def joined(self) -> str:
        """The text so far, for short ones."""
        return b"".join([*self.plain, "".join(self._seam).encode()]).decode()

    def _close_seam(self, flush: int) -> None:
        seam = "".join(self._seam).encode()
        self._seam = []
        self.plain.append(seam)
        self._coded.append(_deflate(seam, flush))
        self._crc = zlib.crc32(seam, self._crc)
        self._size_bytes += len(seam)
        self._digest.update(blake2b(seam, digest_size=TAG_BYTES).digest())


def _deflate(text: bytes, flush: int) -> bytes:
    coder = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return coder.compress(text) + coder.flush(flush)


def _times(a: int, b: int) -> int:
    """a * b modulo the CRC polynomial; bit 31 is x^0."""
    product, bit = 0, ONE
    while a:
        if a & bit:
            product ^= b
            a ^= bit
        bit >>= 1
        b = b >> 1 ^ (POLYNOMIAL if b & 1 else 0)
    return product


@lru_cache(maxsize=4096)
def _power(size_bytes: int) -> int:
    """x^(8 * size_bytes) modulo the CRC polynomial."""
    power, square, bits = ONE, ONE >> 1, 8 * size_bytes
    while bits:
        if bits & 1:
            power = _times(square, power)
        square = _times(square, square)
        bits >>= 1
    return power
