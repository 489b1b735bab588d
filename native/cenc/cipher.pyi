"""The ciphers of common encryption over whole fragments (specs/protection.md PR-13..PR-20)."""

from typing_extensions import Buffer

from native.crypto import Aes

def cenc(key: Aes, data: bytearray, sizes: bytes, counts: bytes, ranges: bytes, ivs: bytes) -> None:
    """AES-CTR over the samples that lie end to end in `data`, in place.

    `sizes`: u32 per sample, `counts`: u16 per sample, the number of its ranges; 0 protects the
    whole sample. `ranges`: pairs of u32 (clear, protected) that span each sample exactly. `ivs`: 8
    or 16 bytes per sample. All in the machine's byte order. RangeError, before anything is changed.
    """

def cbcs(
    key: Aes,
    data: bytearray,
    sizes: bytes,
    counts: bytes,
    ranges: bytes,
    iv: bytes,
    crypt: int,
    skip: int,
) -> None:
    """AES-CBC over `crypt` of every `crypt + skip` blocks of each range, in place.

    Arguments as for `cenc`, but one constant IV of 16 bytes; the chain restarts at each range
    (PR-18). `skip` 0 takes all whole blocks. Blocks left over at a range's end that are fewer than
    `crypt` stay clear (PR-17).
    """

def cenc_copy(
    key: Aes, data: Buffer, sizes: bytes, counts: bytes, ranges: bytes, ivs: bytes
) -> bytes:
    """`cenc` on a copy of `data`."""

def cbcs_copy(
    key: Aes,
    data: Buffer,
    sizes: bytes,
    counts: bytes,
    ranges: bytes,
    iv: bytes,
    crypt: int,
    skip: int,
) -> bytes:
    """`cbcs` on a copy of `data`."""

def cenc_fresh(
    key: Aes, data: bytes, sizes: bytes, counts: bytes, ranges: bytes, ivs: bytes
) -> None:
    """`cenc` in place on bytes that were just made, and that nobody has seen."""

def cbcs_fresh(
    key: Aes,
    data: bytes,
    sizes: bytes,
    counts: bytes,
    ranges: bytes,
    iv: bytes,
    crypt: int,
    skip: int,
) -> None:
    """`cbcs` in place on bytes that were just made, and that nobody has seen."""

def cbcs_open(
    key: Aes,
    data: Buffer,
    sizes: bytes,
    counts: bytes,
    ranges: bytes,
    iv: bytes,
    crypt: int,
    skip: int,
    leftover: bool = False,
) -> bytes:
    """What `cbcs_copy` was given. `leftover`: of another hand, which encrypted also the whole
    blocks that a range's end leaves over (PR-17).
    """
