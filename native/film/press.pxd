"""Segments made in one call."""

from native.bmff.cutter cimport Cutter
from native.bmff.source cimport Source
from native.film.cast cimport Cast
from native.http.entity cimport Entity

cdef class Press:
    cdef Cutter cutter
    cdef Source source
    cdef Cast cast
    cdef str leaf
    cdef tuple marks
    cdef object recall, keep
    cdef Entity answer(self, Py_ssize_t number)
    cdef bytes media(self, Py_ssize_t number)
