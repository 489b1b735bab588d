"""Lines about answers."""

from libc.stdint cimport uint8_t, uint64_t

cdef struct Line:  # one answer; texts are not ended
    uint64_t connection, sequence, octets
    double took_ms
    const uint8_t* method
    size_t method_size
    const char* source
    const char* code  # of a refusal
    const uint8_t* path
    size_t path_size
    const uint8_t* query
    size_t query_size
    int minor, status
    bint closes

cdef class AccessLog:
    cdef object write
    cdef char* text
    cdef size_t used
    cdef readonly uint64_t lost
    cdef int add(self, Line* line, str peer) except -1
    cdef void put(self, const char* text) noexcept
    cdef void put_escaped(self, const uint8_t* text, size_t size) noexcept
    cdef void put_query(self, const uint8_t* text, size_t size) noexcept
