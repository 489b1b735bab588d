"""Requests that wait for one answer."""

from native.http.entity cimport Answer

cdef class Gate:
    cdef readonly double limit_s
    cdef readonly Answer late
    cdef dict seats  # parked connections, in order of arrival

cdef class Parked:
    cdef readonly Gate gate
