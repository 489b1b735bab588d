"""A segment's head and its places in the source, straight from the columns of an index."""

from array import array
from typing import final

from native.bmff.columns import Column

@final
class Cutter:
    """One track. KeyError for segments that there are not, numbered from 1."""

    @property
    def segments(self) -> int: ...
    def __init__(self, columns: dict[str, Column], video: bool, note: bytes) -> None:
        """`note`: whole boxes for the moof of the first segment."""
    def first(self, number: int) -> int:
        """The first sample of a segment, of the track's."""
    def blank(self, number: int) -> tuple[bytes, int, array[int], array[int]]:
        """A CMAF segment whose media is still to be read, where its media starts, and the runs of
        the source that hold it: offsets and lengths in bytes.
        """
    def parts(self, number: int) -> tuple[bytes, bytes, bytes, array[int], array[int]]:
        """The same apart: all before the media, the samples' sizes (u32 in the machine's byte
        order), the media that is still to be read; and its runs.
        """
