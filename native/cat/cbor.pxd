"""One pass over CBOR with its limits; `Reader` borrows the bytes for the length of a call."""

from libc.stdint cimport uint8_t, uint64_t

cdef struct Reader:
    const uint8_t* data
    Py_ssize_t at
    Py_ssize_t end
    int items  # met so far, of any kind


cdef int head(Reader* reader, uint64_t* argument) except -1

cdef class Decoder:
    cdef readonly int depth
    cdef readonly int items
    cdef readonly int map_pairs
    cdef readonly int array_items
    cdef readonly int text_bytes

    cdef int count(self, Reader* reader, int depth) except -1
    cdef object item(self, Reader* reader, int depth)
    cdef object text(self, Reader* reader, uint64_t size)
    cdef object array(self, Reader* reader, uint64_t count, int depth)
    cdef dict pairs(self, Reader* reader, uint64_t count, int depth)
    cdef object whole(self, bytes data)

cdef bytes take(Reader* reader, uint64_t size)
