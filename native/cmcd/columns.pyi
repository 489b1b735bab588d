from collections.abc import Sequence
from typing import Final

from native.cmcd.orderly import Orderly

TEXTS: Final[tuple[int, ...]]

def read(
    orderly: Orderly, names: Sequence[str], body: bytes, ends: list[int]
) -> tuple[
    int,
    dict[str, tuple[bytearray, bytearray, bytearray]],
    bytearray,
    bytearray,
    list[str],
    list[tuple[int, bytes]],
]:
    """Bodies one after the other, each up to its offset in `ends`, as columns.

    How many records are in them; of each key its validity bits, then its numbers (a list's
    greatest; a boolean is 0 or 1) or its offsets and text (a list's first; without query and
    fragment); the frame of each record; the place of its host, which is its URL's, else its `h`,
    else empty, in the list that follows; and the lines that are not in perfect order, each with its
    frame. Places are of 32 bits, buffers may be longer than their content. Raises ValueError for
    ends that do not rise or more than 1 GiB.
    """
