# cython: auto_pickle=False, boundscheck=False, wraparound=False, cdivision=True
"""What a verified token is remembered by (CAT-101): SHA-256 of a keyed universal hash, since SHA-256 of
a whole token is half the price of judging one again.

NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, CRYPTO 1999, section 4) over words of 64 bits, in
two passes over one secret (section 4.4): two texts of one length collide with a probability of 2**-128.
The length is hashed beside it. SHA-256 hides what NH alone would give away to a reader of memory.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

from native.cat.request cimport text_of
from native.crypto.mac cimport digest256

cdef extern from *:
    """
    typedef unsigned __int128 wide_t;
    """
    ctypedef unsigned long long wide_t  # 128 bits

cdef enum:
    PAIR_BYTES = 16

SECRET_BYTES = WORDS * 8


cdef struct Digested:
    wide_t first
    wide_t second
    uint64_t size


cdef inline wide_t product(const uint8_t* data, const uint64_t* secret) noexcept nogil:
    cdef uint64_t[2] words
    memcpy(words, data, PAIR_BYTES)
    return <wide_t>(words[0] + secret[0]) * <wide_t>(words[1] + secret[1])


cdef class Namer:
    def __init__(self, bytes secret not None):
        if PyBytes_GET_SIZE(secret) != SECRET_BYTES:
            raise ValueError(f"the secret has {SECRET_BYTES} bytes")
        memcpy(self.secret, PyBytes_AS_STRING(secret), SECRET_BYTES)

    cdef bytes name(self, Text token):
        """The name of at most TOKEN_MAX octets."""
        cdef bytes made = PyBytes_FromStringAndSize(NULL, NAME_BYTES)
        cdef const uint8_t* data = <const uint8_t*>token.data
        cdef uint8_t[PAIR_BYTES] last
        cdef const uint64_t* secret = self.secret
        cdef wide_t first = 0, second = 0
        cdef Digested sums
        cdef Py_ssize_t at = 0, whole = token.size & ~<Py_ssize_t>(PAIR_BYTES - 1)
        while at < whole:
            first += product(data + at, secret)
            second += product(data + at, secret + 2)
            at += PAIR_BYTES
            secret += 2
        if whole < token.size:
            memset(last, 0, PAIR_BYTES)
            memcpy(last, data + whole, token.size - whole)
            first += product(last, secret)
            second += product(last, secret + 2)
        memset(&sums, 0, sizeof(sums))  # its padding is hashed too
        sums.first, sums.second, sums.size = first, second, <uint64_t>token.size
        digest256(<const uint8_t*>&sums, sizeof(sums), <uint8_t*>PyBytes_AS_STRING(made))
        return made

    def of(self, str token not None):
        cdef Text text = text_of(token)
        if not 0 <= text.size <= TOKEN_MAX:
            raise ValueError("not a token's text")
        return self.name(text)
