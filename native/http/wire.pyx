# cython: auto_pickle=False
"""The way out of one connection: one answer at a time, nothing copied, nothing unbounded.

A body is queued as a reference into its immutable octets (HT-131); a peer that takes nothing, or
too little over a window, is cut (HT-124, HT-125).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t
from libc.string cimport memset, strlen

from posix.types cimport off_t

from native.http.entity cimport hold, let_go
from native.http.image cimport Image
from native.http.kernel cimport (
    MSG_MORE,
    MSG_NOSIGNAL,
    SO_LINGER,
    SOL_SOCKET,
    iovec,
    linger,
    msghdr,
    send,
    sendfile,
    sendmsg,
    setsockopt,
)
from native.http.outbox cimport BROKEN, GATHER

cdef size_t LOW_WATER = 65536  # HT-133: a stream goes on below it


cdef class Wire(Seat):
    """A seat that owes octets."""

    def __cinit__(self, port, peer, address):
        self.port, self.peer, self.address = port, peer, address
        self.outbox = Outbox()

    cdef int settle(self) except -1:
        """Choose what to wait for."""
        raise NotImplementedError

    cdef int wake(self, object gate, object answer, bytes dress) except -1:
        """Give `answer` to the request that is parked at `gate`, with more field lines than the others
        get, or None; 0 if there is none any more.
        """
        raise NotImplementedError

    cdef int advance(self) except -1:
        """Send what the growing object on its way has got since."""
        raise NotImplementedError

    cdef bint close_delimited(self) noexcept:
        """Whether the body on its way ends with the connection."""
        return False

    cdef void enter(self, int phase, double seconds) noexcept:
        self.phase = phase
        self.due(seconds)

    cdef int queue(self, bytes octets) except -1:
        return self.outbox.add(octets, <const uint8_t*>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets), -1, 0)

    cdef int gather(
        self, bytes head, const char* extra, const char* end, tuple pieces, size_t offset, size_t size, Entity entity
    ) except -1:
        """Give one answer away: head, extra fields, date and end, body; the rest is queued (HT-132).

        The body of `entity` leaves from its image, if it is hot enough to have one: with this
        second's head in front in one call, otherwise behind a head of its own.
        """
        cdef iovec parts[GATHER]
        cdef msghdr message
        cdef ssize_t done
        cdef int i, n = 3, file = -1
        cdef size_t skip = offset, left = size, length
        cdef bytes piece
        cdef Image image = None
        if entity is not None and pieces is entity.pieces:
            if size >= self.port.sendfile_from and entity.size_bytes <= self.port.sendfile_to:
                image = entity.imaged(self.worker.second, self.worker.date, True)
            elif size and entity.size_bytes <= self.port.image_to:
                image = entity.imaged(self.worker.second, self.worker.date, False)
            if image is not None:
                if (
                    image.second == self.worker.second
                    and end == self.worker.date
                    and size == entity.size_bytes
                    and head is entity.head
                    and self.outbox.queued == 0
                ):
                    self.give_image(image)
                    return self.keep(entity)
                file = image.fd
        parts[0].iov_base, parts[0].iov_len = PyBytes_AS_STRING(head), PyBytes_GET_SIZE(head)
        parts[1].iov_base, parts[1].iov_len = <void*>extra, strlen(extra)
        parts[2].iov_base, parts[2].iov_len = <void*>end, strlen(end)
        if file < 0:
            for piece in pieces:
                if n == GATHER or left == 0:
                    break
                length = PyBytes_GET_SIZE(piece)
                if skip >= length:
                    skip -= length
                    continue
                parts[n].iov_base, parts[n].iov_len = PyBytes_AS_STRING(piece) + skip, min(left, length - skip)
                left -= parts[n].iov_len
                skip = 0
                n += 1
        done = 0
        if self.outbox.queued == 0:
            memset(&message, 0, sizeof(message))
            message.msg_iov, message.msg_iovlen = parts, n
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
            self.outbox.add(image, NULL, size, file, image.lead + offset)
            self.flush()
        elif <size_t>done < size:
            self.queue_pieces(pieces, offset + done, size - done)
        return self.keep(entity)

    cdef int keep(self, Entity entity) except -1:
        """Count `entity` among what is queued, if some of it is."""
        if entity is not None and self.outbox.queued and self.held is None:
            self.held = entity
            hold(entity)
        return 0

    cdef void release_held(self) noexcept:
        if self.held is not None:
            let_go(self.held)
            self.held = None

    cdef int give_image(self, Image image) except -1:
        """One call for the whole answer; the rest is queued."""
        cdef ssize_t done
        cdef off_t at = 0
        if image.fd < 0:
            done = send(self.fd, PyBytes_AS_STRING(image.octets), image.size, MSG_NOSIGNAL)
        else:
            done = sendfile(self.fd, image.fd, &at, image.size)
        if done < 0:
            if errno != EAGAIN and errno != EINTR:
                self.port.resets += 1
                self.leave()
                return 0
            done = 0
        self.sent += done
        if <size_t>done < image.size:
            if image.fd < 0:
                self.outbox.add(
                    image.octets, <const uint8_t*>PyBytes_AS_STRING(image.octets) + done,
                    image.size - done, -1, 0,
                )
            else:
                self.outbox.add(image, NULL, image.size - done, image.fd, done)
        return 0

    cdef int queue_pieces(self, tuple pieces, size_t offset, size_t size) except -1:
        """Queue `size` octets of `pieces` from `offset`."""
        cdef bytes piece
        cdef size_t length
        for piece in pieces:
            length = PyBytes_GET_SIZE(piece)
            if offset >= length:
                offset -= length
                continue
            length = min(size, length - offset)
            self.outbox.add(piece, <const uint8_t*>PyBytes_AS_STRING(piece) + offset, length, -1, 0)
            offset = 0
            size -= length
            if size == 0:
                break
        return 0

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
            self.release_held()
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
        self.outbox.clear()
        self.release_held()
        Seat.leave(self)
        self.port.released(self, self.address)
        task, self.task = self.task, None
        if task is not None:
            task.cancel()
        if self.waiter is not None:
            self.waiter.cancel()

    def finish(self) -> None:
        """Close now; a body without an end must not look complete (HT-114)."""
        if self.close_delimited():
            self.abort()
        else:
            self.leave()


cdef class Sink:
    """The connection as a pump sees it, for one answer."""

    cdef Wire wire
    cdef bint chunked

    def __cinit__(self, wire, chunked):
        self.wire, self.chunked = wire, chunked

    def send(self, chunks: list[bytes], last: bool) -> None:
        """stream.Sink.send: one HTTP chunk per item, one write for all (HT-110)."""
        cdef Wire wire = self.wire
        if wire.fd < 0:
            raise ConnectionResetError("client gone")
        for chunk in chunks:
            if self.chunked:
                wire.queue(b"%x\r\n" % len(chunk))
            wire.queue(chunk)
            wire.port.octets += len(chunk)
            if self.chunked:
                wire.queue(b"\r\n")
        if last and self.chunked:
            wire.queue(b"0\r\n\r\n")
        wire.flush()
        if wire.outbox.queued > wire.port.queue_bytes:
            wire.port.slow_readers += 1
            wire.finish()
        if wire.fd < 0:
            raise ConnectionResetError("client gone")
        wire.settle()

    async def room(self) -> None:
        """stream.Sink.room"""
        cdef Wire wire = self.wire
        if wire.outbox.queued > LOW_WATER:
            wire.waiter = wire.port.loop.create_future()
            try:
                await wire.waiter
            finally:
                wire.waiter = None
