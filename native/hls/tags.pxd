from libc.stdint cimport uint8_t

cdef enum:
    TAGS_MAX = 64  # a playlist's tags are one 64-bit set
    NO_TAG = 255

cdef struct Places:
    const uint8_t* names[2]
    size_t sizes[2]
    int count
    bint relative

cdef uint8_t tag_number(const uint8_t* name, size_t size) noexcept nogil
cdef const Places* tag_places(uint8_t tag) noexcept nogil
