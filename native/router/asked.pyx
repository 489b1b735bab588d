# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""Steering polls as players usually send them, read in one pass each: the head, and the query.

Whatever is not of that form is None: it is somebody else's to judge.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

from native.http.parser cimport (
    DONE,
    F_CONNECTION,
    F_CONTENT_LENGTH,
    F_EXPECT,
    F_TRANSFER_ENCODING,
    F_UNKNOWN,
    GET,
    Field,
    Head,
    begin,
    equal,
    find,
    scan,
)

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(str text)
    const uint8_t* PyUnicode_1BYTE_DATA(str text)
    Py_ssize_t PyUnicode_GET_LENGTH(str text)

cdef enum:
    NAME_MAX = 64
    DIGITS_MAX = 16

cdef uint32_t UNUSUAL = 1 << F_CONTENT_LENGTH | 1 << F_TRANSFER_ENCODING | 1 << F_EXPECT
cdef uint8_t[256] LETTERS  # of sealed state and of names of pathways


cdef void fill_letters():
    for letter in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-":
        LETTERS[<uint8_t>letter] = 1


fill_letters()


def head(bytes data not None, Py_ssize_t at, Py_ssize_t most):
    cdef Head found
    cdef const uint8_t* octets = <const uint8_t*>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = min(PyBytes_GET_SIZE(data) - at, most)
    if at < 0 or size <= 0:
        return None
    octets += at
    begin(&found)
    if scan(&found, octets, size) != DONE or not plain(&found, octets):
        return None
    cdef const uint8_t* path = octets + found.path
    cdef Py_ssize_t left = found.path_size, name = 0
    if left >= 10 and memcmp(path, b"/steer/hls", 10) == 0:
        name = 10
    elif left >= 11 and memcmp(path, b"/steer/dash", 11) == 0:
        name = 11
    if not name or (left > name and path[name] != 63):  # "?"
        return None
    protocol = "hls" if name == 10 else "dash"
    path += name + (left > name)
    left -= name + (left > name)
    return protocol, PyUnicode_DecodeASCII(<const char*>path, left, NULL), at + found.at


cdef bint plain(Head* found, const uint8_t* octets) noexcept:
    """A GET of HTTP/1.1 without a body, on a connection that stays (RFC 9112 section 6)."""
    cdef Field* field
    cdef int i
    if found.method != GET or found.minor != 1 or found.seen & UNUSUAL:
        return False
    for i in range(found.count):
        field = &found.fields[i]
        if field.known == F_CONNECTION:
            if field.value_size != 10 or not equal(octets + field.value, b"keep-alive", 10):
                return False
        elif field.known == F_UNKNOWN and field.name_size == 7:
            if equal(octets + field.name, b"upgrade", 7):
                return False
    return True


def usual(str query not None):
    cdef const uint8_t* text = PyUnicode_1BYTE_DATA(query)
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(query), sealed = 3, name, end
    cdef bint quoted
    if not PyUnicode_IS_ASCII(query) or size < 4 or memcmp(text, b"ss=", 3):
        return None
    while sealed < size and LETTERS[text[sealed]]:
        sealed += 1
    if sealed == 3 or size - sealed < 14 or memcmp(text + sealed, b"&_HLS_pathway=", 14):
        return None
    name = sealed + 14
    quoted = size - name >= 3 and memcmp(text + name, b"%22", 3) == 0
    name += 3 * quoted
    end = name
    while end < size and LETTERS[text[end]]:
        end += 1
    if not 0 < end - name <= NAME_MAX:
        return None
    pathway = query[name:end]
    if quoted:
        if size - end < 3 or memcmp(text + end, b"%22", 3):
            return None
        end += 3
    if end == size:
        return query[3:sealed], pathway, None
    if size - end < 17 or size - end > 17 + DIGITS_MAX or memcmp(text + end, b"&_HLS_throughput=", 17):
        return None
    bps = number(text + end + 17, size - end - 17)
    return None if bps < 0 else (query[3:sealed], pathway, bps)


cdef long number(const uint8_t* digits, Py_ssize_t size) noexcept:
    """A decimal number; -1 for none."""
    cdef long found = 0
    cdef Py_ssize_t i
    for i in range(size):
        if not 48 <= digits[i] <= 57:
            return -1
        found = 10 * found + (digits[i] - 48)
    return found if size else -1
