"""Weights of the codings a client accepts."""

from libc.stdint cimport uint8_t

cdef struct Weights:  # thousandths; -1: not named
    int gzip
    int identity
    int star

cdef void read_codings(const uint8_t* text, size_t size, Weights* weights) noexcept nogil
cdef bint gzip_wanted(const Weights* weights) noexcept nogil
