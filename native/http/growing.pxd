"""An object whose end is not known yet."""

from native.http.entity cimport Answer, Entity

cdef enum:  # state
    OPEN = 0
    FINISHED = 1
    CUT = 2

cdef class Growing(Answer):
    cdef list chunks, sizes  # payloads; their chunk-size lines
    cdef dict following  # connections it streams to
    cdef int state
    cdef str content_type, cache_control
    cdef object headers
    cdef Entity whole  # what later requests get, made at the first of them
    cdef bytes head_206
    cdef int add(self, bytes data) except -1
    cdef int tell(self) except -1
    cdef Entity entity(self)
