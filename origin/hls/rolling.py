"""Long playlists that roll: what is settled is rendered and deflated once, in blocks.

Theory of operation
1. A block is the text of BLOCK consecutive segments that nothing can change any more. It is
   deflated on its own and ends with a full flush, so that blocks can follow each other in any body.
2. A run is blocks end to end. It keeps the CRC-32 of the whole, which grows at one end and shrinks
   at the other by arithmetic over GF(2), without looking at old text.
3. A body is a head, a run and a tail. Head and tail are all that is rendered and deflated for a new
   part; the gzip member is theirs and the run's deflate blocks in one, with the combined CRC
   (RFC 1952 2.3.1). Nothing is joined: bodies leave in pieces.
4. The tag is a hash of head, tail and the blocks' hashes: equal bytes have equal tags on every
   origin, because blocks begin at fixed numbers.
"""

from collections import deque
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple
from zlib import DEF_MEM_LEVEL, DEFLATED, MAX_WBITS, Z_FINISH, Z_FULL_FLUSH, compressobj, crc32

BLOCK = 32  # segments
LEVEL = 6
SMALL = (12, 6)  # window bits and memory level of texts that fit into such a window
TAG_CHARACTERS = 32  # of a SHA-256 in hexadecimal
GZIP_HEAD = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])  # no name, no time, unknown system
POLYNOMIAL = 0xEDB88320
ONE = 1 << 31  # x^0, bits reflected as in CRC-32


class Text(NamedTuple):
    """A body in pieces: plain, as one gzip member, and the tag of what it says."""

    plain: tuple[bytes, ...]
    gzip: tuple[bytes, ...]
    etag: str


class Block(NamedTuple):
    """Settled text with all that a body around it needs to know."""

    plain: bytes
    coded: bytes
    crc: int
    digest: bytes


class _Joint(NamedTuple):
    """What all blocks of a run add to any body around it."""

    plain: tuple[bytes, ...]
    coded: tuple[bytes, ...]
    digest: bytes


def block(plain: bytes) -> Block:
    return Block(plain, _deflated(plain, Z_FULL_FLUSH), crc32(plain), sha256(plain).digest())


def whole(text: bytes) -> Text:
    """A body without settled blocks."""
    return Text((text,), (_member(text),), sha256(text).hexdigest()[:TAG_CHARACTERS])


class Run:
    """Blocks end to end."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._crc = 0
        self._shift = ONE
        self._blocks: deque[Block] = deque()
        self._joint: _Joint | None = None  # of the blocks as they are

    def __len__(self) -> int:
        return len(self._blocks)

    def append(self, new: Block) -> None:
        shift = power(len(new.plain))
        self.size_bytes += len(new.plain)
        self._crc = combined(self._crc, new.crc, shift)
        self._shift = product(self._shift, shift)
        self._blocks.append(new)
        self._joint = None

    def drop(self) -> None:
        """Let go of the oldest block."""
        old = self._blocks.popleft()
        self.size_bytes -= len(old.plain)
        self._shift = power(self.size_bytes)
        self._crc ^= product(self._shift, old.crc)
        self._joint = None

    def wrapped(self, head: bytes, tail: bytes) -> Text:
        """The body of this run between head and tail."""
        if not self._blocks:
            return whole(head + tail)
        joint = self._joint = self._joint or _joined(self._blocks)
        tag = sha256(b"%d:%d:" % (len(head), len(tail)) + head + joint.digest + tail)
        crc = crc32(tail, combined(crc32(head), self._crc, self._shift))
        size = len(head) + self.size_bytes + len(tail)
        first = GZIP_HEAD + _deflated(head, Z_FULL_FLUSH)
        last = _deflated(tail, Z_FINISH) + _trailer(crc, size)
        return Text(
            (head, *joint.plain, tail),
            (first, *joint.coded, last),
            tag.hexdigest()[:TAG_CHARACTERS],
        )


def combined(first: int, second: int, shift: int) -> int:
    """The CRC-32 of two texts end to end; `shift` is `power` of the second's length in bytes."""
    return product(shift, first) ^ second


def product(a: int, b: int) -> int:
    """a * b modulo the polynomial of CRC-32, bits reflected (zlib's crc32_combine)."""
    result = 0
    bit = ONE
    while a:
        if a & bit:
            result ^= b
            a ^= bit
        bit >>= 1
        b = (b >> 1) ^ POLYNOMIAL if b & 1 else b >> 1
    return result


def _squares(count: int) -> list[int]:
    """x^8 and what it becomes by squaring again and again."""
    found = [ONE >> 8]
    while len(found) < count:
        found.append(product(found[-1], found[-1]))
    return found


SQUARES = _squares(64)


def power(size_bytes: int) -> int:
    """x^(8 * size_bytes) modulo the polynomial."""
    result = ONE
    for bit in range(size_bytes.bit_length()):
        if size_bytes >> bit & 1:
            result = product(SQUARES[bit], result)
    return result


def _joined(blocks: Iterable[Block]) -> _Joint:
    digest = sha256(b"".join(b.digest for b in blocks)).digest()
    return _Joint(tuple(b.plain for b in blocks), tuple(b.coded for b in blocks), digest)


def _deflated(data: bytes, flush: int) -> bytes:
    """Raw deflate data. Small text gets a small window: zlib clears all of it first."""
    bits, memory = SMALL if len(data) <= 1 << SMALL[0] else (MAX_WBITS, DEF_MEM_LEVEL)
    deflater = compressobj(LEVEL, DEFLATED, -bits, memory)
    return deflater.compress(data) + deflater.flush(flush)


def _member(data: bytes) -> bytes:
    return GZIP_HEAD + _deflated(data, Z_FINISH) + _trailer(crc32(data), len(data))


def _trailer(crc: int, size_bytes: int) -> bytes:
    return crc.to_bytes(4, "little") + (size_bytes & 0xFFFFFFFF).to_bytes(4, "little")
