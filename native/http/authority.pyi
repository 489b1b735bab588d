"""Host values and absolute-form authorities (C face: authority.pxd)."""

__pyx_capi__: dict[str, object]  # what other kernels call
