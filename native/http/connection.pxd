"""One connection."""

from libc.stdint cimport uint8_t, uint32_t

from native.http.entity cimport Answer, Entity
from native.http.outbox cimport Outbox
from native.http.parser cimport Head
from native.http.port cimport Port
from native.http.target cimport Target
from native.http.worker cimport Seat

cdef class Connection(Seat):
    cdef Port port
    cdef readonly str peer
    cdef bytes address
    cdef Outbox outbox
    cdef uint8_t* input  # octets not consumed yet; with a request in the making, its head first
    cdef size_t size, room
    cdef int phase
    cdef bint busy, streaming, ending, lingering, eof, said
    cdef size_t dropped
    cdef double window  # HT-125: when the rate window began
    cdef size_t window_sent, sent  # octets taken by the kernel until then, until now
    cdef object task, waiter, request
    cdef Head head
    cdef int read(self) except -1
    cdef int process(self, const uint8_t* data, size_t size) except -1
    cdef int hold(self, const uint8_t* data, size_t size) except -1
    cdef int serve(self, const uint8_t* data) except -1
    cdef int give(self, const uint8_t* data, object result) except -1
    cdef int give_entity(self, const uint8_t* data, Entity entity) except -1
    cdef int refuse(self, int number) except -1
    cdef int send(
        self, Entity backed, int status, bytes head, const char* extra, bytes body, size_t offset, size_t size
    ) except -1
    cdef int queue(self, bytes octets) except -1
    cdef object cut_request(self, const uint8_t* data, Target* target)
    cdef int handler_failed(self, error) except -1
    cdef int begin_stream(self, object stream) except -1
    cdef int proceed(self) except -1
    cdef int settle(self) except -1
    cdef int flush(self) except -1
    cdef void enter(self, int phase, double seconds) noexcept
    cdef void abort(self) noexcept
