"""One connection of the delivery port: requests in, answers out, in order (specs/http1.md).

Rules
1. At most one request is in the making; what is pipelined behind it waits as octets (HT-63).
2. The next request is looked at when the answer before it has left for the kernel: nothing but the
   rest of one answer is ever queued, as references into its immutable body (HT-131, HT-141).
3. A request in the making keeps its head at the front of `input`, so that conditions and ranges are
   judged on octets when the entity is there.
4. settle() is the only place that decides what is waited for: events and the deadline.
"""

import asyncio

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcpy, memmove, memset, strlen

from native.http.conditions cimport accepts_gzip, conditional, judge, same_version
from native.http.kernel cimport (
    EPOLLERR,
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    MSG_MORE,
    MSG_NOSIGNAL,
    SHUT_WR,
    SO_LINGER,
    SOL_SOCKET,
    iovec,
    linger,
    msghdr,
    recv,
    sendmsg,
    setsockopt,
    shutdown,
)
from native.http.outbox cimport BROKEN
from native.http.parser cimport (
    DONE,
    F_RANGE,
    FAULT,
    GET,
    HEAD,
    MORE,
    OPTIONS,
    Field,
    begin,
    find,
    scan,
)
from native.http.entity cimport Refusal
from native.http.ranges cimport SATISFIED, UNSATISFIABLE, read_range
from native.http.target cimport Target, read_path, read_query

from native.http import errors, stream, tables
from native.http.answered import Answered
from native.http.request import Request

cdef enum:  # what the deadline is for
    NEW = 0
    IDLE = 1
    READING = 2
    HOLDING = 3
    LEAVING = 4  # the client half-closed while its answer is in the making
    WRITING = 5
    STREAMING = 6
    LINGERING = 7

cdef size_t INPUT_MAX = tables.INPUT_BYTES_MAX
cdef size_t LOW_WATER = 65536
cdef int PRECONDITION_FAILED = errors.NUMBER["precondition_failed"]
cdef int BAD_PATH = errors.NUMBER["bad_path"]
cdef int BAD_QUERY = errors.NUMBER["bad_query"]
cdef int MISDIRECTED = errors.NUMBER["misdirected"]
cdef int HEAD_TIMEOUT = errors.NUMBER["head_timeout"]
cdef int HOLD_EXPIRED = errors.NUMBER["hold_expired"]
cdef int DRAINING = errors.NUMBER["draining"]
cdef int INTERNAL = errors.NUMBER["internal"]


