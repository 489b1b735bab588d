"""AV1 frames and their tiles."""

from libc.stdint cimport uint8_t, uint32_t

from native.cenc.av1_header cimport REFS, Slot, Tiles
from native.cenc.av1_sequence cimport Sequence


cdef class Frames:
    cdef Sequence sequence
    cdef Slot[REFS] slots
    cdef Tiles tiles
    cdef int configure(self, const uint8_t* record, Py_ssize_t size) except -1
    cdef Frames branch(self)
    cdef Py_ssize_t unit(
        self, int kind, uint32_t temporal, uint32_t spatial, const uint8_t* data, Py_ssize_t size
    ) except -2
