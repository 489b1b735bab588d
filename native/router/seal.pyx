# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""Payloads as signed text of a URL: `v1.` payload `.` signature, both in base64url (RFC 4648 5).

The signature is HMAC-SHA-256 over everything before the last dot, cut to 128 bits (RFC 2104 5).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memcpy

from native.crypto.mac cimport Mac

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(str text)
    uint8_t* PyUnicode_1BYTE_DATA(str text)
    Py_ssize_t PyUnicode_GET_LENGTH(str text)
    str PyUnicode_New(Py_ssize_t size, uint32_t maxchar)

cdef enum:
    MAC_BYTES = 32
    KEPT_BYTES = 16
    KEPT_LETTERS = 22
    AROUND = 3 + 1 + KEPT_LETTERS  # what is not payload

cdef uint8_t[64] LETTERS
cdef uint8_t[256] SEXTETS  # value of each letter; 64: none


cdef void fill_letters():
    cdef int i, letter
    for i in range(256):
        SEXTETS[i] = 64
    for i, letter in enumerate(
        bytearray(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    ):
        LETTERS[i] = <uint8_t>letter
        SEXTETS[letter] = <uint8_t>i


fill_letters()


cdef class Seal:
    cdef Mac _mac

    def __cinit__(self, bytes secret not None):
        self._mac = Mac(secret)

    def sealed(self, bytes payload not None):
        cdef Py_ssize_t size = PyBytes_GET_SIZE(payload), letters = (4 * size + 2) // 3
        cdef str text = PyUnicode_New(letters + AROUND, 127)
        cdef uint8_t* out = PyUnicode_1BYTE_DATA(text)
        memcpy(out, b"v1.", 3)
        encode(<const uint8_t*>PyBytes_AS_STRING(payload), size, out + 3)
        out[3 + letters] = 46  # "."
        self._sign(out, 3 + letters, out + 4 + letters)
        return text

    def opened(self, str text not None):
        cdef Py_ssize_t letters = PyUnicode_GET_LENGTH(text) - AROUND, i
        cdef const uint8_t* data = PyUnicode_1BYTE_DATA(text)
        cdef uint8_t[KEPT_LETTERS] signature
        cdef uint8_t differs = 0
        cdef bytes payload
        if letters < 0 or letters % 4 == 1 or not PyUnicode_IS_ASCII(text):
            return None
        if memcmp(data, b"v1.", 3) or data[3 + letters] != 46:
            return None
        self._sign(data, 3 + letters, signature)
        for i in range(KEPT_LETTERS):
            differs |= signature[i] ^ data[4 + letters + i]
        if differs:
            return None
        payload = PyBytes_FromStringAndSize(NULL, 3 * letters // 4)
        return payload if decode(data + 3, letters, <uint8_t*>PyBytes_AS_STRING(payload)) else None

    cdef void _sign(self, const uint8_t* text, Py_ssize_t size, uint8_t* out) noexcept:
        cdef uint8_t[MAC_BYTES] mac
        self._mac.sealed(text, size, mac)
        encode(mac, KEPT_BYTES, out)


cdef void encode(const uint8_t* data, Py_ssize_t size, uint8_t* out) noexcept:
    """Base64url without padding."""
    cdef Py_ssize_t i = 0
    cdef uint32_t three
    while size - i >= 3:
        three = data[i] << 16 | data[i + 1] << 8 | data[i + 2]
        out[0], out[1] = LETTERS[three >> 18], LETTERS[three >> 12 & 63]
        out[2], out[3] = LETTERS[three >> 6 & 63], LETTERS[three & 63]
        out += 4
        i += 3
    if size > i:
        three = data[i] << 16 | (data[i + 1] << 8 if size - i == 2 else 0)
        out[0], out[1] = LETTERS[three >> 18], LETTERS[three >> 12 & 63]
        if size - i == 2:
            out[2] = LETTERS[three >> 6 & 63]


cdef bint decode(const uint8_t* text, Py_ssize_t size, uint8_t* out) noexcept:
    """Base64url without padding; whether all of it is."""
    cdef Py_ssize_t i
    cdef uint32_t held = 0
    cdef int bits = 0
    for i in range(size):
        if SEXTETS[text[i]] == 64:
            return False
        held = held << 6 | SEXTETS[text[i]]
        bits += 6
        if bits >= 8:
            bits -= 8
            out[0] = <uint8_t>(held >> bits)
            out += 1
    return True
