"""Sample rows to styp + moof + mdat header."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef bytes written(
    uint32_t sequence,
    uint64_t decode_time,
    const int64_t* sizes,
    const int64_t* durations,
    const int64_t* ctos,
    const int64_t* syncs,
    Py_ssize_t count,
    bint video,
    bytes extra,
    Py_ssize_t* head,
    bint whole,
)
