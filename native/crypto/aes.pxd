from libc.stdint cimport uint8_t


cdef class Aes:
    """AES-128 under one key: CTR and CBC, in place."""

    cdef bytes key
    cdef void* ctr_context
    cdef void* cbc_context
    cdef object stream  # of the library used where there is no libcrypto

    cdef Aes twin(self)
    cdef Aes opener(self)
    cdef int start_ctr(self, const uint8_t* block) except -1 nogil
    cdef int run_ctr(self, uint8_t* data, Py_ssize_t size) except -1 nogil
    cdef int cbc(self, const uint8_t* iv, uint8_t* data, Py_ssize_t size) except -1 nogil
    cdef int cbc_open(self, const uint8_t* iv, uint8_t* data, Py_ssize_t size) except -1 nogil
