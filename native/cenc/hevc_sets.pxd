"""HEVC parameter sets."""

from libc.stdint cimport int32_t, uint32_t

from native.cenc.bits cimport Bits, Shown


cdef enum:
    SPS_IDS = 16
    PPS_IDS = 64
    PICTURES = 16  # in a decoded picture buffer
    RPS_MOST = 64
    LONG_TERM_MOST = 32


cdef struct Rps:
    int negative  # NumNegativePics
    int positive
    int32_t[16] s0  # DeltaPocS0
    int32_t[16] s1
    bint[16] used0
    bint[16] used1


cdef class Sps:
    cdef uint32_t chroma_array_type, poc_lsb_bits, ctbs, long_terms
    cdef bint separate_planes, sao, long_term, temporal_mvp
    cdef bint[LONG_TERM_MOST] long_used
    cdef uint32_t sets
    cdef Rps[RPS_MOST] rps
    cdef Shown shown


cdef class Pps:
    cdef uint32_t sps_id, extra_bits, refs0, refs1
    cdef bint dependent, output_flag, cabac_init, weighted, bipred, chroma_offsets, tiles, sync
    cdef bint filter_across, override, filter_off, lists_modification, extension
    cdef bint chroma_offset_list


cdef object unknown(str detail)
cdef int read_rps(Bits* b, uint32_t index, uint32_t sets, Rps* known, Rps* out) except -1
cdef int read_sps(Bits* b, list into) except -1
cdef int read_pps(Bits* b, list into) except -1
