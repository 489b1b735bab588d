"""One pass over CBOR with its limits; `Reader` borrows the bytes for the length of a call."""

from libc.stdint cimport uint8_t, uint64_t

cdef struct Reader:
    const uint8_t* data
    Py_ssize_t at
    Py_ssize_t end
    int items  # met so far, of any kind
    bint lenient  # CAT-5
    bint open  # the last head was one of indefinite length


cdef int head(Reader* reader, uint64_t* argument) except -1

cdef class Decoder:
    cdef readonly int depth
    cdef readonly int items
    cdef readonly int map_pairs
    cdef readonly int array_items
    cdef readonly int text_bytes
    cdef readonly bint lenient

    cdef int count(self, Reader* reader, int depth) except -1
    cdef bytes octets(self, Reader* reader, uint64_t size, int depth)
    cdef bytes chunks(self, Reader* reader, int major, int depth)
    cdef object item(self, Reader* reader, int depth)
    cdef str text(self, Reader* reader, uint64_t size, int depth)
    cdef object array(self, Reader* reader, uint64_t count, int depth)
    cdef dict pairs(self, Reader* reader, uint64_t count, int depth)
    cdef int pair(self, Reader* reader, int depth, dict result) except -1
    cdef object whole(self, bytes data)

cdef bint ended(Reader* reader) except -1
