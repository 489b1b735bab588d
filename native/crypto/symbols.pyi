"""The process's libcrypto, found at run time, so that no headers are needed to build."""

__pyx_capi__: dict[str, object]  # what other kernels call

def library() -> str:
    """The shared library in use, or an empty text when there is none."""
