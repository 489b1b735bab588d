"""Answers made without the handler."""

from libc.stdint cimport uint8_t

from native.http.entity cimport Answer
from native.http.parser cimport Head
from native.http.target cimport Target

cdef class Desk:
    cdef Answer ask(self, const uint8_t* data, Head* head, Target* target, str peer)
