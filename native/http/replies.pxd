"""Answers of one connection."""

from libc.stdint cimport uint8_t, uint64_t

from native.http.entity cimport Answer, Entity
from native.http.parser cimport Head
from native.http.wire cimport Wire

cdef double monotonic_s() noexcept

cdef class Replies(Wire):
    cdef Head head
    cdef uint8_t* input  # octets not consumed yet; with a request in the making, its head first
    cdef const uint8_t* octets  # the head that is being answered, NULL: in `input`
    cdef uint64_t number, sequence  # of the connection, of the answer on it
    cdef double asked  # when the handler was, 0: it was not
    cdef bytes code  # of the refusal on its way
    cdef bytes dress  # field lines that this answer has instead of the port's
    cdef bint streaming, ending, hit
    cdef object request, source  # what a handler is asked; the chunks of the stream on its way
    cdef int consume(self) except -1
    cdef int log(self, int status, size_t octets) except -1
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
