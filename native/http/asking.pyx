# cython: auto_pickle=False
"""Asking for an answer: S checks, the hot table, the handler, a place at a gate (specs/http1.md 5, 6)."""

import asyncio

from libc.string cimport memchr

from native.http.entity cimport Answer, Entity
from native.http.gate cimport Gate, Parked
from native.http.growing cimport Growing
from native.http.parser cimport OPTIONS, Head
from native.http.port cimport Port
from native.http.replies cimport monotonic_s
from native.http.target cimport Target, read_path, read_query
from native.http.wire cimport NEW

from native.http import errors, stream, tables
from native.http.request import Request

cdef int BAD_PATH = errors.NUMBER["bad_path"]
cdef int BAD_QUERY = errors.NUMBER["bad_query"]
cdef int MISDIRECTED = errors.NUMBER["misdirected"]
cdef int INTERNAL = errors.NUMBER["internal"]


cdef class Asking(Following):
    """The half that finds what to answer; `input` begins with the head while it is in the making."""

    cdef int serve(self, const uint8_t* d) except -1:
        """One well-formed head at `d`: S checks (HT-5), the hot table, then the handler."""
        cdef Head* head = &self.head
        cdef const uint8_t* text = d + head.path
        cdef const uint8_t* mark
        cdef size_t path_size = head.path_size
        cdef Target target
        cdef Entity entity
        cdef Answer answer
        cdef Port port = self.port
        port.requests += 1
        if port.log is not None:
            self.asked = monotonic_s()
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
        if port.guard is not None:
            self.request = self.cut_request(d, &target)
            try:
                result = port.guard(self.request)
            except Exception as error:
                return self.handler_failed(error)
            if result is not None:
                return self.give(d, result)
        if port.hot is not None and not target.known:
            entity = port.hot.find(target.path, target.path_size)
            if entity is not None:
                port.hot_hits += 1
                self.hit = True
                return self.give_entity(d, entity)
        if port.desk is not None:
            try:
                answer = port.desk.ask(d, head, &target, self.peer)
            except Exception as error:
                return self.handler_failed(error)
            if answer is not None:
                return self.give(d, answer)
        if self.request is None:
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
            d[self.head.path : self.head.path + self.head.path_size].decode("ascii") or "/",
        )

    cdef int handler_failed(self, error) except -1:
        self.tell(f"handler failed on {self.request!r}", error)
        return self.refuse(INTERNAL)

    cdef int give(self, const uint8_t* d, object result) except -1:
        """Answer the request at `d` with what a handler returned."""
        if isinstance(result, Entity):
            return self.give_entity(d, <Entity>result)
        if isinstance(result, Parked):
            return self.park((<Parked>result).gate)
        if isinstance(result, Growing):
            return self.give_growing(d, <Growing>result)
        if isinstance(result, Answer):
            return self.give_answer(<Answer>result)
        if isinstance(result, stream.Stream):
            return self.begin_stream(result)
        if self.busy:
            return self.handler_failed(TypeError(f"not an answer: {result!r}"))
        return self.give_later(result)

    cdef int give_later(self, object result) except -1:
        """An awaitable of an answer: its head stays in front of `input`."""
        try:
            if asyncio.isfuture(result):  # others may wait for it too: not ours to cancel
                self.task = asyncio.shield(result)
            else:
                self.task = asyncio.ensure_future(result, loop=self.port.loop)
        except TypeError as error:
            return self.handler_failed(error)
        self.busy = True
        self.task.add_done_callback(self.made)
        return 0

    cdef int park(self, Gate gate) except -1:
        """Wait without a task, until the gate is released or its limit is reached."""
        self.busy, self.gate, self.phase = True, gate, NEW
        gate.seats[self] = None
        self.port.parked += 1
        self.port.waiting += 1
        return 0

    cdef int wake(self, object gate, object answer, bytes dress) except -1:
        if self.gate is not gate:
            return 0
        self.unpark()
        self.busy, self.dress = False, dress
        self.give(self.input, answer)
        self.consume()
        return 1

    cdef int unpark(self) except -1:
        gate, self.gate = self.gate, None
        if gate is not None:
            (<Gate>gate).seats.pop(self, None)
            self.port.waiting -= 1
        return 0

    def made(self, task) -> None:
        """The handler's task is done."""
        if task is not self.task or self.fd < 0:
            if not task.cancelled() and task.exception() is None:
                self.let_go(getattr(task.result(), "chunks", None))
            return
        self.task = None
        try:
            if task.cancelled():
                self.handler_failed(asyncio.CancelledError())
            elif task.exception() is not None:
                self.handler_failed(task.exception())
            else:
                self.give(self.input, task.result())
            self.busy = self.gate is not None
            self.consume()
        except Exception as error:
            self.worker.failed(self, error)
