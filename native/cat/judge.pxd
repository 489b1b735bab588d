from native.cat.plan cimport Op, Plan
from native.cat.request cimport Request


cdef class Rules:
    """The verifier's settings as octets."""

    cdef tuple issuers
    cdef tuple audiences
    cdef object subject
    cdef double skew_s
    cdef tuple required  # labels
    cdef object normalise

    cdef bint present(self, Plan plan) except -1
    cdef bint uri(self, const Op* op, const char* value, Request request) except -1
    cdef bint header(self, const Op* op, const char* value, Plan plan, Request request) except -1
    cdef bint listed(self, const Op* op, Plan plan, Request request) except -1
    cdef bint hold(self, Plan plan, Request request) except -1
