"""AV1 sequence headers (AV1 Bitstream and Decoding Process, 5.5; C face: av1_sequence.pxd)."""

from typing import final

@final
class Sequence: ...

__pyx_capi__: dict[str, object]  # what the .pxd shares with other kernels
