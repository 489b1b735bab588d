"""One connection."""

from libc.stdint cimport uint8_t

from native.http.asking cimport Asking

cdef class Connection(Asking):
    cdef size_t size, room, dropped  # octets in `input`, their room; octets read while lingering
    cdef bint lingering, eof, said
    cdef bint unproxied  # the front's header comes first (HT-152)
    cdef int unwrap(self) except -1
    cdef bint more  # whole requests may wait in `input` for the next turn
    cdef int read(self) except -1
    cdef int process(self, const uint8_t* data, size_t size) except -1
    cdef int proceed(self) except -1
    cdef int hold(self, const uint8_t* data, size_t size) except -1
