"""The C face of Ledger."""

from libc.stdint cimport int64_t


cdef class Ledger:
    cdef readonly list used
    cdef int64_t _turn_ms
    cdef str _turn_cdn
    cdef readonly list stalls
    cdef dict _settled
    cdef int64_t _stalled_at
    cdef bint _stalled
    cdef bint _by_state
    cdef bint _has_reported
    cdef int64_t _reported_ms

    cpdef void media(self, str cdn, int64_t at_ms)
    cpdef void turned(self, str cdn, int64_t at_ms)
    cpdef void state(self, str state, int64_t at_ms)
    cpdef void starved(self, int64_t duration_ms, int64_t at_ms)
    cpdef void reported(self, int64_t at_ms)
    cpdef str used_at(self, int64_t at_ms)
    cpdef dict charges(self)
    cdef void _stall(self, int64_t began_ms, int64_t lasted_ms)
