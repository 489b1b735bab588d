"""HEVC parameter sets and slice segment headers (ITU-T H.265, 7.3; C face: hevc.pxd)."""

from typing import final

from native.cenc.nal import Sets

@final
class HevcSets(Sets): ...

def shown(record: bytes) -> tuple[int, int, int, int, int, int, bool] | None:
    """As native.cenc.avc.shown, of an hvcC (H.265, E.2.1)."""
