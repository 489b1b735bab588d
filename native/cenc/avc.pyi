"""AVC parameter sets and slice headers (ITU-T H.264, 7.3; C face: avc.pxd)."""

from typing import final

from native.cenc.nal import Sets

@final
class AvcSets(Sets): ...

def interlaced(record: bytes) -> bool:
    """Whether an avcC allows fields (frame_mbs_only_flag 0); SampleError when it cannot be read."""
