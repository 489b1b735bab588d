"""Which stretches of a file hold a segment's samples (TR-41, TR-44)."""

from array import array

from typing_extensions import Buffer

__pyx_capi__: dict[str, object]  # what other kernels call

_Ints = array[int]

def find_runs(
    offset: Buffer, size: Buffer, bounds: Buffer
) -> tuple[_Ints, _Ints, _Ints, _Ints, _Ints]:
    """Runs of all segments; segment s holds the samples bounds[s]..bounds[s + 1] (int64).

    Answers samples per run, gap before each run, first run of each segment (one more at the end),
    first byte of each segment, media bytes of each segment.
    """

def place_runs(sizes: Buffer, counts: Buffer, gaps: Buffer, start: int) -> tuple[_Ints, _Ints]:
    """File offset and length of each run of one segment whose first byte is at `start`."""
