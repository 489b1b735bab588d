cdef class Epoch:
    """What a verifier must look at again when it moves."""

    cdef public double fresh_until
    cdef readonly long long number
