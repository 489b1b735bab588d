"""HEVC parameter sets (ITU-T H.265, 7.3.2; C face: hevc_sets.pxd)."""

from typing import final

@final
class Sps: ...

@final
class Pps: ...

__pyx_capi__: dict[str, object]  # what the .pxd shares with other kernels
