# cython: auto_pickle=False
"""HEVC slice segment headers: only how long they are (ITU-T H.265 (08/2021), 7.3.6)."""

from libc.stdint cimport uint8_t, uint32_t

from native.cenc.bits cimport (
    Bits, bit, bits, ceil_log2, open_bits, pass_bits, se, shown_fields, ue,
)
from native.cenc.hevc_sets cimport (
    LONG_TERM_MOST, PICTURES, PPS_IDS, SPS_IDS, Pps, Rps, Sps, read_pps, read_rps, read_sps,
    unknown,
)
from native.cenc.nal cimport Sets

from native.cenc.errors import SampleError

cdef enum:
    VCL_LOW = 9  # trailing, leading and their reserved neighbours in use, table 7-1
    IRAP_LOW = 16
    VCL_HIGH = 21
    IRAP_HIGH = 23
    IDR_W_RADL = 19
    IDR_N_LP = 20
    SPS = 33
    PPS = 34
    B_SLICE = 0
    P_SLICE = 1
    UNIT_HEADER = 2


cdef int _long_terms(Bits* b, Sps sps) except -1:
    """lt_idx_sps to delta_poc_msb_cycle_lt; how many of them the picture uses."""
    cdef uint32_t from_sps = 0, own, i
    cdef int used = 0
    if sps.long_terms:
        from_sps = ue(b)
    own = ue(b)
    if from_sps + own > LONG_TERM_MOST + 1 or from_sps > 33 or own > 33:
        raise unknown("more than 33 long-term pictures")
    for i in range(from_sps + own):
        if i < from_sps:
            if sps.long_terms > 1:
                used += sps.long_used[bits(b, ceil_log2(sps.long_terms)) & 31]
            else:
                used += sps.long_used[0]
        else:
            bits(b, sps.poc_lsb_bits)
            used += bit(b)
        if bit(b):
            ue(b)
    return used


cdef void _weights(Bits* b, uint32_t refs, bint chroma) noexcept:
    """7.3.6.3, one list; no picture refers to itself here."""
    cdef uint32_t luma = 0, colour = 0, i
    for i in range(refs):
        luma |= bit(b) << i
    if chroma:
        for i in range(refs):
            colour |= bit(b) << i
    for i in range(refs):
        if luma >> i & 1:
            se(b)
            se(b)
        if colour >> i & 1:
            se(b)
            se(b)
            se(b)
            se(b)


cdef int _predicted(
    Bits* b, Sps sps, Pps pps, uint32_t slice_type, int pictures, bint temporal
) except -1:
    """What P and B slices have between their reference pictures and slice_qp_delta."""
    cdef uint32_t refs0 = pps.refs0, refs1 = pps.refs1
    cdef bint from_l0 = True
    cdef int width
    if bit(b):
        refs0 = ue(b) + 1
        if slice_type == B_SLICE:
            refs1 = ue(b) + 1
    if refs0 > PICTURES or refs1 > PICTURES:
        raise unknown("more than 16 reference indexes")
    if pps.lists_modification and pictures > 1:
        width = ceil_log2(pictures)
        if bit(b):
            pass_bits(b, refs0 * width)
        if slice_type == B_SLICE and bit(b):
            pass_bits(b, refs1 * width)
    if slice_type == B_SLICE:
        bit(b)
    if pps.cabac_init:
        bit(b)
    if temporal:
        if slice_type == B_SLICE:
            from_l0 = bit(b)
        if (from_l0 and refs0 > 1) or (not from_l0 and refs1 > 1):
            ue(b)
    if (pps.weighted and slice_type == P_SLICE) or (pps.bipred and slice_type == B_SLICE):
        ue(b)
        if sps.chroma_array_type:
            se(b)
        _weights(b, refs0, sps.chroma_array_type != 0)
        if slice_type == B_SLICE:
            _weights(b, refs1, sps.chroma_array_type != 0)
    ue(b)
    return 0


