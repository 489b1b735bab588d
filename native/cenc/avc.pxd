"""AVC parameter sets and slice headers."""

from native.cenc.nal cimport Sets


cdef class AvcSets(Sets):
    cdef list sps
    cdef list pps
