# cython: auto_pickle=False
"""Sockets, time and dates of one process: its own epoll set inside the event loop's.

The loop watches one descriptor, ours; a wake-up hands out every ready socket in one pass. In a rush,
when one pass follows the other and each has only a few sockets, a pass waits some microseconds for
more of them: fewer wake-ups on both sides are worth more than the wait. Timers
are one wheel with 0.5 s slots (HT-129): a seat whose deadline moved on is filed again only when its
old slot comes up, so a request costs no timer work.
"""

import asyncio

from libc.string cimport memcpy
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, nanosleep, timespec

from native.http.kernel cimport (
    EPOLL_CLOEXEC,
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    PR_SET_TIMERSLACK,
    close,
    epoll_create1,
    epoll_ctl,
    epoll_event,
    epoll_wait,
    prctl,
)

from native.http import dates

cdef enum:
    BATCH = 256
    BATCHES = 8  # before the loop gets its turn
    CROWD = 8  # so many at once: more have come meanwhile
    SLOTS = 512

cdef long PAUSE_NS = 20_000  # to gather a crowd ...
cdef long RUSH_NS = 50_000  # ... when the last pass ended so shortly before
cdef uint64_t NEVER = 0xFFFFFFFFFFFFFFFFu
TICK_S = 0.5
cdef uint64_t LAG_MAX = 4  # ticks made up for at once


cdef long long monotonic_ns() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef class Seat:
    """A descriptor in the set, with at most one deadline."""

    def __cinit__(self):
        self.fd = -1
        self.deadline = NEVER

    cdef int ready(self, uint32_t events) except -1:
        raise NotImplementedError

    cdef int expire(self) except -1:
        raise NotImplementedError

    cdef int want(self, uint32_t events) except -1:
        """Be woken for `events` from now on."""
        cdef epoll_event event
        if events != self.wanted and self.fd >= 0:
            event.events, event.data.ptr = events, <void*>self
            if epoll_ctl(self.worker.epoll, EPOLL_CTL_MOD, self.fd, &event) < 0:
                raise OSError("epoll_ctl")
            self.wanted = events
        return 0

    cdef void due(self, double seconds) noexcept:
        """Call expire() in `seconds`, or never if negative; replaces what was due."""
        cdef uint64_t tick
        if seconds < 0:
            self.deadline = NEVER
            return
        tick = self.worker.now + 1 + <uint64_t>(seconds * 2)
        self.deadline = tick
        if self.slot == 0 or self.slot > tick:
            self.worker.file(self, tick)

    cdef void leave(self) noexcept:
        """Close the descriptor; the object lives until this pass is over."""
        if self.fd >= 0:
            self.worker.unfile(self)
            # closing alone leaves the socket in the set while a forked child still has it
            epoll_ctl(self.worker.epoll, EPOLL_CTL_DEL, self.fd, NULL)
            close(self.fd)
            self.fd = -1
            self.worker.seats.discard(self)
            self.worker.gone.append(self)


