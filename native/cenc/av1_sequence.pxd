"""AV1 sequence headers."""

from libc.stdint cimport uint32_t

from native.cenc.bits cimport Bits


cdef class Sequence:
    cdef uint32_t profile, time_bits, removal_bits, points, width_bits, height_bits, width, height
    cdef uint32_t delta_id_bits, id_bits, order_bits, screen_tools, integer_mv, planes
    cdef uint32_t[32] point_idc
    cdef bint[32] point_model
    cdef bint reduced, model, equal_interval, ids, big_blocks, warped, order, ref_mvs, superres
    cdef bint cdef_on, restoration, grain, sub_x, sub_y, separate_uv


cdef object refused(str detail)
cdef Sequence sequence_header(Bits* b)
