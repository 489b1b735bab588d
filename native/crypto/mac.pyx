# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""SHA-256 and HMAC-SHA256 of libcrypto; of hashlib and hmac where there is none."""

import hashlib
import hmac

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset

from native.crypto.symbols cimport symbol

cdef enum:
    MAC_BYTES = 32
    BLOCK_BYTES = 64  # FIPS 180-4, 1

ctypedef int (*sha_init_t)(void*) noexcept nogil
ctypedef int (*sha_update_t)(void*, const void*, size_t) noexcept nogil
ctypedef int (*sha_final_t)(uint8_t*, void*) noexcept nogil

cdef sha_init_t sha_init = <sha_init_t>symbol(b"SHA256_Init")
cdef sha_update_t sha_update = <sha_update_t>symbol(b"SHA256_Update")
cdef sha_final_t sha_final = <sha_final_t>symbol(b"SHA256_Final")
cdef bint present = sha_init != NULL and sha_update != NULL and sha_final != NULL


cdef void digest256(const uint8_t* data, size_t size, uint8_t* out) noexcept:
    cdef uint8_t[STATE_BYTES] state
    if not present:
        by_hashlib(data, size, out)
        return
    sha_init(state)
    sha_update(state, data, size)
    sha_final(out, state)


cdef void by_hashlib(const uint8_t* data, size_t size, uint8_t* out):
    cdef bytes made = hashlib.sha256(PyBytes_FromStringAndSize(<const char*>data, size)).digest()
    memcpy(out, PyBytes_AS_STRING(made), MAC_BYTES)


def sha256(bytes data not None):
    cdef bytes made = PyBytes_FromStringAndSize(NULL, MAC_BYTES)
    digest256(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), <uint8_t*>PyBytes_AS_STRING(made))
    return made


cdef class Mac:
    """The states of SHA-256 behind the inner and the outer key block (RFC 2104, 4)."""

    def __cinit__(self, bytes secret not None):
        cdef uint8_t[BLOCK_BYTES] block
        cdef Py_ssize_t size = PyBytes_GET_SIZE(secret)
        cdef int i
        self.secret = secret
        if not present:
            return
        memset(block, 0, BLOCK_BYTES)
        if size > BLOCK_BYTES:
            digest256(<const uint8_t*>PyBytes_AS_STRING(secret), size, block)
        else:
            memcpy(block, PyBytes_AS_STRING(secret), size)
        for i in range(BLOCK_BYTES):
            block[i] ^= 0x36
        sha_init(self.inner)
        sha_update(self.inner, block, BLOCK_BYTES)
        for i in range(BLOCK_BYTES):
            block[i] ^= 0x36 ^ 0x5C
        sha_init(self.outer)
        sha_update(self.outer, block, BLOCK_BYTES)
        memset(block, 0, BLOCK_BYTES)

    cdef void sealed(self, const uint8_t* data, size_t size, uint8_t* out) noexcept:
        cdef uint8_t[STATE_BYTES] state
        if not present:
            by_hmac(self.secret, data, size, out)
            return
        memcpy(state, self.inner, STATE_BYTES)
        sha_update(state, data, size)
        sha_final(out, state)
        memcpy(state, self.outer, STATE_BYTES)
        sha_update(state, out, MAC_BYTES)
        sha_final(out, state)

    cdef bint holds_at(self, const uint8_t* data, size_t size, const uint8_t* seal) noexcept:
        """Whether the 32 bytes at `seal` are the MAC; constant time."""
        cdef uint8_t[MAC_BYTES] made
        cdef int i
        cdef uint8_t differs = 0
        self.sealed(data, size, made)
        for i in range(MAC_BYTES):
            differs |= made[i] ^ seal[i]
        return differs == 0

    def digest(self, bytes data not None):
        cdef bytes made = PyBytes_FromStringAndSize(NULL, MAC_BYTES)
        self.sealed(
            <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), <uint8_t*>PyBytes_AS_STRING(made)
        )
        return made

    def holds(self, bytes data not None, bytes seal not None):
        return PyBytes_GET_SIZE(seal) == MAC_BYTES and self.holds_at(
            <const uint8_t*>PyBytes_AS_STRING(data),
            PyBytes_GET_SIZE(data),
            <const uint8_t*>PyBytes_AS_STRING(seal),
        )


cdef void by_hmac(bytes secret, const uint8_t* data, size_t size, uint8_t* out):
    cdef bytes made = hmac.digest(secret, PyBytes_FromStringAndSize(<const char*>data, size), "sha256")
    memcpy(out, PyBytes_AS_STRING(made), MAC_BYTES)
