"""The table of hot objects."""

from libc.stdint cimport uint8_t, uint64_t

from native.http.entity cimport Entity

cdef struct Slot:
    uint64_t hash
    const char* path  # NULL: empty
    size_t size
    void* entity

cdef class Hot:
    cdef dict owned  # path octets -> Entity: keeps alive what the slots point at
    cdef Slot* slots
    cdef size_t mask
    cdef size_t seek(self, const uint8_t* path, size_t size, uint64_t hash) noexcept
    cdef Entity find(self, const uint8_t* path, size_t size)
    cdef int grow(self, size_t room) except -1
    cdef void insert(self, bytes path, Entity entity) noexcept
