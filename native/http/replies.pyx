# cython: auto_pickle=False
"""Answers of one connection: entity, refusal or stream, as its request asks (specs/http1.md 8 to 12)."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from libc.string cimport memchr, memset, strlen
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from native.http.accesslog cimport Line
from native.http.conditions cimport accepts_gzip, conditional, judge, same_version
from native.http.entity cimport Refusal, queued
from native.http.parser cimport F_RANGE, GET, HEAD, Field, begin, find
from native.http.ranges cimport SATISFIED, UNSATISFIABLE, read_range

from native.http import errors, stream
from native.http.wire import Sink

cdef size_t COLD_BYTES = 65536  # HT-141: smaller ones hardly queue
cdef int OVERLOADED = errors.NUMBER["overloaded"]
cdef int PRECONDITION_FAILED = errors.NUMBER["precondition_failed"]


cdef double monotonic_s() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


cdef class Replies(Wire):
    """The half that answers the request whose head is in `head`."""

    def __cinit__(self, port, peer, address):
        begin(&self.head)

    cdef int consume(self) except -1:
        """The answer in the making is given: forget its request and go on."""
        raise NotImplementedError

    cdef bint close_delimited(self) noexcept:
        return self.streaming and self.head.minor == 0

    cdef int refuse(self, int number) except -1:
        """A row of errors.REFUSALS; class F ends the connection."""
        self.port.faults[number] += 1
        return self.give_answer(<Answer>self.port.refusals[number])

    cdef int give_answer(self, Answer answer) except -1:
        """A refusal or another constant."""
        if self.port.log is not None and isinstance(answer, Refusal):
            self.code = (<Refusal>answer).code.encode()
        return self.send(None, answer.status, answer.head, b"", answer.pieces, 0, answer.size_bytes)

    cdef int give_entity(self, const uint8_t* d, Entity entity) except -1:
        """Coding, conditions, range, in this order (HT-81, HT-100)."""
        cdef bytes tag = entity.tag, head = entity.head
        cdef tuple pieces = entity.pieces
        cdef bint coded = entity.gzip_pieces is not None and accepts_gzip(&self.head, d)
        cdef int64_t first = 0, last = 0, length = entity.size_bytes
        cdef int verdict
        cdef char extra[128]
        cdef Field* field
        if not self.hit and entity.holders == 0 and entity.size_bytes > COLD_BYTES:
            if queued() >= self.port.worker_queue_bytes and self.head.method == GET:
                return self.refuse(OVERLOADED)
        if coded:
            tag, head, pieces = entity.gzip_tag, entity.gzip_head, entity.gzip_pieces
            length = entity.gzip_size
        if conditional(&self.head) and 200 <= entity.status < 300:
            verdict = judge(&self.head, d, entity, tag)
            if verdict == 412:
                return self.refuse(PRECONDITION_FAILED)
            if verdict == 304:
                head = entity.gzip_head_304 if coded else entity.head_304
                return self.send(None, 304, head, b"", (), 0, 0)
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
                return self.send(entity, 206, entity.head_206, extra, pieces, first, last - first + 1)
            if verdict == UNSATISFIABLE:
                return self.give_unsatisfiable(length)
        return self.send(entity, entity.status, head, b"", pieces, 0, length)

    cdef int give_unsatisfiable(self, long long length) except -1:
        """HT-93."""
        return self.give_answer(
            Refusal(416, "range_not_satisfiable", headers=[("Content-Range", f"bytes */{length}")])
        )

    cdef int send(
        self, Entity entity, int status, bytes head, const char* extra, tuple pieces, size_t offset, size_t size
    ) except -1:
        """One answer in at most four buffers (HT-132): head, extra fields, date and end, body.

        `entity`: what this is the body of, or a part of it.
        """
        cdef const char* end = self.worker.date
        cdef bytes dress = self.dress if self.dress is not None else self.port.dress
        cdef bint keep = self.head.keep_alive and not self.port.draining
        if not keep:
            self.ending = True
            end = self.worker.closing
        elif self.head.minor == 0:
            end = self.worker.keeping
        if dress is not None:
            dress = end[: strlen(end) - 2] + dress + b"\r\n"
            end = dress
        self.port.statuses[status if status < 600 else 599] += 1
        if self.port.log is not None:
            self.log(status, 0 if self.head.method == HEAD else size)
        self.request, self.hit, self.code, self.dress, self.asked = None, False, None, None, 0
        if self.head.method == HEAD:
            size = 0
        self.port.octets += size
        return self.gather(head, extra, end, pieces, offset, size, entity)

    cdef int log(self, int status, size_t octets) except -1:
        """One line; the request is the one in `head`, whose octets are where process() left them."""
        cdef Head* head = &self.head
        cdef const uint8_t* d = self.octets if self.octets != NULL else self.input
        cdef const uint8_t* mark = NULL
        cdef Line line
        self.sequence += 1
        memset(&line, 0, sizeof(line))
        line.connection, line.sequence, line.octets = self.number, self.sequence, octets
        line.status, line.closes, line.minor = status, self.ending, head.minor
        line.source = b"hot" if self.hit else b"handler" if self.asked else b"protocol"
        line.took_ms = (monotonic_s() - self.asked) * 1000 if self.asked else 0
        line.code = b""
        if self.code is not None:
            line.code = PyBytes_AS_STRING(self.code)
        if head.section and d != NULL:
            line.method, line.method_size = d + head.line, head.target - 1 - head.line
            line.path, line.path_size = d + head.target, head.target_size
            if head.path_size:
                line.path, line.path_size = d + head.path, head.path_size
            mark = <const uint8_t*>memchr(line.path, 63, line.path_size)
        if mark != NULL:
            line.query, line.query_size = mark + 1, line.path + line.path_size - mark - 1
            line.path_size = mark - line.path
        return self.port.log.add(&line, self.peer)

    def tell(self, message: str, error: BaseException) -> None:
        """Report a fault of the code around us; the connection goes on."""
        self.port.loop.call_exception_handler({"message": message, "exception": error})

    cdef bint begin_endless(self, int status, bytes head) except -1:
        """Send the head of a body without a length: chunked to 1.1 peers, to 1.0 until the end (HT-112).

        Whether a body follows.
        """
        if self.head.minor:
            head += b"Transfer-Encoding: chunked\r\n"
        else:
            self.head.keep_alive = False
        head += b"Date: "
        self.send(None, status, head, b"", (), 0, 0)
        if self.fd < 0 or self.head.method == HEAD:
            return False
        self.streaming, self.ending = True, False
        return True

    cdef int end_endless(self) except -1:
        """Such a body has ended cleanly."""
        self.streaming = False
        self.ending = not self.head.keep_alive or self.port.draining
        return self.consume()

    cdef int begin_stream(self, object made) except -1:
        """Start the pump."""
        if not self.begin_endless(made.status, made.head):
            self.let_go(made.chunks)
            return 0
        self.source = made.chunks
        self.task = self.port.loop.create_task(stream.pump(made.chunks, Sink(self, self.head.minor == 1)))
        self.task.add_done_callback(self.streamed)
        return 0

    def streamed(self, task) -> None:
        """The pump is done: cleanly, or the body is cut (HT-114)."""
        source, self.source = self.source, None
        self.let_go(source)
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not isinstance(failure, ConnectionResetError):
            self.tell("stream failed", failure)
        if task is not self.task:
            return
        self.task = None
        if task.cancelled() or failure is not None:
            self.port.sources_cut += 1
            self.finish()
            return
        self.resume()

    def let_go(self, chunks: object) -> None:
        """Close a source that is not read to its end, or not at all."""
        closing = getattr(chunks, "aclose", None)
        if closing is not None:
            self.port.loop.create_task(closing()).add_done_callback(self.closed)

    def closed(self, task: asyncio.Task[None]) -> None:
        """A source is closed."""
        if not task.cancelled() and task.exception() is not None:
            self.tell("stream failed to close", task.exception())

    def resume(self) -> None:
        """end_endless(), from outside of the worker's own pass."""
        try:
            self.end_endless()
        except Exception as error:
            self.worker.failed(self, error)