cdef int _independent(Bits* b, Sps sps, Pps pps, uint32_t kind) except -1:
    """slice_segment_header from slice_reserved_flag to slice_loop_filter_across."""
    cdef uint32_t slice_type
    cdef Rps own
    cdef const Rps* rps = NULL
    cdef uint32_t index = 0
    cdef int pictures = 0, i
    cdef bint temporal = False, luma = False, chroma = False, off = pps.filter_off
    bits(b, pps.extra_bits)
    slice_type = ue(b)
    if slice_type > 2:
        raise unknown(f"slice type {slice_type}")
    if pps.output_flag:
        bit(b)
    if sps.separate_planes:
        bits(b, 2)
    if kind != IDR_W_RADL and kind != IDR_N_LP:
        bits(b, sps.poc_lsb_bits)
        if not bit(b):
            read_rps(b, sps.sets, sps.sets, sps.rps, &own)
            rps = &own
        else:
            if sps.sets > 1:
                index = bits(b, ceil_log2(sps.sets))
            if index >= sps.sets:
                raise unknown("a reference picture set that is not there")
            rps = &sps.rps[index]
        for i in range(rps.negative):
            pictures += rps.used0[i]
        for i in range(rps.positive):
            pictures += rps.used1[i]
        if sps.long_term:
            pictures += _long_terms(b, sps)
        if sps.temporal_mvp:
            temporal = bit(b)
    if sps.sao:
        luma = bit(b)
        if sps.chroma_array_type:
            chroma = bit(b)
    if slice_type == P_SLICE or slice_type == B_SLICE:
        _predicted(b, sps, pps, slice_type, pictures, temporal)
    se(b)
    if pps.chroma_offsets:
        se(b)
        se(b)
    if pps.chroma_offset_list:
        bit(b)
    if pps.override and bit(b):
        off = bit(b)
        if not off:
            se(b)
            se(b)
    if pps.filter_across and (luma or chroma or not off):
        bit(b)
    return 0


cdef Py_ssize_t _slice_header(Bits* b, HevcSets sets, uint32_t kind) except -2:
    """7.3.6.1"""
    cdef bint first = bit(b), dependent = False
    cdef uint32_t ident, count, width
    cdef Sps sps
    cdef Pps pps
    if IRAP_LOW <= kind <= IRAP_HIGH:
        bit(b)
    ident = ue(b)
    found = sets.pps[ident] if ident < PPS_IDS else None
    if found is None or sets.sps[(<Pps>found).sps_id] is None:
        raise unknown(f"a slice of picture parameter set {ident}, unknown")
    pps = found
    sps = sets.sps[pps.sps_id]
    if not first:
        if pps.dependent:
            dependent = bit(b)
        bits(b, ceil_log2(sps.ctbs))
    if not dependent:
        _independent(b, sps, pps, kind)
    if pps.tiles or pps.sync:
        count = ue(b)
        if count:
            width = ue(b) + 1
            if width > 32 or count > sps.ctbs:
                raise unknown("entry points that cannot be")
            pass_bits(b, count * width)
    if pps.extension:
        pass_bits(b, 8 * ue(b))
    bit(b)  # byte_alignment() ends the header
    if b.cut:
        raise unknown("a slice header leaves its unit")
    return b.at


cdef class HevcSets(Sets):
    def __cinit__(self):
        self.sps = [None] * SPS_IDS
        self.pps = [None] * PPS_IDS

    cdef int configure(self, const uint8_t* record, Py_ssize_t size) except -1:
        """HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1)."""
        cdef Py_ssize_t at = 23, length
        cdef int arrays, count
        if size < 23:
            raise SampleError("config", -1, "hvcC is cut")
        for arrays in range(record[22]):
            if at + 3 > size:
                raise SampleError("config", -1, "hvcC is cut")
            count = record[at + 1] << 8 | record[at + 2]
            at += 3
            while count > 0:
                length = (record[at] << 8 | record[at + 1]) if at + 2 <= size else size
                if at + 2 + length > size:
                    raise SampleError("config", -1, "a parameter set leaves hvcC")
                self.head(record + at + 2, length)
                at += 2 + length
                count -= 1
        return (record[21] & 3) + 1

    cdef Sets branch(self):
        cdef HevcSets copy = HevcSets.__new__(HevcSets)
        copy.sps = list(self.sps)
        copy.pps = list(self.pps)
        return copy

    cdef Py_ssize_t head(self, const uint8_t* unit, Py_ssize_t size) except -2:
        cdef Bits b = open_bits(unit, UNIT_HEADER, size)
        cdef uint32_t kind
        if size < UNIT_HEADER:
            return -1
        kind = unit[0] >> 1 & 63
        if kind <= VCL_LOW or IRAP_LOW <= kind <= VCL_HIGH:
            if unit[0] & 1 or unit[1] >> 3:
                raise unknown("a slice of another layer")
            return _slice_header(&b, self, kind)
        if unit[0] & 1 or unit[1] >> 3:
            return -1
        if kind == SPS:
            read_sps(&b, self.sps)
        elif kind == PPS:
            read_pps(&b, self.pps)
        return -1


def shown(bytes record not None):
    cdef HevcSets sets = HevcSets.__new__(HevcSets)
    cdef Sps sps
    sets.configure(record, len(record))
    for sps in sets.sps:
        if sps is not None:
            return shown_fields(sps.shown)
    return None
