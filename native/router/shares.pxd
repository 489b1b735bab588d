from libc.stdint cimport uint64_t

cdef enum:
    CDNS_MAX = 64

cdef inline uint64_t mix(uint64_t seed) noexcept nogil:
    cdef uint64_t z = seed + <uint64_t>0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef class Shares:
    cdef readonly int count
    cdef uint64_t _everyone
    cdef uint64_t _urgent
    cdef double _share[CDNS_MAX]
    cdef double _leave[CDNS_MAX]
    cdef int _ranked[CDNS_MAX]

    cdef int drawn(self, uint64_t allowed, double at) noexcept nogil
    cdef int step(self, int current, bint settled, uint64_t allowed, uint64_t seed) noexcept nogil
