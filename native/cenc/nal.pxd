"""What a codec of NAL units tells of its units (PR-26, PR-27)."""

from libc.stdint cimport uint8_t


cdef class Sets:
    cdef int configure(self, const uint8_t* record, Py_ssize_t size) except -1
    cdef Sets branch(self)
    cdef Py_ssize_t head(self, const uint8_t* unit, Py_ssize_t size) except -2
