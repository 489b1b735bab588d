"""Byte ranges as positions."""

from libc.stdint cimport int64_t, uint8_t

cdef enum:
    IGNORED = 0
    SATISFIED = 1
    UNSATISFIABLE = 2

cdef enum:  # forms of a range that is not ignored
    CLOSED = 1  # first-last
    OPEN = 2  # first-
    SUFFIX = 3  # -last

cdef int read_form(const uint8_t* text, size_t size, int64_t* first, int64_t* last) noexcept nogil
cdef int read_range(
    const uint8_t* text, size_t size, int64_t length, int64_t* first, int64_t* last
) noexcept nogil
