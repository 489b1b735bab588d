"""Path and query of a well-formed target."""

from libc.stdint cimport uint8_t

cdef struct Target:
    const uint8_t* path  # decoded
    size_t path_size
    const uint8_t* query  # raw, behind "?"
    size_t query_size
    bint known  # the query names a parameter that may change the answer

cdef bint read_path(const uint8_t* text, size_t size, uint8_t* room, Target* out) noexcept nogil
cdef bint read_query(const uint8_t* text, size_t size, Target* out) noexcept nogil
