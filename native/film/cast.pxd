"""Segments as answers."""

from libc.stdint cimport int64_t

from native.bmff.columns cimport Column
from native.http.entity cimport Entity
from native.http.mold cimport Mold

cdef class Cast:
    cdef Mold mold
    cdef Column starts, firsts
    cdef Py_ssize_t segments
    cdef int64_t timescale
    cdef bytes tag, behind
    cdef bytes lead, middle, end, suffix, last
    cdef bytes fields(self, Py_ssize_t number)
    cdef Entity made(self, Py_ssize_t number, tuple pieces)
