"""Strict CBOR in place, for payloads that are only judged (RFC 8949; specs/cat.md CAT-5, CAT-120)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef enum:  # major types, RFC 8949 3.1
    UINT = 0
    NINT = 1
    BYTES = 2
    TEXT = 3
    ARRAY = 4
    MAP = 5
    TAG = 6
    NO_HEAD = -1

cdef enum:
    TEXT_MAX = 2048  # specs/cat.md section 12

cdef struct Cursor:
    const uint8_t* data
    Py_ssize_t at
    Py_ssize_t end


cdef inline int next_head(Cursor* cursor, uint64_t* argument) noexcept:
    """Major type and argument of the next item; NO_HEAD for simple values, floats and every form
    that is not the shortest.
    """
    cdef int major, info, size, i
    cdef uint64_t value = 0
    if cursor.at >= cursor.end:
        return NO_HEAD
    major, info = cursor.data[cursor.at] >> 5, cursor.data[cursor.at] & 31
    cursor.at += 1
    if major == 7 or info > 27:
        return NO_HEAD
    if info < 24:
        argument[0] = <uint64_t>info
        return major
    size = 1 << (info - 24)
    if cursor.end - cursor.at < size:
        return NO_HEAD
    for i in range(size):
        value = value << 8 | cursor.data[cursor.at + i]
    cursor.at += size
    if value < 24 or (size > 1 and value >> (4 * size) == 0):
        return NO_HEAD
    argument[0] = value
    return major


cdef inline bint whole_number(Cursor* cursor, int64_t* value) noexcept:
    cdef uint64_t argument
    cdef int major = next_head(cursor, &argument)
    if (major != UINT and major != NINT) or argument > <uint64_t>1 << 53:
        return False
    value[0] = <int64_t>argument if major == UINT else -1 - <int64_t>argument
    return -(<int64_t>1 << 53) <= value[0]


cdef inline bint octets(Cursor* cursor, int wanted, uint32_t* at, uint32_t* length) noexcept:
    """The extent of a byte string, or of an ASCII text."""
    cdef uint64_t size
    cdef Py_ssize_t i
    if next_head(cursor, &size) != wanted or size > <uint64_t>(cursor.end - cursor.at):
        return False
    if wanted == TEXT:
        if size > TEXT_MAX:
            return False
        for i in range(<Py_ssize_t>size):
            if cursor.data[cursor.at + i] & 0x80:
                return False
    at[0], length[0] = <uint32_t>cursor.at, <uint32_t>size
    cursor.at += <Py_ssize_t>size
    return True
