"""The event floor of one process."""

from libc.stdint cimport uint32_t, uint64_t

cdef class Seat:
    cdef int fd
    cdef Worker worker
    cdef uint32_t wanted  # epoll events
    cdef uint64_t deadline  # tick; NEVER while there is none
    cdef uint64_t slot  # tick it is filed under, 0: in no list
    cdef void* previous
    cdef void* following
    cdef int ready(self, uint32_t events) except -1
    cdef int expire(self) except -1
    cdef int want(self, uint32_t events) except -1
    cdef void due(self, double seconds) noexcept
    cdef void leave(self) noexcept

cdef class Worker:
    cdef object loop
    cdef int epoll
    cdef set seats
    cdef list gone  # left seats, kept until no event and no slot can name them
    cdef uint64_t now  # ticks of 0.5 s since start
    cdef double born
    cdef void* slots[512]
    cdef object timer
    cdef public object log  # an AccessLog, or None
    cdef long second
    cdef long long passed  # when the last pass ended, ns
    cdef char date[64]  # value of Date and the end of a head that stays open
    cdef char closing[64]  # ... with Connection: close
    cdef char keeping[64]  # ... with Connection: keep-alive, for 1.0 peers
    cdef int admit(self, Seat seat, int fd) except -1
    cdef void file(self, Seat seat, uint64_t tick) noexcept
    cdef void unfile(self, Seat seat) noexcept
    cdef int turn(self) except -1
    cdef void refresh(self) noexcept
