"""Steps over the characters of a CMCD set, shared by this folder's kernels."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr

cdef enum:
    MAX_KEY = 8
    MAX_DIGITS = 15  # RFC 9651 section 3.3.1

cdef struct Cursor:
    const char* at
    const char* end


cdef inline bint take(Cursor* cursor, char character) noexcept nogil:
    if cursor.at < cursor.end and cursor.at[0] == character:
        cursor.at += 1
        return True
    return False


cdef inline uint64_t name(Cursor* cursor) noexcept nogil:
    """The code of a short lower-case name, 0 for any other."""
    cdef uint64_t code = 0
    cdef int length = 0
    while cursor.at < cursor.end and b"a" <= cursor.at[0] <= b"z":
        code = (code << 8) | <unsigned char>cursor.at[0]
        cursor.at += 1
        length += 1
    return code if length <= MAX_KEY else 0


cdef inline int64_t integer(Cursor* cursor) noexcept nogil:
    """A number that is not negative, -1 for none."""
    cdef int64_t value = 0
    cdef const char* start = cursor.at
    while cursor.at < cursor.end and b"0" <= cursor.at[0] <= b"9":
        if cursor.at - start == MAX_DIGITS:
            return -1
        value = value * 10 + (cursor.at[0] - 48)
        cursor.at += 1
    if cursor.at == start or (cursor.at < cursor.end and cursor.at[0] == b"."):
        return -1
    return value


cdef inline bint plain(char character) noexcept nogil:
    return b" " <= character <= b"~" and character != b'"' and character != b"\\"


cdef inline bint ends(Cursor* cursor) noexcept nogil:
    return cursor.at == cursor.end or cursor.at[0] == b","


cdef inline const char* authority(const char* start, const char* end, Py_ssize_t* length) noexcept nogil:
    """Where the host and port of a URL begin; of no length for what has none."""
    cdef const char* at = <const char*>memchr(start, b"/", end - start) if start < end else NULL
    length[0] = 0
    if at == NULL or at + 1 >= end or at[1] != b"/" or (at > start and at[-1] != b":"):
        return start
    start = at = at + 2
    while at < end and at[0] != b"/" and at[0] != b"?" and at[0] != b"#":
        at += 1
        if at[-1] == b"@":
            start = at
    length[0] = at - start
    return start
