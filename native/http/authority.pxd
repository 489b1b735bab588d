"""host[:port] as offsets, RFC 3986 3.2 cut down to HT-41."""

from libc.stdint cimport uint8_t

cdef struct Authority:
    const uint8_t* name
    size_t size  # without a trailing dot
    int port  # -1: none given

cdef bint read_authority(const uint8_t* text, size_t size, Authority* out) noexcept nogil
cdef bint same_authority(const Authority* a, const Authority* b, int default_port) noexcept nogil
