"""AVC parameter sets and slice headers (ITU-T H.264, 7.3; C face: avc.pxd)."""

from typing import final

from native.cenc.nal import Sets

@final
class AvcSets(Sets): ...

def interlaced(record: bytes) -> bool:
    """Whether an avcC allows fields (frame_mbs_only_flag 0); SampleError when it cannot be read."""

def shown(record: bytes) -> tuple[int, int, int, int, int, int, bool] | None:
    """What the VUI of an avcC's first sequence parameter set begins with (H.264, E.1.1):
    aspect_ratio_idc, sar_width, sar_height, primaries, transfer, matrix, full range. None without
    a VUI; SampleError when the record cannot be read.
    """
