# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""A segment's head and its places in the source, straight from the columns of an index (TR-41, TR-49).

No Python object is made per sample or run: rows go from the mapped index through one scratch.
"""

from array import array

from cpython cimport array as c_array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from native.bmff.columns cimport Column
from native.bmff.fragment cimport written
from native.bmff.runs cimport place

from native.bmff.errors import BoxError


cdef c_array.array _column(const int64_t* rows, Py_ssize_t count):
    cdef c_array.array out = c_array.clone(<c_array.array>array("q"), count, zero=False)
    memcpy(out.data.as_longlongs, rows, count * sizeof(int64_t))
    return out


cdef class Cutter:
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
        cdef Plan plan
        plan.rows = NULL
        try:
            out = self.plan(number, &plan, True)
            return out, plan.head, _column(plan.starts, plan.runs), _column(plan.lengths, plan.runs)
        finally:
            free(plan.rows)

    def parts(self, Py_ssize_t number):
        cdef Plan plan
        cdef bytes sizes
        cdef uint32_t* to
        cdef Py_ssize_t i
        plan.rows = NULL
        try:
            head = self.plan(number, &plan, False)
            sizes = PyBytes_FromStringAndSize(NULL, 4 * plan.samples)
            to = <uint32_t*>PyBytes_AS_STRING(sizes)
            for i in range(plan.samples):
                to[i] = <uint32_t>plan.rows[i]
            media = PyBytes_FromStringAndSize(NULL, plan.media)
            return (
                head, sizes, media,
                _column(plan.starts, plan.runs), _column(plan.lengths, plan.runs),
            )
        finally:
            free(plan.rows)

    cdef bytes plan(self, Py_ssize_t number, Plan* plan, bint whole):
        """The head of a segment, and if it is `whole` room for the media behind."""
        cdef int64_t[2] span
        cdef int64_t[2] run
        cdef int64_t time, start
        cdef Py_ssize_t count, runs, i
        cdef int64_t* rows
        cdef bytes out
        self._span(number, span)
        self.first_run.copy(number - 1, number + 1, run)
        self.decode_time.copy(number - 1, number, &time)
        self.first_byte.copy(number - 1, number, &start)
        count, runs = span[1] - span[0], run[1] - run[0]
        if count <= 0 or runs <= 0 or count > self.size.rows or runs > count:
            raise BoxError("bad_table", number, "a segment's rows do not rise")
        rows = plan.rows = <int64_t*>malloc((4 * count + 4 * runs) * sizeof(int64_t))
        if rows == NULL:
            raise MemoryError
        plan.samples, plan.runs, plan.media = count, runs, 0
        plan.starts, plan.lengths = rows + 4 * count + 2 * runs, rows + 4 * count + 3 * runs
        self.size.copy(span[0], span[1], rows)
        self.duration.copy(span[0], span[1], rows + count)
        self.cto.copy(span[0], span[1], rows + 2 * count)
        self.sync.copy(span[0], span[1], rows + 3 * count)
        self.run_samples.copy(run[0], run[1], rows + 4 * count)
        self.run_gap.copy(run[0], run[1], rows + 4 * count + runs)
        place(
            rows, count, rows + 4 * count, rows + 4 * count + runs, runs, start,
            plan.starts, plan.lengths,
        )
        out = written(
            number, time, rows, rows + count, rows + 2 * count, rows + 3 * count, count,
            self.video, self.note if span[0] == self.opening else b"", &plan.head, whole,
        )
        for i in range(count):
            plan.media += rows[i]
        return out