cdef class Connection(Seat):
    """A client, from accept to close."""

    def __cinit__(self, port, peer, address):
        self.port, self.peer, self.address = port, peer, address
        self.outbox = Outbox()
        begin(&self.head)

    def __dealloc__(self):
        free(self.input)

    # -- events ------------------------------------------------------------------------------------

    cdef int ready(self, uint32_t events) except -1:
        if events & (EPOLLERR | EPOLLHUP):
            self.port.resets += not self.lingering
            self.leave()
            return 0
        if events & EPOLLOUT and self.outbox.queued:
            if self.flush() == 0 and self.outbox.queued == 0:
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
        elif not self.ending:
            self.said = True
            if self.size == 0:
                self.process(self.port.input, got)
            else:
                self.hold(self.port.input, got)
                self.process(self.input, self.size)
        return 0

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
        cdef int code
        while at < size and self.fd >= 0 and self.outbox.queued == 0:
            if self.busy or self.streaming or self.ending:
                break
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
        if self.size and self.fd >= 0 and not self.busy and not self.streaming:
            self.process(self.input, self.size)
        return 0

    cdef int settle(self) except -1:
        """Choose what to wait for."""
        cdef uint32_t events = 0
        if self.fd < 0:
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
            if self.eof and self.phase != LEAVING:
                self.enter(LEAVING, self.port.gone_s)
            elif self.phase != HOLDING and self.phase != LEAVING:
                self.enter(HOLDING, self.port.hold_s)
        elif self.streaming:
            self.enter(STREAMING, -1)
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

    cdef void enter(self, int phase, double seconds) noexcept:
        self.phase = phase
        self.due(seconds)

    cdef int expire(self) except -1:
        if self.phase == READING:
            self.port.head_timeouts += 1
            self.head.keep_alive = False
            self.refuse(HEAD_TIMEOUT)
            self.size = 0
        elif self.phase == HOLDING:
            self.port.holds_expired += 1
            self.give_up(HOLD_EXPIRED)
        elif self.phase == WRITING:
            self.port.stalls += 1
            self.abort()
        else:
            if self.phase == LEAVING:
                self.port.client_gone += 1
            elif self.phase != LINGERING:
                self.port.idle_timeouts += 1
            self.leave()
        return self.settle()

    # -- requests ----------------------------------------------------------------------------------

    cdef int serve(self, const uint8_t* d) except -1:
        """One well-formed head at `d`: S checks (HT-5), the hot table, then the handler."""
        cdef Head* head = &self.head
        cdef const uint8_t* text = d + head.path
        cdef const uint8_t* mark
        cdef size_t path_size = head.path_size
        cdef Target target
        cdef Entity entity
        cdef Port port = self.port
        port.requests += 1
        if port.hosts and head.host_size and d[head.host : head.host + head.host_size].lower() not in port.hosts:
            return self.refuse(MISDIRECTED)
        if head.path_size == 0 and head.method == OPTIONS:
            return self.give(d, port.preflight)
        mark = <const uint8_t*>memchr(text, 63, head.path_size) if head.path_size else NULL
        if mark != NULL:
            path_size = mark - text
        if path_size == 0:  # absolute-form without a path (HT-43)
            port.path[0] = 47
            target.path, target.path_size = port.path, 1
        elif not read_path(text, path_size, port.path, &target):
            return self.refuse(BAD_PATH)
        if mark == NULL:
            target.query, target.query_size, target.known = text, 0, False
        elif not read_query(mark + 1, text + head.path_size - mark - 1, &target):
            return self.refuse(BAD_QUERY)
        if head.method == OPTIONS:
            return self.give(d, port.preflight)
        if port.hot is not None and not target.known:
            entity = port.hot.find(target.path, target.path_size)
            if entity is not None:
                port.hot_hits += 1
                if port.on_answer is not None:
                    self.request = self.cut_request(d, &target)
                return self.give_entity(d, entity)
        self.request = self.cut_request(d, &target)
        try:
            result = port.handler(self.request)
        except Exception as error:
            return self.handler_failed(error)
        return self.give(d, result)

    cdef object cut_request(self, const uint8_t* d, Target* target):
        return Request(
            tables.METHODS[self.head.method],
            target.path[: target.path_size].decode(),
            target.query[: target.query_size].decode("ascii"),
            self.peer,
            d[self.head.section : self.head.at],
        )

    cdef int handler_failed(self, error) except -1:
        context = {"message": f"handler failed on {self.request!r}", "exception": error}
        self.port.loop.call_exception_handler(context)
        return self.refuse(INTERNAL)

    cdef int give(self, const uint8_t* d, object result) except -1:
        """Answer the request at `d` with what a handler returned."""
        cdef Answer answer
        if isinstance(result, Entity):
            return self.give_entity(d, <Entity>result)
        if isinstance(result, Answer):
            answer = <Answer>result
            return self.send(None, answer.status, answer.head, b"", answer.body, 0, len(answer.body))
        if isinstance(result, stream.Stream):
            return self.begin_stream(result)
        if self.busy:
            return self.handler_failed(TypeError(f"not an answer: {result!r}"))
        try:
            self.task = asyncio.ensure_future(result, loop=self.port.loop)
        except TypeError as error:
            return self.handler_failed(error)
        self.busy = True
        self.task.add_done_callback(self.made)
        return 0

    def made(self, task) -> None:
        """The handler's task is done."""
        if task is not self.task or self.fd < 0:
            if not task.cancelled():
                task.exception()
            return
        self.task = None
        if task.cancelled():
            self.handler_failed(asyncio.CancelledError())
        elif task.exception() is not None:
            self.handler_failed(task.exception())
        else:
            self.give(self.input, task.result())
        self.busy = False
        self.consume()

    def consume(self) -> None:
        """Drop the head of the answered request and go on."""
        if self.fd >= 0 and not self.streaming:
            self.size -= self.head.at
            memmove(self.input, self.input + self.head.at, self.size)
            begin(&self.head)
            self.phase = NEW
            if self.outbox.queued == 0:
                self.proceed()
        self.settle()

    def give_up(self, number: int) -> None:
        """Answer a request in the making with a refusal instead."""
        task, self.task, self.busy = self.task, None, False
        if task is not None:
            task.cancel()
        self.refuse(number)
        self.consume()

    def is_idle(self) -> bool:
        """Nothing received that is not answered, nothing to send."""
        return not (self.busy or self.streaming or self.ending or self.outbox.queued or self.size)

    def drain(self) -> None:
        """HT-67, at its start."""
        if self.is_idle():
            self.leave()

    def release(self) -> None:
        """HT-67, shortly before its limit: a parked request gets 503."""
        if self.busy:
            self.give_up(DRAINING)

    def finish(self) -> None:
        """HT-67, at its limit."""
        if self.streaming and self.head.minor == 0:
            self.abort()
        else:
            self.leave()

    # -- answers -----------------------------------------------------------------------------------

    cdef int refuse(self, int number) except -1:
        """A row of errors.REFUSALS; class F ends the connection."""
        cdef Answer answer = <Answer>self.port.refusals[number]
        self.port.faults[number] += 1
        return self.send(None, answer.status, answer.head, b"", answer.body, 0, len(answer.body))

    cdef int give_entity(self, const uint8_t* d, Entity entity) except -1:
        """Coding, conditions, range, in this order (HT-81, HT-100)."""
        cdef bytes tag = entity.tag, head = entity.head, body = entity.body
        cdef bint coded = entity.gzip is not None and accepts_gzip(&self.head, d)
        cdef int64_t first = 0, last = 0, length = PyBytes_GET_SIZE(body)
        cdef int verdict
        cdef char extra[128]
        cdef Field* field
        if coded:
            tag, head, body = entity.gzip_tag, entity.gzip_head, entity.gzip
        if conditional(&self.head) and 200 <= entity.status < 300:
            verdict = judge(&self.head, d, entity, tag)
            if verdict == 412:
                return self.refuse(PRECONDITION_FAILED)
            if verdict == 304:
                head = entity.gzip_head_304 if coded else entity.head_304
                return self.send(None, 304, head, b"", b"", 0, 0)
        if (
            self.head.seen >> F_RANGE & 1
            and entity.ranges
            and self.head.method == GET
            and same_version(&self.head, d, entity)
        ):
            field = find(&self.head, F_RANGE)
            verdict = read_range(d + field.value, field.value_size, length, &first, &last)
            if verdict == SATISFIED:
                snprintf(
                    extra, sizeof(extra),
                    "Content-Range: bytes %lld-%lld/%lld\r\nContent-Length: %lld\r\nDate: ",
                    <long long>first, <long long>last, <long long>length, <long long>(last - first + 1),
                )
                return self.send(entity, 206, entity.head_206, extra, body, first, last - first + 1)
            if verdict == UNSATISFIABLE:
                return self.give(d, unsatisfiable(length))
        return self.send(
            None if coded else entity, entity.status, head, b"", body, 0, PyBytes_GET_SIZE(body)
        )

    cdef int send(
        self, Entity backed, int status, bytes head, const char* extra, bytes body, size_t offset, size_t size
    ) except -1:
        """One answer in at most four buffers (HT-132): head, extra fields, date and end, body.

        `backed`: the entity whose body this is part of, which a large body may leave by sendfile.
        """
        cdef iovec parts[4]
        cdef msghdr message
        cdef const char* end = self.worker.date
        cdef ssize_t done
        cdef int i, file = -1
        cdef bint keep = self.head.keep_alive and not self.port.draining
        if not keep:
            self.ending = True
            end = self.worker.closing
        elif self.head.minor == 0:
            end = self.worker.keeping
        self.port.statuses[status if status < 600 else 599] += 1
        if self.port.on_answer is not None:
            self.report(status, size)
        if self.head.method == HEAD:
            size = 0
        self.port.octets += size
        if backed is not None and size >= self.port.sendfile_bytes and self.port.sendfile_bytes:
            file = backed.backing()
        parts[0].iov_base, parts[0].iov_len = PyBytes_AS_STRING(head), PyBytes_GET_SIZE(head)
        parts[1].iov_base, parts[1].iov_len = <void*>extra, strlen(extra)
        parts[2].iov_base, parts[2].iov_len = <void*>end, strlen(end)
        parts[3].iov_base, parts[3].iov_len = PyBytes_AS_STRING(body) + offset, size
        done = 0
        if self.outbox.queued == 0:
            memset(&message, 0, sizeof(message))
            message.msg_iov, message.msg_iovlen = parts, 3 if file >= 0 else 4
            done = sendmsg(self.fd, &message, MSG_NOSIGNAL | MSG_MORE if file >= 0 else MSG_NOSIGNAL)
            if done < 0:
                if errno != EAGAIN and errno != EINTR:
                    self.port.resets += 1
                    self.leave()
                    return 0
                done = 0
        self.sent += done
        for i in range(3):
            if <size_t>done >= parts[i].iov_len:
                done -= parts[i].iov_len
                continue
            self.queue((<const char*>parts[i].iov_base)[done : parts[i].iov_len])
            done = 0
        if file >= 0:
            self.outbox.add(backed, NULL, size, file, offset)
            return self.flush()
        if <size_t>done < size:
            self.outbox.add(body, <const uint8_t*>PyBytes_AS_STRING(body) + offset + done, size - done, -1, 0)
        return 0

    def report(self, status: int, octets: int) -> None:
        """Tell on_answer; the request was cut out before if there was a well-formed one."""
        request, self.request = self.request, None
        if request is None:
            answered = Answered(self.peer, "", "", "", status, octets, "protocol")
        else:
            answered = Answered(
                self.peer, request.method, request.path, request.query, status, octets, "handler"
            )
        self.port.on_answer(answered)

    cdef int flush(self) except -1:
        """Go on with the queue; wakes a stream that waits for room."""
        cdef size_t before = self.outbox.queued
        cdef double now = self.worker.now * 0.5
        if self.outbox.flush(self.fd) == BROKEN:
            self.port.resets += 1
            self.leave()
            return 0
        self.sent += before - self.outbox.queued
        if self.outbox.queued == 0:
            self.phase = NEW
        elif self.phase == WRITING and self.outbox.queued < before:
            self.due(self.port.stall_s)
            if now - self.window >= self.port.rate_s:
                if self.sent - self.window_sent < self.port.rate_bytes:
                    self.port.slow_readers += 1
                    self.abort()
                    return 0
                self.window, self.window_sent = now, self.sent
        if self.waiter is not None and self.outbox.queued <= LOW_WATER and not self.waiter.done():
            self.waiter.set_result(None)
        return 0

    cdef void abort(self) noexcept:
        """Close with RST, so that a length-less or stalled body cannot pass for complete (HT-114)."""
        cdef linger now
        now.l_onoff, now.l_linger = 1, 0
        setsockopt(self.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now))
        self.leave()

    cdef void leave(self) noexcept:
        if self.fd < 0:
            return
        task, self.task, self.busy, self.streaming = self.task, None, False, False
        if task is not None:
            task.cancel()
        if self.waiter is not None:
            self.waiter.cancel()
        self.outbox.clear()
        self.size = 0
        Seat.leave(self)
        self.port.released(self, self.address)

    # -- streams (specs/http1.md section 12) -------------------------------------------------------

    cdef int begin_stream(self, object made) except -1:
        """Send the head and start the pump; chunked to 1.1 peers, to 1.0 until the end (HT-112)."""
        cdef bytes head = made.head
        if self.head.minor:
            head += b"Transfer-Encoding: chunked\r\n"
        else:
            self.head.keep_alive = False
        head += b"Date: "
        self.send(None, made.status, head, b"", b"", 0, 0)
        if self.fd < 0:
            return 0
        if self.head.method == HEAD:
            closing = getattr(made.chunks, "aclose", None)
            if closing is not None:
                self.port.loop.create_task(closing())
            return 0
        self.streaming, self.ending = True, False
        self.task = self.port.loop.create_task(stream.pump(made.chunks, Sink(self)))
        self.task.add_done_callback(self.streamed)
        return 0

    cdef int queue(self, bytes octets) except -1:
        return self.outbox.add(octets, <const uint8_t*>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets), -1, 0)

    def streamed(self, task) -> None:
        """The pump is done: cleanly, or the body is cut (HT-114)."""
        failure = None if task.cancelled() else task.exception()
        if task is not self.task:
            return
        self.task = None
        if task.cancelled() or failure is not None:
            self.port.sources_cut += 1
            self.finish()
            return
        self.streaming = False
        self.ending = not self.head.keep_alive or self.port.draining
        self.consume()


