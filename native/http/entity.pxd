"""Answers with their prebuilt heads."""

from native.http.image cimport Image

cdef class Answer:
    cdef readonly int status
    cdef readonly size_t size_bytes  # of the body
    cdef tuple pieces  # of the body
    cdef bytes head  # up to the value of Date

cdef class Entity(Answer):
    cdef readonly str etag
    cdef readonly str content_type
    cdef readonly str cache_control
    cdef readonly long long last_modified
    cdef tuple gzip_pieces  # None: there is no coded twin
    cdef size_t gzip_size
    cdef bytes tag  # quoted
    cdef bytes gzip_tag
    cdef bytes modified  # IMF-fixdate or b""
    cdef bytes gzip_head
    cdef bytes head_304
    cdef bytes gzip_head_304
    cdef bytes head_206  # up to the end of the fields that all ranges share
    cdef bint ranges
    cdef size_t holders  # connections that have some of it queued
    cdef Image image
    cdef long second  # in which `hits` were counted
    cdef size_t hits
    cdef size_t weight(self) noexcept
    cdef Image imaged(self, long second, const char* date, bint in_file)

cdef void hold(Entity entity) noexcept
cdef void let_go(Entity entity) noexcept
cdef size_t queued() noexcept

cdef class Refusal(Answer):
    cdef readonly str code
