# cython: auto_pickle=False
"""One connection of the delivery port: requests in, answers out, in order (specs/http1.md).

Rules
1. At most one request is in the making; what is pipelined behind it waits as octets (HT-63).
2. The next request is looked at when the answer before it has left for the kernel: nothing but the
   rest of one answer is ever queued.
3. A request in the making keeps its head at the front of `input`, so that conditions and ranges are
   judged on octets when the entity is there.
4. settle() is the only place that decides what is waited for: events and the deadline.
"""

import ipaddress

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from native.http.kernel cimport EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, SHUT_WR, recv, shutdown
from native.http.parser cimport FAULT, MORE, begin, scan
from native.http.port cimport Port
from native.http.wire cimport (
    HOLDING,
    IDLE,
    LEAVING,
    LINGERING,
    NEW,
    READING,
    STREAMING,
    WRITING,
    Wire,
)

from native.http import errors, proxy, tables

cdef size_t INPUT_MAX = tables.INPUT_BYTES_MAX
cdef int TURN_ANSWERS = 16  # HT-63: of one connection before the others get their turn
cdef int HEAD_TIMEOUT = errors.NUMBER["head_timeout"]
cdef int HOLD_EXPIRED = errors.NUMBER["hold_expired"]
cdef int DRAINING = errors.NUMBER["draining"]


