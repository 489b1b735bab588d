"""Scattered runs of a file, for kernels."""

from libc.stdint cimport int64_t, uint64_t

cdef bint at_hand(
    int fd, char* target, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs
) noexcept nogil  # read without waiting, to where there is room for them
cdef bint is_same(const char* path, uint64_t size, int64_t mtime_ns, uint64_t inode) noexcept nogil
