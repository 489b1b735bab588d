"""Pieces of AV1 frame headers (C face: av1_header.pxd)."""

__pyx_capi__: dict[str, object]  # what the .pxd shares with other kernels
