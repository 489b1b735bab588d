"""Sample arrays to styp + moof + mdat header (TR-49..52)."""

from array import array

from typing_extensions import Buffer

__pyx_capi__: dict[str, object]  # what other kernels call

STYP: bytes

def head_sizes(
    durations: Buffer, ctos: Buffer, syncs: Buffer, bounds: Buffer, video: bool
) -> array[int]:
    """Bytes before the media of each segment bounds[s]..bounds[s + 1], without extra boxes; 0 for
    an empty one. Columns as `Samples` has them.
    """

def segment(
    sequence: int,
    decode_time: int,
    sizes: Buffer,
    durations: Buffer,
    ctos: Buffer,
    syncs: Buffer,
    video: bool,
    extra: bytes = b"",
) -> tuple[bytes, int]:
    """A CMAF segment of track 1 and where its media starts.

    The media bytes hold nothing yet: `read_runs` fills them before anybody sees the object.
    All four are int64 with one row a sample, in decode order. `extra`: whole boxes for the end of
    the moof.
    """
