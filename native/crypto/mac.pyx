# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""SHA-256 and HMAC-SHA256 of libcrypto; of hashlib and hmac where there is none."""

import hashlib
import hmac

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from native.crypto.symbols cimport symbol

cdef enum:
    MAC_BYTES = 32
    STATE_BYTES = 256  # SHA256_CTX is 112 in every release since 0.9.8

ctypedef int (*sha_init_t)(void*) noexcept nogil
ctypedef int (*sha_update_t)(void*, const void*, size_t) noexcept nogil
ctypedef int (*sha_final_t)(uint8_t*, void*) noexcept nogil
ctypedef void* (*new_t)() noexcept nogil
ctypedef void (*free_t)(void*) noexcept nogil
ctypedef int (*hmac_init_t)(void*, const void*, int, const void*, void*) noexcept nogil
ctypedef int (*hmac_update_t)(void*, const uint8_t*, size_t) noexcept nogil
ctypedef int (*hmac_final_t)(void*, uint8_t*, unsigned int*) noexcept nogil

cdef sha_init_t sha_init = <sha_init_t>symbol(b"SHA256_Init")
cdef sha_update_t sha_update = <sha_update_t>symbol(b"SHA256_Update")
cdef sha_final_t sha_final = <sha_final_t>symbol(b"SHA256_Final")
cdef new_t hmac_new = <new_t>symbol(b"HMAC_CTX_new")
cdef free_t hmac_free = <free_t>symbol(b"HMAC_CTX_free")
cdef hmac_init_t hmac_init = <hmac_init_t>symbol(b"HMAC_Init_ex")
cdef hmac_update_t hmac_update = <hmac_update_t>symbol(b"HMAC_Update")
cdef hmac_final_t hmac_final = <hmac_final_t>symbol(b"HMAC_Final")
cdef new_t sha256_kind = <new_t>symbol(b"EVP_sha256")
cdef bint present = (
    sha_init != NULL and sha_update != NULL and sha_final != NULL and hmac_new != NULL
    and hmac_free != NULL and hmac_init != NULL and hmac_update != NULL and hmac_final != NULL
    and sha256_kind != NULL
)


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
    def __cinit__(self, bytes secret not None):
        self.secret = secret
        self.context = NULL
        if not present:
            return
        self.context = hmac_new()
        if self.context == NULL:
            raise MemoryError
        if not hmac_init(
            self.context, PyBytes_AS_STRING(secret), <int>PyBytes_GET_SIZE(secret), sha256_kind(), NULL
        ):
            raise ValueError("libcrypto takes no such secret")

    def __dealloc__(self):
        if self.context != NULL:
            hmac_free(self.context)

    cdef bint sealed(self, const uint8_t* data, size_t size, uint8_t* out) noexcept:
        cdef unsigned int made = 0
        if self.context == NULL:
            by_hmac(self.secret, data, size, out)
            return True
        return (
            hmac_init(self.context, NULL, 0, NULL, NULL) == 1
            and hmac_update(self.context, data, size) == 1
            and hmac_final(self.context, out, &made) == 1
            and made == MAC_BYTES
        )

    cdef bint holds_at(self, const uint8_t* data, size_t size, const uint8_t* seal) noexcept:
        """Whether the 32 bytes at `seal` are the MAC; constant time."""
        cdef uint8_t[MAC_BYTES] made
        cdef int i
        cdef uint8_t differs = 0
        if not self.sealed(data, size, made):
            return False
        for i in range(MAC_BYTES):
            differs |= made[i] ^ seal[i]
        return differs == 0

    def digest(self, bytes data not None):
        cdef bytes made = PyBytes_FromStringAndSize(NULL, MAC_BYTES)
        if not self.sealed(
            <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), <uint8_t*>PyBytes_AS_STRING(made)
        ):
            raise ValueError("libcrypto refused to seal")
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
