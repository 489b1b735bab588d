"""Path and query of a target (C face: target.pxd)."""

__pyx_capi__: dict[str, object]  # what other kernels call

def split_target(target: bytes) -> tuple[bytes, bytes, bool]:
    """Decoded path, raw query, whether it names a known parameter; ValueError if ill-formed."""
