"""An open file of media."""

from libc.stdint cimport int64_t

from native.bmff.window cimport Window

cdef class Source:
    cdef int fd
    cdef int64_t size
    cdef bint mappable
    cdef int asked  # for what pages would be the way to
    cdef Window window
    cdef bint _mapped(self, Py_ssize_t runs, int64_t media) except -1
    cdef bint fill(
        self, char* target, const int64_t* starts, const int64_t* lengths, Py_ssize_t runs, int64_t media
    ) except -1
