from libc.stdint cimport int64_t, uint8_t, uint32_t

from native.cat.cursor cimport Cursor
from native.cat.verdict cimport Verdict

cdef enum:
    OPS_MAX = 64  # tests of one token; a token with more is judged the long way
    CLAIMS_MAX = 32
    NAMES_MAX = 32

cdef struct Op:
    int kind  # the label whose claim it tests
    int part  # component, header, number of items
    int match
    uint32_t at  # octets of the payload
    uint32_t size
    int64_t number

cdef class Plan:
    """The tests of one token's claims, over its own payload."""

    cdef readonly bytes payload
    cdef Op* ops
    cdef int count
    cdef int* labels  # behind the tests
    cdef int claims
    cdef list names  # of headers, lower-case
    cdef readonly Verdict verdict
    cdef double not_before
    cdef double not_after
    cdef int64_t deadline  # of catr
    cdef double exp
    cdef double renew_at  # from then on the long way renews; never: infinity
    cdef long long epoch  # of the list that let it pass

    cdef Op* room(self, int kind) noexcept
    cdef bint claim(self, Cursor* cursor, int label) except -1
    cdef bint texts(self, Cursor* cursor, int label, Op* op) noexcept
    cdef bint geohashes(self, Cursor* cursor, Op* op) noexcept
    cdef bint networks(self, Cursor* cursor) noexcept
    cdef bint matches(self, Cursor* cursor, int label) except -1
    cdef bint read(self, const uint8_t* data, Py_ssize_t size) except -1
    cdef bint compile(self, const uint8_t* data, Py_ssize_t size) except -1
