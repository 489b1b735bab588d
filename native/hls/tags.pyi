"""Tags by number (C face: tags.pxd)."""

NAMES: tuple[bytes, ...]

__pyx_capi__: dict[str, object]  # what other kernels call
