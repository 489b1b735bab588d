# cython: auto_pickle=False
"""Answers made without the handler: what other kernels plug in behind the hot table (HT-6)."""


cdef class Desk:
    """Asked about every GET and HEAD that no hot object answers, before a Request is cut of it."""

    cdef Answer ask(self, const uint8_t* data, Head* head, Target* target, str peer):
        """The answer, or None for the handler; `data` begins with the head, offsets count from it."""
        return None
