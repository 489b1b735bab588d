from libc.stdint cimport uint8_t

cdef struct Member:
    size_t name, name_end
    size_t start, end  # of the value, its quotes included, blanks around it not
    bint quoted
    size_t next

cdef bint next_member(
    const uint8_t* text, size_t at, size_t size, Member* found
) noexcept nogil
