"""Preconditions, If-Range, coding choice (C face: conditions.pxd)."""

__pyx_capi__: dict[str, object]  # what other kernels call
