from libc.stdint cimport uint8_t

cdef void digest256(const uint8_t* data, size_t size, uint8_t* out) noexcept

cdef enum:
    STATE_BYTES = 256  # SHA256_CTX is 112 in every release since 0.9.8

cdef class Mac:
    cdef uint8_t[STATE_BYTES] inner
    cdef uint8_t[STATE_BYTES] outer
    cdef bytes secret

    cdef void sealed(self, const uint8_t* data, size_t size, uint8_t* out) noexcept
    cdef bint holds_at(self, const uint8_t* data, size_t size, const uint8_t* seal) noexcept
