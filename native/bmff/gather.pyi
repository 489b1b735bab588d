"""Read scattered runs of a file straight into place (TR-44)."""

from typing_extensions import Buffer

__pyx_capi__: dict[str, object]  # what other kernels call

def read_runs(
    fd: int, out: bytes, at: int, starts: Buffer, lengths: Buffer, wait: bool = True
) -> bool:
    """Fill a fresh `out` from `at` to its end with the runs (int64 starts and lengths, in bytes).

    Gaps up to 64 KiB are read over, larger ones split the read. With wait=False nothing blocks on a
    disk, and gaps count from 4 KiB on: False says that it would. A file that has become short is
    BoxError `truncated` (TR-7).
    """

def same_file(path: bytes, size: int, mtime_ns: int, inode: int) -> bool:
    """Whether what lies at a path is still the file it was."""
