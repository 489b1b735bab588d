"""Entity tag lists."""

from libc.stdint cimport uint8_t

cdef enum:  # bits found in a list; ILL_FORMED wins
    TAG_HIT = 1
    TAG_STAR = 2
    TAG_OTHER = 4
    TAG_ILL_FORMED = 8

cdef int read_tags(
    const uint8_t* text, size_t size, const uint8_t* tag, size_t tag_size, bint weak
) noexcept nogil
cdef bint tags_match(int found) noexcept nogil
