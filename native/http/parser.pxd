"""Request heads as offsets: what one pass over the octets finds."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:
    GET = 0
    HEAD = 1
    OPTIONS = 2

# Positions of tables.KNOWN_FIELDS.
cdef enum:
    F_HOST = 0
    F_CONTENT_LENGTH = 1
    F_TRANSFER_ENCODING = 2
    F_CONNECTION = 3
    F_EXPECT = 4
    F_RANGE = 5
    F_IF_RANGE = 6
    F_IF_MATCH = 7
    F_IF_NONE_MATCH = 8
    F_IF_MODIFIED_SINCE = 9
    F_IF_UNMODIFIED_SINCE = 10
    F_ACCEPT_ENCODING = 11
    F_AUTHORIZATION = 12
    F_UNKNOWN = 255

cdef enum:  # what scan() says; a value >= FAULT is FAULT + the row of errors.REFUSALS
    MORE = 0
    DONE = 1
    FAULT = 2

cdef struct Field:
    uint16_t name
    uint16_t name_size
    uint16_t value
    uint16_t value_size
    uint8_t known

cdef struct Head:
    uint32_t at  # first octet not consumed: of the unfinished line; behind the head; at the fault
    uint16_t line  # request line
    uint16_t section  # first field line; 0 while the request line is unfinished
    uint16_t target
    uint16_t target_size
    uint16_t path  # path and query inside the target (behind an authority, HT-43)
    uint16_t path_size  # 0: the path is "/" and there is no query
    uint16_t host
    uint16_t host_size  # without port and trailing dot
    uint32_t seen  # bit per known field
    uint8_t method
    uint8_t minor
    uint8_t keep_alive
    uint8_t count
    Field fields[100]

cdef void begin(Head* head) noexcept nogil
cdef int scan(Head* head, const uint8_t* data, size_t size) noexcept nogil
cdef Field* find(Head* head, int known) noexcept nogil
cdef bint equal(const uint8_t* text, const char* word, size_t size) noexcept nogil
