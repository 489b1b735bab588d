# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""A gzip stream around a token, with the checksum of what it unfolds to (RFC 1952 section 8).

CRC-32 is linear: octets that change at some places change the sum by a product of polynomials over
GF(2), of which one factor is the same for all tokens of a length. So no body has to be read.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memcpy

cdef enum:
    TRAILER = 8

cdef uint32_t POLYNOMIAL = 0xEDB88320
cdef uint32_t ONE = 0x80000000  # x to the power of 0, the highest bit being the lowest power
cdef uint32_t[256] STEPS
cdef uint32_t _step
cdef int _octet, _bit
for _octet in range(256):
    _step = _octet
    for _bit in range(8):
        _step = _step >> 1 ^ POLYNOMIAL if _step & 1 else _step >> 1
    STEPS[_octet] = _step


cdef inline uint32_t stepped(uint32_t sum, uint8_t octet) noexcept nogil:
    return STEPS[(sum ^ octet) & 0xFF] ^ sum >> 8


cdef uint32_t product(uint32_t a, uint32_t b) noexcept nogil:
    """Of two polynomials, by the polynomial of CRC-32."""
    cdef uint32_t made = 0, bit = ONE
    while bit:
        if a & bit:
            made ^= b
        bit >>= 1
        b = b >> 1 ^ POLYNOMIAL if b & 1 else b >> 1
    return made


@cython.final
cdef class Stream:
    cdef bytes before, behind
    cdef size_t size, total
    cdef uint32_t sum  # of a body whose tokens are zeros
    cdef uint32_t factor

    def __init__(self, bytes before not None, bytes behind not None, bytes body not None, bytes mark not None):
        cdef const uint8_t* text = body
        cdef const uint8_t* wanted = mark
        cdef size_t at = 0, left = 0, total = PyBytes_GET_SIZE(body), size = PyBytes_GET_SIZE(mark)
        cdef uint32_t sum = 0xFFFFFFFF, factor = 0
        if not size:
            raise ValueError("a mark has no octets")
        for at in range(total):
            if not left and total - at >= size and memcmp(text + at, wanted, size) == 0:
                left = size
            sum, factor = stepped(sum, 0 if left else text[at]), stepped(factor, 0)
            if left:
                left -= 1
                if not left:
                    factor ^= ONE
        self.before, self.behind, self.size, self.total = before, behind, size, total
        self.sum, self.factor = ~sum, factor

    def of(self, bytes token not None):
        cdef size_t lead = PyBytes_GET_SIZE(self.before), end = PyBytes_GET_SIZE(self.behind), at
        cdef const uint8_t* text = token
        cdef uint32_t sum = 0
        cdef uint8_t i
        if <size_t>PyBytes_GET_SIZE(token) != self.size:
            raise ValueError("a token of another length")
        for at in range(self.size):
            sum = stepped(sum, text[at])
        sum = self.sum ^ product(sum, self.factor)
        made = PyBytes_FromStringAndSize(NULL, lead + self.size + end + TRAILER)
        cdef uint8_t* out = <uint8_t*>PyBytes_AS_STRING(made)
        memcpy(out, PyBytes_AS_STRING(self.before), lead)
        memcpy(out + lead, text, self.size)
        memcpy(out + lead + self.size, PyBytes_AS_STRING(self.behind), end)
        out += lead + self.size + end
        for i in range(4):
            out[i], out[4 + i] = sum >> 8 * i & 0xFF, self.total >> 8 * i & 0xFF
        return made
