"""AV1 frames and their tiles (AV1 Bitstream and Decoding Process, 5.9; C face: av1.pxd)."""

from typing import final

@final
class Frames: ...
