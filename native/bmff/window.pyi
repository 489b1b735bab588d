"""Many short runs of a file, copied from its pages in memory (TR-44)."""

from typing import final

from typing_extensions import Buffer

@final
class Window:
    """A file, mapped. mincore tells the truth only to those who own it or may write to it."""

    def __new__(cls, fd: int, size: int) -> Window:
        """The first `size` bytes of an open file. OSError when it cannot be mapped."""
    def take(self, out: bytes, at: int, starts: Buffer, lengths: Buffer) -> bool:
        """Fill a fresh `out` from `at` to its end with the runs (int64 starts and lengths, bytes).

        False, and `out` is worth nothing, when some of it is not in memory, the runs are more than
        16 MB apart, or the file has become short. BoxError for runs that cannot be.
        """
