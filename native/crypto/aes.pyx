# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""AES-128 of libcrypto, found at run time; of pycryptodome where there is none."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from native.crypto.symbols cimport symbol

cdef enum:
    BLOCK = 16
    PIECE_MAX = 1 << 30  # octets of one call, whose sizes are ints

ctypedef void* (*new_t)() noexcept nogil
ctypedef void (*free_t)(void*) noexcept nogil
ctypedef int (*init_t)(void*, const void*, void*, const uint8_t*, const uint8_t*) noexcept nogil
ctypedef int (*update_t)(void*, uint8_t*, int*, const uint8_t*, int) noexcept nogil
ctypedef int (*padding_t)(void*, int) noexcept nogil
ctypedef int (*copy_t)(void*, const void*) noexcept nogil

cdef new_t context_new = <new_t>symbol(b"EVP_CIPHER_CTX_new")
cdef free_t context_free = <free_t>symbol(b"EVP_CIPHER_CTX_free")
cdef init_t encrypt_init = <init_t>symbol(b"EVP_EncryptInit_ex")
cdef copy_t context_copy = <copy_t>symbol(b"EVP_CIPHER_CTX_copy")
cdef update_t encrypt_update = <update_t>symbol(b"EVP_EncryptUpdate")
cdef init_t decrypt_init = <init_t>symbol(b"EVP_DecryptInit_ex")
cdef update_t decrypt_update = <update_t>symbol(b"EVP_DecryptUpdate")
cdef padding_t set_padding = <padding_t>symbol(b"EVP_CIPHER_CTX_set_padding")
cdef new_t aes_128_ctr = <new_t>symbol(b"EVP_aes_128_ctr")
cdef new_t aes_128_cbc = <new_t>symbol(b"EVP_aes_128_cbc")
cdef bint present = (
    context_new != NULL and context_free != NULL and encrypt_init != NULL and encrypt_update != NULL
    and set_padding != NULL and context_copy != NULL and aes_128_ctr != NULL and aes_128_cbc != NULL
    and decrypt_init != NULL and decrypt_update != NULL
)


cdef void* keyed(new_t kind, bytes key) except? NULL:
    cdef void* context = context_new()
    if context == NULL:
        raise MemoryError
    if not encrypt_init(context, kind(), NULL, <const uint8_t*>PyBytes_AS_STRING(key), NULL):
        context_free(context)
        raise ValueError("libcrypto takes no such key")
    set_padding(context, 0)
    return context


cdef void* copied(void* context) except? NULL:
    """The same key again, without its schedule being made anew."""
    cdef void* twin = context_new()
    if twin == NULL:
        raise MemoryError
    if not context_copy(twin, context):
        context_free(twin)
        raise ValueError("libcrypto copies no such key")
    return twin


