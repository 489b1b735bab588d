"""Sample arrays to styp + moof + mdat header (TR-49..52)."""

from collections.abc import Buffer

STYP: bytes

def segment(
    sequence: int,
    decode_time: int,
    sizes: Buffer,
    durations: Buffer,
    ctos: Buffer,
    syncs: Buffer,
    video: bool,
) -> tuple[bytearray, int]:
    """A CMAF segment of track 1 whose media bytes are still zero, and where they start.

    `sizes`, `durations`, `ctos`: int64, `syncs`: bytes, one each per sample, in decode order.
    """
