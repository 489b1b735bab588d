"""An open file of media: many short runs come from its pages, all others by reads (TR-44)."""

from typing import final

from typing_extensions import Buffer

WARM: int  # asks for many short runs before a file is mapped: its pages count as ours then

@final
class Source:
    """Takes the descriptor over: it closes with the object."""

    def __new__(cls, fd: int, size: int, mappable: bool) -> Source:
        """The first `size` bytes. `mappable`: it may be mapped, see Window."""
    def close(self) -> None: ...
    def read(self, at: int, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end."""
    def runs(
        self, out: bytes, at: int, starts: Buffer, lengths: Buffer, wait: bool = True
    ) -> bool:
        """Fill a fresh `out` from `at` to its end with the runs (int64 starts and lengths, bytes);
        False when that would wait and may not. BoxError and OSError as read_runs has them.
        """
