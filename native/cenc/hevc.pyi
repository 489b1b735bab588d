"""HEVC parameter sets and slice segment headers (ITU-T H.265, 7.3; C face: hevc.pxd)."""

from typing import final

from native.cenc.nal import Sets

@final
class HevcSets(Sets): ...
