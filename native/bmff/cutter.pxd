"""Segments of one track, from the columns of an index."""

from libc.stdint cimport int64_t

from native.bmff.columns cimport Column

cdef struct Plan:
    int64_t* rows  # whoever asked frees them, after an error too; sizes of the samples come first
    int64_t* starts  # of the runs in the source, among the rows as their lengths are
    int64_t* lengths
    Py_ssize_t samples
    Py_ssize_t runs
    Py_ssize_t head  # octets before the media
    int64_t media  # octets

cdef class Cutter:
    cdef Column first_sample, decode_time, first_run, first_byte
    cdef Column size, duration, cto, sync, run_samples, run_gap
    cdef readonly Py_ssize_t segments
    cdef bint video
    cdef bytes note
    cdef int64_t opening
    cdef int _span(self, Py_ssize_t number, int64_t* span) except -1
    cdef bytes plan(self, Py_ssize_t number, Plan* plan, bint whole)