cdef class Sink:
    """The connection as a pump sees it, for one answer."""

    cdef Connection connection

    def __cinit__(self, connection):
        self.connection = connection

    def send(self, chunks: list[bytes], last: bool) -> None:
        """stream.Sink.send: one HTTP chunk per item, one write for all (HT-110)."""
        cdef Connection connection = self.connection
        cdef bint chunked = connection.head.minor == 1
        if connection.fd < 0:
            raise ConnectionResetError("client gone")
        for chunk in chunks:
            if chunked:
                connection.queue(b"%x\r\n" % len(chunk))
            connection.queue(chunk)
            connection.port.octets += len(chunk)
            if chunked:
                connection.queue(b"\r\n")
        if last and chunked:
            connection.queue(b"0\r\n\r\n")
        connection.flush()
        if connection.outbox.queued > connection.port.queue_bytes:
            connection.port.slow_readers += 1
            connection.finish()
        if connection.fd < 0:
            raise ConnectionResetError("client gone")
        connection.settle()

    async def room(self) -> None:
        """stream.Sink.room"""
        cdef Connection connection = self.connection
        if connection.outbox.queued > LOW_WATER:
            connection.waiter = connection.port.loop.create_future()
            try:
                await connection.waiter
            finally:
                connection.waiter = None


cdef Refusal unsatisfiable(long long length):
    """HT-93."""
    return Refusal(
        416, "range_not_satisfiable", headers=[("Content-Range", f"bytes */{length}")]
    )
