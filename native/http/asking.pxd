"""Asking for an answer."""

from libc.stdint cimport uint8_t

from native.http.following cimport Following
from native.http.gate cimport Gate
from native.http.target cimport Target

cdef class Asking(Following):
    cdef bint busy
    cdef Gate gate  # where the request in the making is parked
    cdef int serve(self, const uint8_t* data) except -1
    cdef int give(self, const uint8_t* data, object result) except -1
    cdef int give_later(self, object result) except -1
    cdef int park(self, Gate gate) except -1
    cdef int unpark(self) except -1
    cdef object cut_request(self, const uint8_t* data, Target* target)
    cdef int handler_failed(self, error) except -1