cdef class Aes:
    def __cinit__(self, bytes key):
        if key is None:  # of twin()
            return
        if PyBytes_GET_SIZE(key) != BLOCK:
            raise ValueError("an AES-128 key has 16 bytes")
        self.key = key
        if present:
            self.ctr_context = keyed(aes_128_ctr, key)
            self.cbc_context = keyed(aes_128_cbc, key)

    def __dealloc__(self):
        if self.ctr_context != NULL:
            context_free(self.ctr_context)
        if self.cbc_context != NULL:
            context_free(self.cbc_context)

    cdef Aes twin(self):
        """The same key, for use beside this one in another thread."""
        cdef Aes made = Aes.__new__(Aes, None)
        made.key = self.key
        if self.ctr_context != NULL:
            made.ctr_context = copied(self.ctr_context)
            made.cbc_context = copied(self.cbc_context)
        return made

    cdef int start_ctr(self, const uint8_t* block) except -1 nogil:
        """Begin a key stream at this counter block."""
        if self.ctr_context == NULL:
            with gil:
                self.stream = plain_stream(self.key, block)
        elif not encrypt_init(self.ctr_context, NULL, NULL, NULL, block):
            with gil:
                raise ValueError("libcrypto refused the counter block")
        return 0

    cdef int run_ctr(self, uint8_t* data, Py_ssize_t size) except -1 nogil:
        """Go on with the key stream over these octets."""
        if self.ctr_context != NULL:
            return update(encrypt_update, self.ctr_context, data, size)
        with gil:
            replace(data, size, self.stream.encrypt(PyBytes_FromStringAndSize(<char*>data, size)))
        return 0

    cdef int cbc(self, const uint8_t* iv, uint8_t* data, Py_ssize_t size) except -1 nogil:
        """Encrypt whole blocks, chained from `iv`."""
        if self.cbc_context == NULL:
            with gil:
                replace(data, size, plain_cbc(self.key, iv, PyBytes_FromStringAndSize(<char*>data, size)))
            return 0
        if not encrypt_init(self.cbc_context, NULL, NULL, NULL, iv):
            with gil:
                raise ValueError("libcrypto refused the IV")
        return update(encrypt_update, self.cbc_context, data, size)

    cdef Aes opener(self):
        """The same key, to open what CBC sealed, and for nothing else."""
        cdef Aes made = self.twin()
        if made.cbc_context != NULL and not decrypt_init(
            made.cbc_context, NULL, NULL, <const uint8_t*>PyBytes_AS_STRING(self.key), NULL
        ):
            raise ValueError("libcrypto takes no such key")
        return made

    cdef int cbc_open(self, const uint8_t* iv, uint8_t* data, Py_ssize_t size) except -1 nogil:
        """Decrypt whole blocks, chained from `iv`; of an opener."""
        if self.cbc_context == NULL:
            with gil:
                replace(data, size, plain_open(self.key, iv, PyBytes_FromStringAndSize(<char*>data, size)))
            return 0
        if not decrypt_init(self.cbc_context, NULL, NULL, NULL, iv):
            with gil:
                raise ValueError("libcrypto refused the IV")
        return update(decrypt_update, self.cbc_context, data, size)

    def ctr_bytes(self, bytes block not None, bytes data not None):
        cdef bytes made = PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        if PyBytes_GET_SIZE(block) != BLOCK:
            raise ValueError("a counter block has 16 bytes")
        self.start_ctr(<const uint8_t*>PyBytes_AS_STRING(block))
        self.run_ctr(<uint8_t*>PyBytes_AS_STRING(made), PyBytes_GET_SIZE(made))
        return made

    def cbc_bytes(self, bytes iv not None, bytes data not None):
        cdef bytes made = PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        if PyBytes_GET_SIZE(iv) != BLOCK or PyBytes_GET_SIZE(data) % BLOCK:
            raise ValueError("CBC takes an IV of 16 bytes and whole blocks")
        self.cbc(
            <const uint8_t*>PyBytes_AS_STRING(iv),
            <uint8_t*>PyBytes_AS_STRING(made),
            PyBytes_GET_SIZE(made),
        )
        return made


cdef int update(update_t work, void* context, uint8_t* data, Py_ssize_t size) except -1 nogil:
    """Work in place."""
    cdef int made = 0, piece
    while size:
        piece = <int>(size if size < PIECE_MAX else PIECE_MAX)
        if not work(context, data, &made, data, piece) or made != piece:
            with gil:
                raise ValueError("libcrypto refused its work")
        data += piece
        size -= piece
    return 0


cdef int replace(uint8_t* data, Py_ssize_t size, bytes made) except -1:
    memcpy(data, PyBytes_AS_STRING(made), size)
    return 0


cdef object plain_stream(bytes key, const uint8_t* block):
    from Crypto.Cipher import AES
    from Crypto.Util import Counter

    first = int.from_bytes(PyBytes_FromStringAndSize(<const char*>block, BLOCK), "big")
    return AES.new(key, AES.MODE_CTR, counter=Counter.new(8 * BLOCK, initial_value=first))


cdef bytes plain_cbc(bytes key, const uint8_t* iv, bytes data):
    from Crypto.Cipher import AES

    return AES.new(key, AES.MODE_CBC, PyBytes_FromStringAndSize(<const char*>iv, BLOCK)).encrypt(data)


cdef bytes plain_open(bytes key, const uint8_t* iv, bytes data):
    from Crypto.Cipher import AES

    return AES.new(key, AES.MODE_CBC, PyBytes_FromStringAndSize(<const char*>iv, BLOCK)).decrypt(data)
