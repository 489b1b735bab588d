from libc.stdint cimport uint8_t

cdef void digest256(const uint8_t* data, size_t size, uint8_t* out) noexcept

cdef class Mac:
    cdef void* context
    cdef bytes secret

    cdef bint sealed(self, const uint8_t* data, size_t size, uint8_t* out) noexcept
    cdef bint holds_at(self, const uint8_t* data, size_t size, const uint8_t* seal) noexcept
