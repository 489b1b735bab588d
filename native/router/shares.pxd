from libc.stdint cimport uint64_t

cdef enum:
    CDNS_MAX = 64

cdef uint64_t mix(uint64_t seed) noexcept nogil


cdef class Shares:
    cdef readonly int count
    cdef uint64_t _everyone
    cdef uint64_t _urgent
    cdef double _share[CDNS_MAX]
    cdef double _leave[CDNS_MAX]
    cdef int _ranked[CDNS_MAX]

    cdef int drawn(self, uint64_t allowed, double at) noexcept nogil
    cdef int step(self, int current, bint settled, uint64_t allowed, uint64_t seed) noexcept nogil
