# cython: auto_pickle=False
"""AV1 sequence headers: what the length of a frame header depends on (AV1, 5.5)."""

from libc.stdint cimport uint32_t

from native.cenc.bits cimport Bits, bit, bits, pass_bits

from native.cenc.errors import SampleError

cdef enum:
    SELECT = 2  # SELECT_SCREEN_CONTENT_TOOLS, SELECT_INTEGER_MV


cdef object refused(str detail):
    return SampleError("obu", -1, detail)


cdef int _operating_points(Bits* b, Sequence s, uint32_t delay_bits, bint display_delay) except -1:
    cdef uint32_t i
    s.points = bits(b, 5) + 1
    for i in range(s.points):
        s.point_idc[i] = bits(b, 12)
        if bits(b, 5) > 7:
            bit(b)
        if s.model:
            s.point_model[i] = bit(b)
            if s.point_model[i]:
                pass_bits(b, 2 * delay_bits + 1)
        if display_delay and bit(b):
            bits(b, 4)
    return 0


cdef int _timing(Bits* b, Sequence s) except -1:
    """timing_info, decoder_model_info and operating points."""
    cdef uint32_t delay_bits = 0
    if bit(b):
        pass_bits(b, 64)
        s.equal_interval = bit(b)
        if s.equal_interval:
            _uvlc(b)
        s.model = bit(b)
        if s.model:
            delay_bits = bits(b, 5) + 1
            pass_bits(b, 32)
            s.removal_bits = bits(b, 5) + 1
            s.time_bits = bits(b, 5) + 1
    return _operating_points(b, s, delay_bits, bit(b))


cdef void _uvlc(Bits* b) noexcept:
    cdef uint32_t zeros = 0
    while not bit(b) and not b.cut:
        zeros += 1
    if zeros < 32:
        pass_bits(b, zeros)


cdef int _color_config(Bits* b, Sequence s) except -1:
    """5.5.2"""
    cdef bint deep = bit(b), twelve = False, mono = False
    cdef uint32_t primaries = 2, transfer = 2, matrix = 2
    if s.profile == 2 and deep:
        twelve = bit(b)
    if s.profile != 1:
        mono = bit(b)
    s.planes = 1 if mono else 3
    if bit(b):
        primaries, transfer, matrix = bits(b, 8), bits(b, 8), bits(b, 8)
    if mono:
        bit(b)
        s.sub_x = s.sub_y = True
        return 0
    if primaries == 1 and transfer == 13 and matrix == 0:
        s.sub_x = s.sub_y = False
    else:
        bit(b)
        s.sub_x = s.profile != 1
        s.sub_y = s.profile == 0
        if s.profile == 2 and twelve:
            s.sub_x = bit(b)
            s.sub_y = bit(b) if s.sub_x else False
        if s.sub_x and s.sub_y:
            bits(b, 2)
    s.separate_uv = bit(b)
    return 0


cdef Sequence sequence_header(Bits* b):
    cdef Sequence s = Sequence.__new__(Sequence)
    s.profile = bits(b, 3)
    bit(b)
    s.reduced = bit(b)
    if s.reduced:
        bits(b, 5)
        s.points = 1
    else:
        _timing(b, s)
    s.width_bits = bits(b, 4) + 1
    s.height_bits = bits(b, 4) + 1
    s.width = bits(b, s.width_bits) + 1
    s.height = bits(b, s.height_bits) + 1
    if not s.reduced:
        s.ids = bit(b)
        if s.ids:
            s.delta_id_bits = bits(b, 4) + 2
            s.id_bits = bits(b, 3) + s.delta_id_bits + 1
    s.big_blocks = bit(b)
    bits(b, 2)
    s.screen_tools = s.integer_mv = SELECT
    if not s.reduced:
        bits(b, 2)
        s.warped = bit(b)
        bit(b)
        s.order = bit(b)
        if s.order:
            bit(b)
            s.ref_mvs = bit(b)
        if not bit(b):
            s.screen_tools = bit(b)
        if s.screen_tools and not bit(b):
            s.integer_mv = bit(b)
        if s.order:
            s.order_bits = bits(b, 3) + 1
    s.superres = bit(b)
    s.cdef_on = bit(b)
    s.restoration = bit(b)
    _color_config(b, s)
    s.grain = bit(b)
    if b.cut:
        raise refused("a sequence header that is cut")
    return s


cdef class Sequence:
    """A sequence header."""
