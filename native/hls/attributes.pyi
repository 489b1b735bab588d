"""Attribute lists (C face: attributes.pxd)."""

from native.hls.model import Attribute

def attributes(value: bytes) -> list[Attribute]:
    """The attribute list of a tag as far as it is well-formed (section 4.2)."""

__pyx_capi__: dict[str, object]  # what other kernels call
