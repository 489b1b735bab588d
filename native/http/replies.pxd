"""Answers of one connection."""

from libc.stdint cimport uint8_t

from native.http.entity cimport Answer, Entity
from native.http.parser cimport Head
from native.http.wire cimport Wire

cdef class Replies(Wire):
    cdef Head head
    cdef bint streaming, ending, hit
    cdef object request, source  # what a handler is asked; the chunks of the stream on its way
    cdef int consume(self) except -1
    cdef int refuse(self, int number) except -1
    cdef int give_answer(self, Answer answer) except -1
    cdef int give_entity(self, const uint8_t* data, Entity entity) except -1
    cdef int send(
        self, Entity entity, int status, bytes head, const char* extra, tuple pieces, size_t offset, size_t size
    ) except -1
    cdef int give_unsatisfiable(self, long long length) except -1
    cdef bint begin_endless(self, int status, bytes head) except -1
    cdef int end_endless(self) except -1
    cdef int begin_stream(self, object made) except -1
