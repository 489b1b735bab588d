# cython: auto_pickle=False
"""When answers remembered of a list stop to count."""

from libc.math cimport INFINITY


cdef class Epoch:
    def __cinit__(self):
        self.fresh_until = INFINITY
        self.number = 1

    def move(self):
        self.number += 1
