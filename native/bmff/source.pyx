# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""An open file of media: many short runs come from its pages, all others by reads (TR-44)."""

import os

cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE

from native.bmff.gather cimport at_hand
from native.bmff.window cimport Window

from native.bmff.gather import read_runs

cdef enum:
    SCATTERED = 8  # runs so many ...
    SHORT_BYTES = 4096  # ... and so short are copied from pages

WARM = 4
cdef int ENOUGH = WARM


@cython.final
cdef class Source:
    def __cinit__(self, int fd, int64_t size, bint mappable):
        self.fd, self.size, self.mappable = fd, size, mappable

    def __dealloc__(self):
        if self.fd >= 0:
            os.close(self.fd)

    def close(self):
        fd, self.fd, self.window, self.mappable = self.fd, -1, None, False
        if fd >= 0:
            os.close(fd)

    def read(self, int64_t at, Py_ssize_t size):
        return os.pread(self.fd, size, at)

    def runs(
        self,
        bytes out not None,
        Py_ssize_t at,
        const int64_t[::1] starts not None,
        const int64_t[::1] lengths not None,
        bint wait=True,
    ):
        if not wait and self._mapped(starts.shape[0], PyBytes_GET_SIZE(out) - at):
            if self.window.take(out, at, starts, lengths):
                return True
        return read_runs(self.fd, out, at, starts, lengths, wait)

    cdef bint _mapped(self, Py_ssize_t runs, int64_t media) except -1:
        """Whether pages are the way to that many runs, and there are any."""
        if not SCATTERED <= runs > media // SHORT_BYTES:
            return False
        if self.window is None and self.mappable:
            self.asked += 1
            if self.asked > ENOUGH:
                try:
                    self.window = Window(self.fd, self.size)
                except (OSError, ValueError):
                    self.mappable = False
        return self.window is not None

    cdef bint fill(
        self, char* target, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs, int64_t media
    ) except -1:
        """All runs, which are `media` octets, without waiting. False where that cannot be, or where
        `runs` has more to say.
        """
        cdef Py_ssize_t i
        cdef int64_t total = 0
        cdef bint done
        for i in range(runs):
            if starts[i] < 0 or not 0 <= lengths[i] <= media - total or starts[i] > self.size - lengths[i]:
                return False
            total += lengths[i]
        if total != media:
            return False
        if self._mapped(runs, media) and self.window.copy(target, starts, lengths, runs):
            return True
        with nogil:
            done = at_hand(self.fd, target, starts, lengths, runs)
        return done
