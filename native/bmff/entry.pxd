from libc.stdint cimport uint8_t

from native.bmff.boxes cimport Span

cdef object sample_entry(const uint8_t* data, Span box, bint audio, bint video)
