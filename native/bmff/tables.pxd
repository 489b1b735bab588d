"""Columns of samples, for kernels that fill them."""

cdef class Samples:
    cdef readonly Py_ssize_t count
    cdef readonly object offset, size, dts, duration, cto, sync
