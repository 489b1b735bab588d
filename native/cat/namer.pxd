from libc.stdint cimport uint64_t

from native.cat.request cimport Text

cdef enum:
    TOKEN_MAX = 4096  # CAT-10
    WORDS = 514  # of the secret: a token, and two more for the second pass
    NAME_BYTES = 32

cdef class Namer:
    """Names for tokens under one secret."""

    cdef uint64_t[WORDS] secret

    cdef bytes name(self, Text token)
