"""Bounded big-endian reader. Reads past `end` give 0 and set `cut`: ask once, after the last read."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef struct Reader:
    const uint8_t* data
    Py_ssize_t at
    Py_ssize_t end
    bint cut


cdef inline Reader reader(const uint8_t* data, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef Reader r
    r.data = data
    r.at = start
    r.end = end
    r.cut = False
    return r


cdef inline bint ask(Reader* r, Py_ssize_t count) noexcept nogil:
    if count < 0 or count > r.end - r.at:
        r.cut = True
        r.at = r.end
        return False
    return True


cdef inline uint64_t take(Reader* r, int count) noexcept nogil:
    """The next `count` bytes (at most 8) as one number."""
    cdef uint64_t value = 0
    cdef int i
    if not ask(r, count):
        return 0
    for i in range(count):
        value = (value << 8) | r.data[r.at + i]
    r.at += count
    return value


cdef inline uint8_t u8(Reader* r) noexcept nogil:
    return <uint8_t>take(r, 1)


cdef inline uint16_t u16(Reader* r) noexcept nogil:
    return <uint16_t>take(r, 2)


cdef inline uint32_t u32(Reader* r) noexcept nogil:
    return <uint32_t>take(r, 4)


cdef inline uint64_t u64(Reader* r) noexcept nogil:
    return take(r, 8)


cdef inline void skip(Reader* r, Py_ssize_t count) noexcept nogil:
    if ask(r, count):
        r.at += count


cdef inline uint32_t load32(const uint8_t* p) noexcept nogil:
    """Four bytes that the caller has checked."""
    return (<uint32_t>p[0] << 24) | (<uint32_t>p[1] << 16) | (<uint32_t>p[2] << 8) | p[3]


cdef inline uint64_t load64(const uint8_t* p) noexcept nogil:
    return (<uint64_t>load32(p) << 32) | load32(p + 4)


cdef inline uint32_t cc(const char* name) noexcept nogil:
    """A fourcc written as text: cc(b"moov")."""
    return load32(<const uint8_t*>name)


cdef inline bytes rest(Reader* r):
    """A copy of what is left."""
    return r.data[r.at:r.end]


cdef inline bytes line(Reader* r):
    """A NUL-terminated string; the terminator may be missing at the end of the box."""
    cdef Py_ssize_t start = r.at
    while r.at < r.end and r.data[r.at]:
        r.at += 1
    cdef bytes text = r.data[start:r.at]
    if r.at < r.end:
        r.at += 1
    return text
