"""Where the samples of a segment lie in its source."""

from libc.stdint cimport int64_t

cdef int place(
    const int64_t* sizes,
    Py_ssize_t samples,
    const int64_t* counts,
    const int64_t* gaps,
    Py_ssize_t runs,
    int64_t start,
    int64_t* starts,
    int64_t* lengths,
) except -1
