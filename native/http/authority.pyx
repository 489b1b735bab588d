"""Host values and absolute-form authorities (RFC 9112 3.2; specs/http1.md HT-41, HT-44)."""

from libc.string cimport memcpy

from native.http import tables

cdef extern from "arpa/inet.h" nogil:
    enum: AF_INET6
    int inet_pton(int family, const char* text, void* out)

cdef uint8_t LABEL[256]
for _octet in tables.LABEL:
    LABEL[<uint8_t>_octet] = 1
cdef size_t HOST_MAX = tables.HOST_BYTES_MAX


cdef bint read_authority(const uint8_t* text, size_t size, Authority* out) noexcept nogil:
    """Labels with one trailing dot allowed, or [IPv6]; then ":" and up to five digits."""
    cdef size_t i = 0, label = 0
    cdef char literal[48]
    cdef uint8_t address[16]
    if size == 0 or size > HOST_MAX:
        return False
    out.name, out.port = text, -1
    if text[0] == 91:
        while i < size and text[i] != 93:
            i += 1
        if i == size or i > sizeof(literal):
            return False
        memcpy(literal, text + 1, i - 1)
        literal[i - 1] = 0
        if inet_pton(AF_INET6, literal, address) != 1:
            return False
        i += 1
        out.size = i
    else:
        while i < size and text[i] != 58:
            if text[i] == 46:
                if label == 0:
                    return False
                label = 0
            elif LABEL[text[i]]:
                label += 1
            else:
                return False
            i += 1
        out.size = i if label else i - 1 if i else 0
        if out.size == 0:
            return False
    if i < size:
        return read_port(text + i, size - i, out)
    return True


cdef bint read_port(const uint8_t* text, size_t size, Authority* out) noexcept nogil:
    cdef size_t i
    cdef int port = 0
    if text[0] != 58 or size > 6:
        return False
    for i in range(1, size):
        if not 48 <= text[i] <= 57:
            return False
        port = port * 10 + text[i] - 48
    if port > 65535:
        return False
    if size > 1:
        out.port = port
    return True


cdef bint same_authority(const Authority* a, const Authority* b, int default_port) noexcept nogil:
    """Equal aside from case, trailing dot and a default port that only one of them names."""
    cdef size_t i
    cdef uint8_t x, y
    if a.size != b.size:
        return False
    if (a.port if a.port >= 0 else default_port) != (b.port if b.port >= 0 else default_port):
        return False
    for i in range(a.size):
        x, y = a.name[i], b.name[i]
        if x != y and (x | 32 != y | 32 or not 97 <= x | 32 <= 122):
            return False
    return True
