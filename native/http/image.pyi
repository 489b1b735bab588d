"""A whole answer ready to leave in one call (C face: image.pxd)."""

from typing_extensions import disjoint_base

__pyx_capi__: dict[str, object]  # what other kernels call

FILES_MAX: int

@disjoint_base
class Image:
    """Head, this second's date and the body of one hot object."""
