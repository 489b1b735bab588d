# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""Segments of one track in one form, as answers: all that they share is written once (HT-77).

What differs is the media, the number within the ETag, and what CMSD says of the object and the next
one (CTA-5006; specs/origin-http.md O16, O17, O24).
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING

from native.http.mold cimport cut, octets

cdef extern from "Python.h":
    bytes PyBytes_FromFormat(const char* format, ...)


@cython.final
cdef class Cast:
    def __init__(
        self,
        Mold mold not None,
        *,
        tuple tag not None,
        tuple fields not None,
        bytes last not None,
        Column starts not None,
        Column firsts not None,
        int64_t timescale,
    ):
        self.mold = mold
        self.tag, self.behind = octets(tag[0], 0x21, 0x22), octets(tag[1], 0x21, 0x22)
        self.lead, self.middle, self.end, self.suffix = fields
        self.last = last
        self.starts, self.firsts = starts, firsts
        self.segments = firsts.rows - 1
        self.timescale = timescale

    cdef bytes fields(self, Py_ssize_t number):
        cdef int64_t[2] bounds
        cdef int64_t[2] firsts
        cdef Py_ssize_t length_ms
        cdef const char* lead = PyBytes_AS_STRING(self.lead)
        self.starts.copy(number - 1, number + 1, bounds)
        length_ms = (bounds[1] - bounds[0]) * 1000 // self.timescale
        if number < self.segments:
            self.firsts.copy(number, number + 2, firsts)
            if firsts[0] != firsts[1]:
                return PyBytes_FromFormat(
                    "%s%zd%s%zd%s%zd%s", lead, length_ms, PyBytes_AS_STRING(self.middle), number + 1,
                    PyBytes_AS_STRING(self.end), number + 1, PyBytes_AS_STRING(self.suffix),
                )
        return PyBytes_FromFormat("%s%zd%s", lead, length_ms, PyBytes_AS_STRING(self.last))

    cdef Entity made(self, Py_ssize_t number, tuple pieces):
        return self.mold.poured(
            pieces,
            PyBytes_FromFormat(
                "%s%zd%s", PyBytes_AS_STRING(self.tag), number, PyBytes_AS_STRING(self.behind)
            ),
            self.fields(number),
        )

    def make(self, Py_ssize_t number, body):
        return self.made(number, cut(body))