cdef class Worker:
    """The set, the wheel and the date."""

    def __init__(self, loop):
        self.loop = loop
        self.seats = set()
        self.gone = []
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError("epoll_create1")
        prctl(PR_SET_TIMERSLACK, <unsigned long>1)  # or a pause would take its time and 50 us more
        self.born = loop.time()
        self.refresh()
        loop.add_reader(self.epoll, self.on_ready)
        self.timer = loop.call_later(TICK_S, self.on_tick)

    cdef int admit(self, Seat seat, int fd) except -1:
        """Put `seat` into the set for reading."""
        cdef epoll_event event
        event.events, event.data.ptr = 1, <void*>seat
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, fd, &event) < 0:
            raise OSError("epoll_ctl")
        seat.fd, seat.worker, seat.wanted = fd, self, 1
        self.seats.add(seat)
        return 0

    def on_ready(self) -> None:
        """Hand out what is ready, and what became ready meanwhile, a few batches at most."""
        cdef epoll_event events[BATCH]
        cdef int i, count, batch
        cdef Seat seat
        cdef timespec pause
        self.refresh()
        for batch in range(BATCHES):
            count = epoll_wait(self.epoll, events, BATCH, 0)
            if batch == 0 and 0 < count < CROWD and monotonic_ns() - self.passed < RUSH_NS:
                pause.tv_sec, pause.tv_nsec = 0, PAUSE_NS
                nanosleep(&pause, NULL)
                count = epoll_wait(self.epoll, events, BATCH, 0)
            for i in range(count):
                seat = <Seat>events[i].data.ptr
                if seat.fd >= 0:
                    try:
                        seat.ready(events[i].events)
                    except BaseException as error:
                        self.failed(seat, error)
            self.gone.clear()
            if count < CROWD:
                break
        self.passed = monotonic_ns()

    def on_tick(self) -> None:
        """Turn the wheel to the loop's time; while the loop stood still, nobody's time ran."""
        cdef uint64_t now = <uint64_t>((self.loop.time() - self.born) / TICK_S)
        self.timer = self.loop.call_later(TICK_S, self.on_tick)
        self.refresh()
        if now > self.now + LAG_MAX:
            self.born += (now - self.now - LAG_MAX) * TICK_S
            now = self.now + LAG_MAX
        while self.now < now:
            self.now += 1
            self.turn()
        self.hand_over()
        self.gone.clear()

    cdef int turn(self) except -1:
        cdef Seat seat
        while self.slots[self.now % SLOTS] != NULL:  # expire() may empty or fill other slots
            seat = <Seat>self.slots[self.now % SLOTS]
            self.unfile(seat)
            if seat.deadline <= self.now:
                seat.deadline = NEVER
                try:
                    seat.expire()
                except BaseException as error:
                    self.failed(seat, error)
            elif seat.deadline != NEVER:
                self.file(seat, seat.deadline)
        return 0

    def failed(self, seat: Seat, error: BaseException) -> None:
        """A fault of ours must not take the port down: report it, close that connection.

        Half of a request may have been done, so the connection never goes on; what is meant for the
        process goes on to the loop.
        """
        seat.leave()
        if not isinstance(error, (Exception, asyncio.CancelledError)):
            raise error
        self.loop.call_exception_handler({"message": "delivery connection", "exception": error})

    cdef void file(self, Seat seat, uint64_t tick) noexcept:
        cdef Seat head
        self.unfile(seat)
        if tick > self.now + SLOTS - 1:
            tick = self.now + SLOTS - 1
        seat.slot = tick
        seat.following = self.slots[tick % SLOTS]
        if seat.following != NULL:
            head = <Seat>seat.following
            head.previous = <void*>seat
        self.slots[tick % SLOTS] = <void*>seat

    cdef void unfile(self, Seat seat) noexcept:
        cdef Seat other
        if seat.slot == 0:
            return
        if seat.following != NULL:
            other = <Seat>seat.following
            other.previous = seat.previous
        if seat.previous != NULL:
            other = <Seat>seat.previous
            other.following = seat.following
        else:
            self.slots[seat.slot % SLOTS] = seat.following
        seat.previous = seat.following = NULL
        seat.slot = 0

    cdef void refresh(self) noexcept:
        """Date, once per second (HT-76)."""
        cdef timespec clock
        cdef bytes text
        clock_gettime(CLOCK_REALTIME, &clock)
        if clock.tv_sec != self.second:
            self.second = clock.tv_sec
            text = dates.format_date(self.second) + b"\r\n"
            set_text(self.date, text + b"\r\n")
            set_text(self.closing, text + b"Connection: close\r\n\r\n")
            set_text(self.keeping, text + b"Connection: keep-alive\r\n\r\n")

    def hand_over(self) -> None:
        """What was logged since the last tick."""
        if self.log is not None:
            try:
                self.log.flush()
            except Exception as error:
                self.loop.call_exception_handler({"message": "access log", "exception": error})

    def shut(self) -> None:
        """Close everything and stop watching."""
        self.hand_over()
        for seat in list(self.seats):
            (<Seat>seat).leave()  # freed with us, or when the pass that calls us is over
        if self.epoll >= 0:
            self.timer.cancel()
            self.loop.remove_reader(self.epoll)
            close(self.epoll)
            self.epoll = -1


cdef void set_text(char* room, bytes text) noexcept:
    cdef const char* octets = text
    memcpy(room, octets, len(text) + 1)
