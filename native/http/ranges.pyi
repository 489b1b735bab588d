"""Range (C face: ranges.pxd)."""

__pyx_capi__: dict[str, object]  # what other kernels call

def parse_range(value: bytes, length: int) -> tuple[int, int] | bool:
    """(first, last), False when unsatisfiable, True when there is no range to obey."""
