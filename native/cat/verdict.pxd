cdef class Verdict:
    """The answer on one token."""

    cdef readonly bint accept
    cdef readonly str reason
    cdef readonly str claim
    cdef object found  # the claims, or their bytes while `read` is there
    cdef object read
    cdef readonly str kid
    cdef readonly int step
    cdef readonly object renew
    cdef readonly object respond
    cdef readonly object pending
