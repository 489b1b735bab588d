"""Entities of one kind."""

from native.http.entity cimport Entity

cdef bytes octets(str text, int low, int spared)
cdef tuple cut(body)

cdef class Mold:
    cdef str content_type, cache_control
    cdef long long last_modified
    cdef bytes modified, whole, unchanged, partial, shared
    cdef bint ranges
    cdef Entity poured(self, tuple pieces, bytes tag, bytes lines)
