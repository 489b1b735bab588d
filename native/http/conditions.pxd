"""Preconditions of one request head against one entity."""

from libc.stdint cimport uint8_t

from native.http.entity cimport Entity
from native.http.parser cimport Head

cdef bint conditional(Head* head) noexcept
cdef int judge(Head* head, const uint8_t* d, Entity entity, bytes tag) except -1
cdef bint same_version(Head* head, const uint8_t* d, Entity entity) noexcept
cdef bint accepts_gzip(Head* head, const uint8_t* d) noexcept
