"""Pieces of AV1 frame headers."""

from libc.stdint cimport int32_t, uint32_t

from native.cenc.av1_sequence cimport Sequence
from native.cenc.bits cimport Bits


cdef enum:
    KEY_FRAME = 0
    INTER_FRAME = 1
    INTRA_ONLY = 2
    SWITCH_FRAME = 3
    NO_PRIMARY = 7
    REFS_PER_FRAME = 7


cdef enum:
    REFS = 8  # NUM_REF_FRAMES
    SEGMENTS = 8


cdef struct Slot:  # what later headers need of a reference frame
    bint valid
    uint32_t frame_type, order_hint, upscaled_width, width, height
    bint[SEGMENTS] segment_active  # SEG_LVL_ALT_Q
    int32_t[SEGMENTS] segment_q


cdef struct Tiles:  # of the frame whose tile groups follow
    bint known
    uint32_t count, bits, size_bytes


cdef struct Header:  # of the frame under way
    uint32_t frame_type, refresh, order_hint, primary
    uint32_t upscaled_width, width, height
    bint intra, show, showable, resilient, size_override, intrabc, high_precision, select
    bint lossless
    uint32_t[REFS_PER_FRAME] ref
    int32_t base_q
    bint delta_q, delta_any  # delta_q_present; any DeltaQ other than 0
    bint[SEGMENTS] segment_active
    int32_t[SEGMENTS] segment_q


cdef void frame_size(Bits* b, Sequence s, Header* h) noexcept
cdef int tile_info(Bits* b, Sequence s, Header* h, Tiles* tiles) except -1
cdef void quantization(Bits* b, Sequence s, Header* h) noexcept
cdef void segmentation(Bits* b, Header* h, const Slot* slots) noexcept
cdef void delta_params(Bits* b, Header* h) noexcept
cdef void filters(Bits* b, Sequence s, Header* h) noexcept
cdef bint skip_mode_allowed(Sequence s, Header* h, const Slot* slots) noexcept
cdef void global_motion(Bits* b, Header* h) noexcept
cdef void film_grain(Bits* b, Sequence s, Header* h) noexcept
cdef int references(Bits* b, Sequence s, Header* h, const Slot* slots, bint integer) except -1
cdef int frame_type(Bits* b, Sequence s, Header* h) except -1
cdef void removal_times(Bits* b, Sequence s, uint32_t temporal, uint32_t spatial) noexcept
