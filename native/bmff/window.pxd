"""A file, mapped."""

from libc.stdint cimport int64_t

cdef class Window:
    cdef char* base
    cdef int64_t size
    cdef bint copy(
        self, char* target, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs
    ) noexcept nogil
    cdef bint _at_hand(
        self, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs
    ) noexcept nogil
