"""Sample tables of a progressive track to flat arrays (ISO/IEC 14496-12:2022, 8.6, 8.7)."""

from array import array
from collections.abc import Iterable
from typing import final

from typing_extensions import Buffer

from native.bmff.model import Track

MAX_SAMPLES: int

@final
class Samples:
    """One row a sample, in decode order; times in media ticks."""

    @property
    def count(self) -> int: ...
    @property
    def offset(self) -> array[int]: ...
    @property
    def size(self) -> array[int]: ...
    @property
    def dts(self) -> array[int]: ...
    @property
    def duration(self) -> array[int]: ...
    @property
    def cto(self) -> array[int]: ...
    @property
    def sync(self) -> array[int]: ...
    def __init__(self, count: int) -> None: ...
    def __len__(self) -> int: ...

def read_samples(
    data: Buffer, track: Track, mdats: Iterable[tuple[int, int]], file_size: int
) -> Samples:
    """Read the tables that `parse_init(data)` found for the track.

    `mdats` are the byte ranges of the file that hold media. BoxError: `bad_table`,
    `offset_out_of_file`, `resolution_change`.
    """
