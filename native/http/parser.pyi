"""One-pass strict parser of request heads (C face: parser.pxd, for Python: scanner.pyi)."""

__pyx_capi__: dict[str, object]  # what other kernels call
