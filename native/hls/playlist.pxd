from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:  # the order of model.Kind
    TAG
    UNKNOWN
    COMMENT
    URI
    BLANK

cdef struct Span:
    uint32_t start  # of the line; the next one's is its end
    uint32_t text, stop  # of the line without blanks around it and without its end
    uint8_t kind
    uint8_t tag  # number of a known tag

cdef class Playlist:
    cdef readonly bytes data
    cdef Span* spans
    cdef size_t count, room
    cdef uint64_t seen  # known tags, a bit each

    cdef int scan(self) except -1
    cdef int add(self, Span span) except -1
