"""Accept-Encoding (C face: codings.pxd)."""

__pyx_capi__: dict[str, object]  # what other kernels call

def wants_gzip(lines: list[bytes]) -> bool:
    """The choice for the field spread over `lines`; none: identity."""