cdef class Connection(Asking):
    """A client, from accept to close."""

    def __dealloc__(self):
        free(self.input)

    # -- events ------------------------------------------------------------------------------------

    cdef int ready(self, uint32_t events) except -1:
        if events & (EPOLLERR | EPOLLHUP):
            self.port.resets += not self.lingering
            self.leave()
            return 0
        if events & EPOLLOUT:
            if self.outbox.queued:
                self.flush()
            if self.outbox.queued == 0:
                self.proceed()
        if events & EPOLLIN and self.fd >= 0:
            self.read()
        return self.settle()

    cdef int read(self) except -1:
        """Take what is there, up to the input limit."""
        cdef ssize_t got
        cdef size_t ask = INPUT_MAX if self.lingering else INPUT_MAX - self.size
        if ask == 0:
            return 0
        got = recv(self.fd, self.port.input, ask, 0)
        if got < 0:
            if errno != EAGAIN and errno != EINTR:
                self.port.resets += 1
                self.leave()
        elif got == 0:
            self.eof = True
        elif self.lingering:
            self.dropped += got
            if self.dropped > self.port.linger_bytes:
                self.leave()
        elif self.unproxied:
            self.hold(self.port.input, got)
            self.unwrap()
        elif not self.ending:
            self.said = True
            if self.size == 0:
                self.process(self.port.input, got)
            else:
                self.hold(self.port.input, got)
                self.process(self.input, self.size)
        return 0

    cdef int unwrap(self) except -1:
        """Take the front's header off; anything else than one ends the connection (HT-152)."""
        cdef Port port = self.port
        cdef size_t taken
        try:
            header = proxy.read_header(self.input[: self.size])
        except ValueError:
            port.proxy_faults += 1
            self.abort()
            return 0
        if header is None:
            return 0
        if header.address is not None:
            known = header.address[:4] if len(header.address) == 4 else header.address[:8]
            if not port.move(self.address, known):
                port.shed += 1
                self.abort()
                return 0
            self.address, self.peer = known, str(ipaddress.ip_address(header.address))
        self.unproxied = False
        self.due(port.first_octet_s)
        taken = header.size
        self.size -= taken
        memmove(self.input, self.input + taken, self.size)
        self.said = self.size > 0
        return self.process(self.input, self.size)

    cdef int hold(self, const uint8_t* data, size_t size) except -1:
        """Append to the octets not consumed yet."""
        cdef uint8_t* grown
        if self.size + size > self.room:
            grown = <uint8_t*>realloc(self.input, self.size + size)
            if grown == NULL:
                raise MemoryError
            self.input, self.room = grown, self.size + size
        memcpy(self.input + self.size, data, size)
        self.size += size
        return 0

    cdef int process(self, const uint8_t* data, size_t size) except -1:
        """Answer the requests in `data`, then keep the rest of it as `input`."""
        cdef size_t at = 0
        cdef int code, answers = 0
        self.more = False
        while at < size and self.fd >= 0 and self.outbox.queued == 0:
            if self.busy or self.streaming or self.ending:
                break
            if answers == TURN_ANSWERS:
                self.more = True
                break
            answers += 1
            self.octets = data + at
            code = scan(&self.head, data + at, size - at)
            if code == MORE:
                break
            if code >= FAULT:
                self.head.keep_alive = False
                self.refuse(code - FAULT)
                break
            self.serve(data + at)
            if self.busy or self.streaming:
                break
            at += self.head.at
            begin(&self.head)
            self.phase = NEW  # the next head has its own time (HT-120)
        self.octets = NULL
        if self.fd < 0 or self.ending:
            at = size
        if data == self.input:
            self.size = size - at
            memmove(self.input, self.input + at, self.size)
        elif at < size:
            self.hold(data + at, size - at)
        if self.size == 0 and self.room:
            free(self.input)
            self.input, self.room = NULL, 0
        return 0

    cdef int proceed(self) except -1:
        """The queue is empty or the answer in the making is given: go on with what is pipelined."""
        if self.growing is not None:
            return self.advance()
        if self.size and self.fd >= 0 and not self.busy and not self.streaming:
            self.process(self.input, self.size)
        return 0

    cdef int settle(self) except -1:
        """Choose what to wait for."""
        cdef uint32_t events = 0
        if self.fd < 0:
            return 0
        if self.unproxied:
            if self.eof:
                self.leave()
            return 0
        if not self.eof and (self.lingering or self.size < INPUT_MAX):
            events = EPOLLIN
        if self.lingering:
            if self.eof:
                self.leave()
        elif self.outbox.queued:
            events |= EPOLLOUT
            if self.phase != WRITING:
                self.window, self.window_sent = self.worker.now * 0.5, self.sent
                self.enter(WRITING, self.port.stall_s)
        elif self.busy:
            if self.eof and self.gate is not None:
                self.port.client_gone += 1
                self.leave()
            elif self.eof and self.phase != LEAVING:
                self.enter(LEAVING, self.port.gone_s)
            elif self.phase != HOLDING and self.phase != LEAVING:
                self.enter(HOLDING, self.port.hold_s if self.gate is None else self.gate.limit_s)
        elif self.streaming:  # behind a FIN the source has to say something in time (HT-65)
            self.enter(STREAMING, self.port.hold_s if self.eof else -1)
        elif self.more:
            events |= EPOLLOUT
            self.enter(IDLE, self.port.idle_s)
        elif self.eof:
            self.leave()
        elif self.ending:
            shutdown(self.fd, SHUT_WR)
            self.lingering = True
            events = EPOLLIN
            self.enter(LINGERING, self.port.linger_s)
        elif self.size:
            if self.phase != READING:
                self.enter(READING, self.port.head_s)
        elif self.port.draining:
            self.leave()
        elif self.said:
            self.enter(IDLE, self.port.idle_s)
        if self.fd >= 0:
            self.want(events)
        return 0

    cdef int expire(self) except -1:
        if self.unproxied:
            self.port.proxy_faults += 1
            self.abort()
            return 0
        if self.phase == READING:
            self.port.head_timeouts += 1
            self.head.keep_alive = False
            self.refuse(HEAD_TIMEOUT)
            self.size = 0
        elif self.gate is not None:
            self.port.late += 1
            self.wake(self.gate, self.gate.late, None)
        elif self.phase == HOLDING:
            self.port.holds_expired += 1
            self.give_up(HOLD_EXPIRED)
        elif self.phase == WRITING:
            self.port.stalls += 1
            self.abort()
        else:
            if self.phase == LEAVING or self.phase == STREAMING:
                self.port.client_gone += 1
            elif self.phase != LINGERING:
                self.port.idle_timeouts += 1
            self.leave()
        return self.settle()

    # -- answers that were waited for ---------------------------------------------------------------

    cdef int consume(self) except -1:
        if self.fd >= 0 and not self.streaming and not self.busy:
            self.size -= self.head.at
            memmove(self.input, self.input + self.head.at, self.size)
            begin(&self.head)
            self.phase = NEW
            if self.outbox.queued == 0:
                self.proceed()
        return self.settle()

    cdef void leave(self) noexcept:
        self.busy = self.streaming = False
        self.size = 0
        self.unpark()
        self.unfollow()
        Wire.leave(self)

    def give_up(self, number: int) -> None:
        """Answer a request in the making with a refusal instead."""
        self.unpark()
        task, self.task, self.busy = self.task, None, False
        if task is not None:
            task.cancel()
        self.refuse(number)
        self.consume()

    # -- shutdown (HT-67) --------------------------------------------------------------------------

    def is_idle(self) -> bool:
        """Nothing received that is not answered, nothing to send."""
        return not (self.busy or self.streaming or self.ending or self.outbox.queued or self.size)

    def state(self) -> str:
        """A row of tables.STATES."""
        return "parked" if self.gate is not None else tables.PHASES[self.phase]

    def drain(self) -> None:
        """At its start."""
        if self.is_idle():
            self.leave()

    def release(self) -> None:
        """Shortly before its limit: a parked request gets 503."""
        if self.busy:
            self.give_up(DRAINING)
