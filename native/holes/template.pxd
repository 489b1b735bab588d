from libc.stdint cimport uint8_t

cdef enum:
    VALUES = 8  # distinct values that a template may ask for
    CHOICES = 256  # bits of a pattern, each of which fills holes with one of two texts

cdef struct Mark:
    size_t at  # bytes of text before the hole
    size_t value  # which value fills it, or VALUES and the bit that chooses

cdef class Template:
    cdef uint8_t* text
    cdef size_t length, room
    cdef Mark* marks
    cdef size_t marked, marks_room
    cdef size_t uses[VALUES]

    cdef int put(self, const uint8_t* data, size_t size) except -1
    cdef int hole(self, size_t value) except -1
    cdef int mark(self, size_t value) except -1
    cdef bytes filled(self, tuple values, const uint8_t* bits, bytes zero, bytes one)
    cdef int append(self, Template other) except -1
