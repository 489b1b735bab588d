"""Which stretches of a file hold a segment's samples (TR-41, TR-44).

A run is a stretch of samples that lie side by side; runs never cross a segment boundary. A run is
kept as its number of samples and the gap in bytes from the end of the run before it.
"""

from array import array

from cpython cimport array as c_array
from libc.stdint cimport int64_t, uint32_t

from native.bmff.errors import BoxError


cdef c_array.array _new(Py_ssize_t count):
    return c_array.clone(<c_array.array>array("q"), count, zero=False)


def find_runs(
    const int64_t[::1] offset not None,
    const uint32_t[::1] size not None,
    const int64_t[::1] bounds not None,
):
    cdef Py_ssize_t segments = bounds.shape[0] - 1, s, i, runs = 0
    cdef Py_ssize_t rows = offset.shape[0]
    cdef int64_t end = 0, total
    if segments < 0 or size.shape[0] != rows:
        raise BoxError("bad_table", 0, "runs need bounds, and a size for each offset")
    for s in range(segments):
        if not 0 <= bounds[s] <= bounds[s + 1] <= rows:
            raise BoxError("bad_table", s, "segment bounds do not rise")
        for i in range(bounds[s], bounds[s + 1]):
            runs += i == bounds[s] or offset[i] != end
            end = offset[i] + size[i]
    cdef c_array.array counts = _new(runs), gaps = _new(runs)
    cdef c_array.array first_run = _new(segments + 1), starts = _new(segments)
    cdef c_array.array lengths = _new(segments)
    cdef int64_t[::1] count_of = counts, gap_of = gaps, run_of = first_run
    cdef int64_t[::1] start_of = starts, bytes_of = lengths
    runs = 0
    for s in range(segments):
        run_of[s] = runs
        total = 0
        start_of[s] = end = offset[bounds[s]] if bounds[s] < bounds[s + 1] else 0
        for i in range(bounds[s], bounds[s + 1]):
            if i == bounds[s] or offset[i] != end:
                count_of[runs] = 0
                gap_of[runs] = offset[i] - end
                runs += 1
            count_of[runs - 1] += 1
            end = offset[i] + size[i]
            total += size[i]
        bytes_of[s] = total
    run_of[segments] = runs
    return counts, gaps, first_run, starts, lengths


cdef int place(
    const int64_t* sizes,
    Py_ssize_t samples,
    const int64_t* counts,
    const int64_t* gaps,
    Py_ssize_t runs,
    int64_t start,
    int64_t* starts,
    int64_t* lengths,
) except -1:
    """`place_runs` on plain rows, of which `starts` and `lengths` have one a run."""
    cdef Py_ssize_t r, at = 0, i
    cdef int64_t end = start
    for r in range(runs):
        if counts[r] < 0 or counts[r] > samples - at:
            raise BoxError("bad_table", r, "runs of more samples than the segment has")
        starts[r] = end = end + gaps[r]
        for i in range(counts[r]):
            end += sizes[at]
            at += 1
        lengths[r] = end - starts[r]
    return 0


def place_runs(
    const int64_t[::1] sizes not None,
    const int64_t[::1] counts not None,
    const int64_t[::1] gaps not None,
    int64_t start,
):
    cdef Py_ssize_t runs = counts.shape[0], samples = sizes.shape[0]
    cdef c_array.array starts = _new(runs), lengths = _new(runs)
    if gaps.shape[0] != runs:
        raise BoxError("bad_table", 0, "as many gaps as runs")
    if runs:
        place(
            &sizes[0] if samples else NULL, samples, &counts[0], &gaps[0], runs, start,
            <int64_t*>starts.data.as_longlongs, <int64_t*>lengths.data.as_longlongs,
        )
    return starts, lengths
