"""Lines about answers (C face: accesslog.pxd)."""

from collections.abc import Callable

from typing_extensions import disjoint_base

ROOM_BYTES: int
TEXT_BYTES_MAX: int

@disjoint_base
class AccessLog:
    """Collects JSON lines without an object per answer; a timer hands them on (HT-160, HT-161)."""

    def __new__(cls, write: Callable[[bytes], None]) -> AccessLog: ...
    @property
    def lost(self) -> int:
        """Lines that found no room between two hand-overs."""
    def flush(self) -> None:
        """Hand over what is there, whole lines, at most ROOM_BYTES."""
