# cython: auto_pickle=False
"""Answers that follow a growing object, one position each (specs/http1.md HT-97, HT-110 to HT-115)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdio cimport snprintf

from native.http.growing cimport CUT, FINISHED, OPEN
from native.http.kernel cimport IPPROTO_TCP, TCP_NOTSENT_LOWAT, setsockopt
from native.http.parser cimport F_IF_RANGE, F_RANGE, GET, Field, find
from native.http.ranges cimport CLOSED, IGNORED, SUFFIX, read_form

from native.http import errors

cdef enum:
    LOAD = 21  # chunks queued at once, three pieces each: one sendmsg
cdef int64_t ENDLESS = 1 << 40  # HT-97: such a last position means "to the end"
cdef int NOTSENT_BYTES = 131072  # HT-140
cdef int SOURCE_CUT = errors.NUMBER["source_cut"]
cdef bytes CRLF = b"\r\n"
cdef bytes LAST = b"0\r\n\r\n"


cdef class Following(Replies):
    """A reader: a position in a growing object."""

    cdef int give_growing(self, const uint8_t* d, Growing growing) except -1:
        """What is there, then what comes; a finished object is an entity, a cut one 503."""
        if growing.state == FINISHED:
            return self.give_entity(d, growing.entity())
        if growing.state == CUT:
            return self.refuse(SOURCE_CUT)
        if self.head.method == GET and self.head.seen >> F_RANGE & 1 and not self.head.seen >> F_IF_RANGE & 1:
            return self.give_growing_range(d, growing)
        return self.follow(growing, 200, growing.head, 0)

    cdef int give_growing_range(self, const uint8_t* d, Growing growing) except -1:
        """RFC 8673 2: the length is not told, "*"; a suffix of what grows is ignored."""
        cdef int64_t first = 0, last = 0, size = growing.size_bytes
        cdef Field* field = find(&self.head, F_RANGE)
        cdef int form = read_form(d + field.value, field.value_size, &first, &last)
        cdef bint endless = form == CLOSED and last >= ENDLESS
        cdef char extra[128]
        if form == IGNORED or form == SUFFIX:
            return self.follow(growing, 200, growing.head, 0)
        if first > size or first == size and not endless:
            return self.give_unsatisfiable(size)
        if endless:
            line = b"Content-Range: bytes %d-%d/*\r\n" % (first, last)
            return self.follow(growing, 206, growing.head_206 + line, first)
        last = min(last, size - 1)
        snprintf(
            extra, sizeof(extra), "Content-Range: bytes %lld-%lld/*\r\nContent-Length: %lld\r\nDate: ",
            <long long>first, <long long>last, <long long>(last - first + 1),
        )
        return self.send(
            None, 206, growing.head_206, extra, tuple(growing.chunks), first, last - first + 1
        )

    cdef int follow(self, Growing growing, int status, bytes head, size_t first) except -1:
        """Send the head, and be woken for the object from `first` on."""
        cdef size_t size
        if not self.begin_endless(status, head):
            return 0
        setsockopt(self.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &NOTSENT_BYTES, sizeof(NOTSENT_BYTES))
        self.growing, self.cursor, self.skip, self.position = growing, 0, first, 0
        while self.cursor < <size_t>len(growing.chunks):
            size = PyBytes_GET_SIZE(<bytes>growing.chunks[self.cursor])
            if self.skip < size:
                break
            self.skip -= size
            self.position += size
            self.cursor += 1
        growing.following[self] = None
        return self.pump()

    cdef int load(self) except -1:
        """Queue what is next, as far as one write takes, and the end of the body behind the last."""
        cdef Growing growing = self.growing
        cdef size_t stop = min(<size_t>len(growing.chunks), self.cursor + LOAD), size
        cdef bytes chunk
        while self.cursor < stop:
            chunk = <bytes>growing.chunks[self.cursor]
            size = PyBytes_GET_SIZE(chunk) - self.skip
            if self.head.minor:
                self.queue(b"%x\r\n" % size if self.skip else <bytes>growing.sizes[self.cursor])
            self.outbox.add(chunk, <const uint8_t*>PyBytes_AS_STRING(chunk) + self.skip, size, -1, 0)
            if self.head.minor:
                self.queue(CRLF)
            self.port.octets += size
            self.position += self.skip + size
            self.skip = 0
            self.cursor += 1
        if growing.state == FINISHED and self.cursor == <size_t>len(growing.chunks):
            if self.head.minor:
                self.queue(LAST)
            self.unfollow()
        return 0

    cdef int pump(self) except -1:
        """Write until the peer blocks, or nothing is left for now."""
        while self.fd >= 0 and self.growing is not None and self.outbox.queued == 0:
            if self.growing.state == OPEN and self.cursor == <size_t>len(self.growing.chunks):
                break
            self.load()
            self.flush()
        return 0

    cdef int advance(self) except -1:
        """Go on, unless the peer still has to take what is queued; too far behind, it is cut."""
        cdef Growing growing = self.growing
        if growing is None:
            return 0
        if growing.state == CUT:
            self.port.sources_cut += 1
            self.finish()
            return 0
        self.pump()
        if self.fd < 0:
            return 0
        if self.growing is None:
            return self.end_endless()
        if growing.size_bytes - self.position + self.outbox.queued > self.port.queue_bytes:
            self.port.slow_readers += 1
            self.finish()
            return 0
        return self.settle()

    cdef int unfollow(self) except -1:
        growing, self.growing = self.growing, None
        if growing is not None:
            (<Growing>growing).following.pop(self, None)
        return 0
