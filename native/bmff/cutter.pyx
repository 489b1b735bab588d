# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""A segment's head and its places in the source, straight from the columns of an index (TR-41, TR-49).

No Python object is made per sample or run: rows go from the mapped index through one scratch.
"""

from array import array

from cpython cimport array as c_array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc

from native.bmff.columns cimport Column
from native.bmff.fragment cimport written
from native.bmff.runs cimport place

from native.bmff.errors import BoxError


cdef c_array.array _new(Py_ssize_t count):
    return c_array.clone(<c_array.array>array("q"), count, zero=False)


cdef class Cutter:
    cdef Column first_sample, decode_time, first_run, first_byte
    cdef Column size, duration, cto, sync, run_samples, run_gap
    cdef readonly Py_ssize_t segments
    cdef bint video
    cdef bytes note
    cdef int64_t opening

    def __init__(self, dict columns not None, bint video, bytes note not None):
        self.first_sample, self.decode_time = columns["first_sample"], columns["decode_time"]
        self.first_run, self.first_byte = columns["first_run"], columns["first_byte"]
        self.size, self.duration = columns["size"], columns["duration"]
        self.cto, self.sync = columns["cto"], columns["sync"]
        self.run_samples, self.run_gap = columns["run_samples"], columns["run_gap"]
        self.segments = self.first_byte.rows
        self.video, self.note = video, note
        self.opening = 0
        if self.segments:
            self.first_sample.copy(0, 1, &self.opening)

    def first(self, Py_ssize_t number):
        cdef int64_t[2] span
        self._span(number, span)
        return span[0]

    cdef int _span(self, Py_ssize_t number, int64_t* span) except -1:
        """First sample of segment `number`, and the one after its last."""
        if not 0 < number <= self.segments:
            raise KeyError(number)
        self.first_sample.copy(number - 1, number + 1, span)
        if span[0] == span[1]:
            raise KeyError(number)
        return 0

    def blank(self, Py_ssize_t number):
        cdef Py_ssize_t at = 0
        out, _, starts, lengths = self._cut(number, &at, NULL)
        return out, at, starts, lengths

    def parts(self, Py_ssize_t number):
        cdef Py_ssize_t at = 0
        cdef int64_t media = 0
        head, sizes, starts, lengths = self._cut(number, &at, &media)
        return head, sizes, PyBytes_FromStringAndSize(NULL, media), starts, lengths

    cdef tuple _cut(self, Py_ssize_t number, Py_ssize_t* at, int64_t* media):
        """A segment, or with `media`, the bytes of which it is told, its head and sizes alone."""
        cdef int64_t[2] span
        cdef int64_t[2] run
        cdef int64_t time, start
        cdef Py_ssize_t count, runs, i
        cdef int64_t* rows
        cdef uint32_t* to
        cdef bytes out, sizes = b""
        cdef c_array.array starts, lengths
        self._span(number, span)
        self.first_run.copy(number - 1, number + 1, run)
        self.decode_time.copy(number - 1, number, &time)
        self.first_byte.copy(number - 1, number, &start)
        count, runs = span[1] - span[0], run[1] - run[0]
        if count <= 0 or runs <= 0 or count > self.size.rows or runs > count:
            raise BoxError("bad_table", number, "a segment's rows do not rise")
        rows = <int64_t*>malloc((4 * count + 2 * runs) * sizeof(int64_t))
        if rows == NULL:
            raise MemoryError
        try:
            self.size.copy(span[0], span[1], rows)
            self.duration.copy(span[0], span[1], rows + count)
            self.cto.copy(span[0], span[1], rows + 2 * count)
            self.sync.copy(span[0], span[1], rows + 3 * count)
            self.run_samples.copy(run[0], run[1], rows + 4 * count)
            self.run_gap.copy(run[0], run[1], rows + 4 * count + runs)
            starts, lengths = _new(runs), _new(runs)
            place(
                rows, count, rows + 4 * count, rows + 4 * count + runs, runs, start,
                <int64_t*>starts.data.as_longlongs, <int64_t*>lengths.data.as_longlongs,
            )
            out = written(
                number, time, rows, rows + count, rows + 2 * count, rows + 3 * count, count,
                self.video, self.note if span[0] == self.opening else b"", at, media == NULL,
            )
            if media != NULL:
                sizes = PyBytes_FromStringAndSize(NULL, 4 * count)
                to = <uint32_t*>PyBytes_AS_STRING(sizes)
                for i in range(count):
                    to[i] = <uint32_t>rows[i]
                    media[0] += rows[i]
        finally:
            free(rows)
        return out, sizes, starts, lengths
