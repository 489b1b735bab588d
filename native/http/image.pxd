"""A whole answer ready to leave in one call."""

cdef class Image:
    cdef long second  # epoch time its Date tells
    cdef bytes octets  # head, date and body; None: they stand in `fd`
    cdef int fd
    cdef size_t lead  # octets in front of the body
    cdef size_t size

cdef Image picture(long second, bytes head, const char* date, tuple pieces, size_t size, bint in_file)
