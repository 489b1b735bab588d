"""HEVC parameter sets and slice segment headers."""

from native.cenc.nal cimport Sets


cdef class HevcSets(Sets):
    cdef list sps
    cdef list pps
