# cython: auto_pickle=False
"""Answers of one connection: entity, refusal or stream, as its request asks (specs/http1.md 8 to 12)."""

from cpython.bytes cimport PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf

from native.http.conditions cimport accepts_gzip, conditional, judge, same_version
from native.http.entity cimport Refusal
from native.http.parser cimport F_RANGE, GET, HEAD, Field, begin, find
from native.http.ranges cimport SATISFIED, UNSATISFIABLE, read_range

from native.http import errors, stream
from native.http.answered import Answered
from native.http.wire import Sink

cdef int PRECONDITION_FAILED = errors.NUMBER["precondition_failed"]


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
                return self.give_answer(unsatisfiable(length))
        return self.send(
            None if coded else entity, entity.status, head, b"", body, 0, PyBytes_GET_SIZE(body)
        )

    cdef int send(
        self, Entity backed, int status, bytes head, const char* extra, bytes body, size_t offset, size_t size
    ) except -1:
        """One answer in at most four buffers (HT-132): head, extra fields, date and end, body.

        `backed`: the entity whose body this is part of, which a large body may leave by sendfile.
        """
        cdef const char* end = self.worker.date
        cdef bint keep = self.head.keep_alive and not self.port.draining
        if not keep:
            self.ending = True
            end = self.worker.closing
        elif self.head.minor == 0:
            end = self.worker.keeping
        self.port.statuses[status if status < 600 else 599] += 1
        if self.port.on_answer is not None:
            self.report(status, size)
        self.request, self.hit = None, False
        if self.head.method == HEAD:
            size = 0
        self.port.octets += size
        return self.gather(head, extra, end, body, offset, size, backed)

    def report(self, status: int, octets: int) -> None:
        """Tell on_answer; the request was cut out before if there was a well-formed one."""
        request = self.request
        if request is None:
            answered = Answered(self.peer, "", "", "", status, octets, "protocol")
        else:
            source = "hot" if self.hit else "handler"
            answered = Answered(
                self.peer, request.method, request.path, request.query, status, octets, source
            )
        try:
            self.port.on_answer(answered)
        except Exception as error:
            self.tell("on_answer failed", error)

    def tell(self, message: str, error: BaseException) -> None:
        """Report a fault of the code around us; the connection goes on."""
        self.port.loop.call_exception_handler({"message": message, "exception": error})

    cdef int begin_stream(self, object made) except -1:
        """Send the head and start the pump; chunked to 1.1 peers, to 1.0 until the end (HT-112)."""
        cdef bytes head = made.head
        if self.head.minor:
            head += b"Transfer-Encoding: chunked\r\n"
        else:
            self.head.keep_alive = False
        head += b"Date: "
        self.send(None, made.status, head, b"", b"", 0, 0)
        if self.fd < 0 or self.head.method == HEAD:
            self.let_go(made.chunks)
            return 0
        self.streaming, self.ending, self.source = True, False, made.chunks
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
        self.streaming = False
        self.ending = not self.head.keep_alive or self.port.draining
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
        """consume(), from outside of the worker's own pass."""
        try:
            self.consume()
        except Exception as error:
            self.worker.failed(self, error)


cdef Refusal unsatisfiable(long long length):
    """HT-93."""
    return Refusal(
        416, "range_not_satisfiable", headers=[("Content-Range", f"bytes */{length}")]
    )
