"""The disk that logs lie on: when it gets short, old media leaves before its time.

Theory of operation
1. Below `disk_reserve_bytes` every channel keeps what its playlists need (twice the window, HLS-7)
   and holds keep what they hold; all else leaves. With an archive only media leaves that is in it.
2. When that is not enough appends fail: the encoder is refused with 507 `disk_full`, nothing of its
   chunk counts, and the playlists move on with gaps. Media that is in memory or on the disk is
   served as before; the first append that succeeds goes on where the last one did.
"""

import os
from collections.abc import Callable
from pathlib import Path


def free_bytes(folder: Path) -> int:
    """What the file system of this folder still takes from us."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class Disk:
    """Watches one file system; `shed` lets go of what may go."""

    def __init__(
        self, free: Callable[[], int], reserve_bytes: int, shed: Callable[[], None]
    ) -> None:
        self.short = False
        self.free_bytes = 0
        self._free = free
        self._reserve_bytes = reserve_bytes
        self._shed = shed

    def look(self) -> None:
        """Measure, and let go of media while there is too little left; call it once a second."""
        self.free_bytes = self._free()
        self.short = self.free_bytes < self._reserve_bytes
        if self.short:
            self._shed()
