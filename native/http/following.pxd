"""Answers that follow a growing object."""

from libc.stdint cimport int64_t, uint8_t

from native.http.growing cimport Growing
from native.http.replies cimport Replies

cdef class Following(Replies):
    cdef Growing growing  # on its way
    cdef size_t cursor  # next of its chunks
    cdef size_t skip  # octets of that chunk that are not wanted
    cdef size_t position  # octets of the object in front of the cursor
    cdef int give_growing(self, const uint8_t* data, Growing growing) except -1
    cdef int give_growing_range(self, const uint8_t* data, Growing growing) except -1
    cdef int follow(self, Growing growing, int status, bytes head, size_t first) except -1
    cdef int load(self) except -1
    cdef int pump(self) except -1
    cdef int unfollow(self) except -1
