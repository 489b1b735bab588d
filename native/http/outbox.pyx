# cython: auto_pickle=False
"""What the kernel did not take yet: references into immutable bodies, never copies (HT-131, HT-134)."""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdlib cimport free, realloc
from libc.string cimport memmove, memset

from posix.types cimport off_t

from native.http.kernel cimport MSG_NOSIGNAL, iovec, msghdr, sendfile, sendmsg

cdef enum:
    TURN_BYTES = 1 << 20  # of one connection before the others get their turn


cdef class Outbox:
    """A queue of pieces in order of sending."""

    def __dealloc__(self):
        self.clear()
        free(self.pieces)

    cdef int add(self, object owner, const uint8_t* data, size_t size, int fd, long long offset) except -1:
        """Queue `size` octets at `data`, or of the file `fd`; `owner` lives until they are gone."""
        cdef Piece* piece
        cdef Piece* grown
        if size == 0:
            return 0
        if self.first + self.count == self.room:
            if self.first:
                memmove(self.pieces, self.pieces + self.first, self.count * sizeof(Piece))
                self.first = 0
            else:
                grown = <Piece*>realloc(self.pieces, (self.room * 2 + 4) * sizeof(Piece))
                if grown == NULL:
                    raise MemoryError
                self.pieces, self.room = grown, self.room * 2 + 4
        piece = &self.pieces[self.first + self.count]
        piece.owner, piece.data, piece.size = <void*>owner, data, size
        piece.fd, piece.offset = fd, offset
        Py_INCREF(owner)
        self.count += 1
        self.queued += size
        return 0

    cdef int flush(self, int fd) noexcept:
        """Give the kernel what it takes in one turn: SENT_ALL, BLOCKED or BROKEN."""
        cdef iovec parts[GATHER]
        cdef msghdr message
        cdef ssize_t done
        cdef size_t n
        cdef off_t offset
        cdef Piece* piece
        cdef size_t before = self.queued
        while self.count:
            if before - self.queued >= TURN_BYTES:
                return BLOCKED
            piece = &self.pieces[self.first]
            if piece.data == NULL:
                offset = piece.offset
                done = sendfile(fd, piece.fd, &offset, piece.size)
            else:
                n = 0
                while n < GATHER and n < self.count and piece[n].data != NULL:
                    parts[n].iov_base, parts[n].iov_len = <void*>piece[n].data, piece[n].size
                    n += 1
                memset(&message, 0, sizeof(message))
                message.msg_iov, message.msg_iovlen = parts, n
                done = sendmsg(fd, &message, MSG_NOSIGNAL)
            if done < 0:
                if errno == EINTR:
                    continue
                return BLOCKED if errno == EAGAIN else BROKEN
            if done == 0 and piece.data == NULL:
                return BROKEN
            self.take(done)
        return SENT_ALL

    cdef void take(self, size_t done) noexcept:
        cdef Piece* piece
        self.queued -= done
        while done:
            piece = &self.pieces[self.first]
            if done < piece.size:
                piece.size -= done
                if piece.data == NULL:
                    piece.offset += done
                else:
                    piece.data += done
                return
            done -= piece.size
            self.first += 1
            self.count -= 1
            Py_DECREF(<object>piece.owner)
        if self.count == 0:
            self.first = 0

    cdef void clear(self) noexcept:
        """Forget everything."""
        while self.count:
            self.count -= 1
            Py_DECREF(<object>self.pieces[self.first + self.count].owner)
        self.first = self.queued = 0
