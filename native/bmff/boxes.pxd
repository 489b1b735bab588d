from libc.stdint cimport uint8_t, uint32_t

from native.bmff.reader cimport Reader

cdef struct Span:
    uint32_t kind
    Py_ssize_t start
    Py_ssize_t body
    Py_ssize_t end

cdef bint next_box(
    const uint8_t* data, Py_ssize_t start, Py_ssize_t end, bint top, Span* out
) except -1
cdef bint find_box(
    const uint8_t* data, Py_ssize_t start, Py_ssize_t end, uint32_t kind, Span* out
) except -1
cdef str fourcc(uint32_t kind)
cdef object as_box(Span span)
cdef int whole(Reader* r, Span box) except -1
cdef int put(list found, object item, Span box) except -1
