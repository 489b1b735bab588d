"""Octets a connection still owes its peer."""

from libc.stdint cimport uint8_t

cdef enum:
    SENT_ALL = 0
    BLOCKED = 1
    BROKEN = -1

cdef enum:
    GATHER = 64  # pieces per sendmsg

cdef struct Piece:
    void* owner  # a counted reference to the bytes or the Entity
    const uint8_t* data  # NULL: octets of `fd` from `offset`
    size_t size
    int fd
    long long offset

cdef class Outbox:
    cdef Piece* pieces
    cdef size_t first, count, room
    cdef readonly size_t queued  # octets
    cdef int add(self, object owner, const uint8_t* data, size_t size, int fd, long long offset) except -1
    cdef int flush(self, int fd) noexcept
    cdef void take(self, size_t done) noexcept
    cdef void clear(self) noexcept
