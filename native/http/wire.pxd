"""The way out of one connection."""

from native.http.entity cimport Entity
from native.http.image cimport Image
from native.http.outbox cimport Outbox
from native.http.port cimport Port
from native.http.worker cimport Seat

cdef enum:  # what the deadline of a connection is for
    NEW = 0
    IDLE = 1
    READING = 2
    HOLDING = 3
    LEAVING = 4  # the client half-closed while its answer is in the making
    WRITING = 5
    STREAMING = 6
    LINGERING = 7

cdef class Wire(Seat):
    cdef Port port
    cdef readonly str peer
    cdef bytes address
    cdef Outbox outbox
    cdef Entity held  # what the queue is of
    cdef object task, waiter
    cdef int phase
    cdef double window  # HT-125: when the rate window began
    cdef size_t window_sent, sent  # octets taken by the kernel until then, until now
    cdef int settle(self) except -1
    cdef int wake(self, object gate, object answer, bytes dress) except -1
    cdef int advance(self) except -1
    cdef bint close_delimited(self) noexcept
    cdef void enter(self, int phase, double seconds) noexcept
    cdef int queue(self, bytes octets) except -1
    cdef int give_image(self, Image image) except -1
    cdef int queue_pieces(self, tuple pieces, size_t offset, size_t size) except -1
    cdef int gather(
        self, bytes head, const char* extra, const char* end, tuple pieces, size_t offset, size_t size, Entity entity
    ) except -1
    cdef int keep(self, Entity entity) except -1
    cdef void release_held(self) noexcept
    cdef int flush(self) except -1
    cdef void abort(self) noexcept
