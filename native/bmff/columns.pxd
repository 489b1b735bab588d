"""Packed columns of the VOD index."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef class Column:
    cdef const uint8_t[::1] data
    cdef int kind
    cdef uint32_t colours
    cdef int64_t constant
    cdef Py_ssize_t at  # first byte of the palette or the rows
    cdef readonly Py_ssize_t rows
    cdef readonly Py_ssize_t end
    cdef int copy(self, Py_ssize_t start, Py_ssize_t stop, int64_t* to) except -1
