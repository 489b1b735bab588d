# cython: auto_pickle=False
"""HEVC parameter sets and slice segment headers: only how long they are (ITU-T H.265 (08/2021), 7.3).

Rules of the file
1. Reads follow the syntax tables, in their order and under their names.
2. A value is kept if a later syntax element depends on it, else passed over.
3. Extensions that change the slice header and that we do not read are refused: screen content
   (SPS or PPS), layers (nuh_layer_id).
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t

from native.cenc.bits cimport Bits, bit, bits, ceil_log2, open_bits, pass_bits, se, ue
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
    SPS_IDS = 16
    PPS_IDS = 64
    PICTURES = 16  # in a decoded picture buffer
    RPS_MOST = 64
    LONG_TERM_MOST = 32
    B_SLICE = 0
    P_SLICE = 1
    UNIT_HEADER = 2


cdef struct Rps:
    int negative  # NumNegativePics
    int positive
    int32_t[16] s0  # DeltaPocS0
    int32_t[16] s1
    bint[16] used0
    bint[16] used1


cdef class _Sps:
    cdef uint32_t chroma_array_type, poc_lsb_bits, ctbs, long_terms
    cdef bint separate_planes, sao, long_term, temporal_mvp
    cdef bint[LONG_TERM_MOST] long_used
    cdef uint32_t sets
    cdef Rps[RPS_MOST] rps


cdef class _Pps:
    cdef uint32_t sps_id, extra_bits, refs0, refs1
    cdef bint dependent, output_flag, cabac_init, weighted, bipred, chroma_offsets, tiles, sync
    cdef bint filter_across, override, filter_off, lists_modification, extension
    cdef bint chroma_offset_list


cdef object _unknown(str detail):
    return SampleError("slice_header", -1, detail)


cdef void _profile_tier_level(Bits* b, uint32_t sub_layers) noexcept:
    """7.3.3 with profilePresentFlag 1."""
    cdef uint32_t flags = 0, i
    pass_bits(b, 96)
    for i in range(sub_layers):
        flags |= bits(b, 2) << (2 * i)
    if sub_layers:
        pass_bits(b, 2 * (8 - sub_layers))
    for i in range(sub_layers):
        if flags >> (2 * i) & 2:
            pass_bits(b, 88)
        if flags >> (2 * i) & 1:
            pass_bits(b, 8)


cdef void _scaling_lists(Bits* b) noexcept:
    """7.3.4"""
    cdef int size, matrix, coefficients, i
    for size in range(4):
        matrix = 0
        while matrix < 6:
            if not bit(b):
                ue(b)
            else:
                coefficients = min(64, 1 << (4 + (size << 1)))
                if size > 1:
                    se(b)
                for i in range(coefficients):
                    se(b)
            matrix += 3 if size == 3 else 1


cdef int _inter_rps(Bits* b, Rps* out, const Rps* base) except -1:
    """7.3.7 with inter_ref_pic_set_prediction_flag, and 7-61, 7-62."""
    cdef int32_t delta, poc
    cdef bint[2 * 16 + 1] used
    cdef bint[2 * 16 + 1] taken
    cdef int count = base.negative + base.positive, j, sign = bit(b)
    delta = <int32_t>(ue(b) & 0xFFFF) + 1
    delta = -delta if sign else delta
    for j in range(count + 1):
        used[j] = bit(b)
        taken[j] = True
        if not used[j]:
            taken[j] = bit(b)
    out.negative = out.positive = 0
    for j in range(base.positive - 1, -1, -1):
        poc = base.s1[j] + delta
        if poc < 0 and taken[base.negative + j]:
            _put(out, poc, used[base.negative + j])
    if delta < 0 and taken[count]:
        _put(out, delta, used[count])
    for j in range(base.negative):
        poc = base.s0[j] + delta
        if poc < 0 and taken[j]:
            _put(out, poc, used[j])
    for j in range(base.negative - 1, -1, -1):
        poc = base.s0[j] + delta
        if poc > 0 and taken[j]:
            _put(out, poc, used[j])
    if delta > 0 and taken[count]:
        _put(out, delta, used[count])
    for j in range(base.positive):
        poc = base.s1[j] + delta
        if poc > 0 and taken[base.negative + j]:
            _put(out, poc, used[base.negative + j])
    return 0


cdef int _put(Rps* out, int32_t poc, bint used) except -1:
    if out.negative + out.positive >= PICTURES:
        raise _unknown("a reference picture set of more than 16 pictures")
    if poc < 0:
        out.s0[out.negative], out.used0[out.negative] = poc, used
        out.negative += 1
    else:
        out.s1[out.positive], out.used1[out.positive] = poc, used
        out.positive += 1
    return 0


cdef int _rps(Bits* b, uint32_t index, uint32_t sets, Rps* known, Rps* out) except -1:
    """7.3.7; `index` == `sets` is one in a slice header."""
    cdef int32_t poc = 0
    cdef uint32_t negative, positive, i, back = 1
    if index and bit(b):
        if index == sets:
            back = ue(b) + 1
        if back > index:
            raise _unknown("a reference picture set that refers to none")
        return _inter_rps(b, out, &known[index - back])
    negative = ue(b)
    positive = ue(b)
    if negative > PICTURES or positive > PICTURES or negative + positive > PICTURES:
        raise _unknown("a reference picture set of more than 16 pictures")
    out.negative = out.positive = 0
    for i in range(negative):
        poc -= <int32_t>(ue(b) & 0xFFFF) + 1
        _put(out, poc, bit(b))
    poc = 0
    for i in range(positive):
        poc += <int32_t>(ue(b) & 0xFFFF) + 1
        _put(out, poc, bit(b))
    return 0


cdef int _read_sps(Bits* b, list into) except -1:
    """7.3.2.2, up to sps_temporal_mvp_enabled_flag; what follows does not reach the slice header
    save in profiles of screen content.
    """
    cdef _Sps sps = _Sps.__new__(_Sps)
    cdef uint32_t sub_layers, ident, chroma, width, height, block, i, first, profile
    bits(b, 4)
    sub_layers = bits(b, 3)
    bit(b)
    profile = b.data[b.at] & 31 if b.at < b.end else 0
    _profile_tier_level(b, sub_layers)
    ident = ue(b)
    chroma = ue(b)
    if chroma == 3:
        sps.separate_planes = bit(b)
    sps.chroma_array_type = 0 if sps.separate_planes else chroma
    width = ue(b)
    height = ue(b)
    if bit(b):
        for i in range(4):
            ue(b)
    ue(b)
    ue(b)
    sps.poc_lsb_bits = ue(b) + 4
    first = 0 if bit(b) else sub_layers
    for i in range(first, sub_layers + 1):
        ue(b)
        ue(b)
        ue(b)
    block = ue(b) + 3
    block += ue(b)
    ue(b)
    ue(b)
    ue(b)
    ue(b)
    if bit(b) and bit(b):
        _scaling_lists(b)
    bit(b)
    sps.sao = bit(b)
    if bit(b):
        bits(b, 8)
        ue(b)
        ue(b)
        bit(b)
    i = ue(b)
    if b.cut or ident >= SPS_IDS or i > RPS_MOST or block > 6 or sps.poc_lsb_bits > 16:
        raise _unknown("a sequence parameter set that cannot be read")
    if profile in (9, 11):
        raise _unknown("a screen content profile")
    sps.sets = i
    for i in range(sps.sets):
        _rps(b, i, sps.sets, sps.rps, &sps.rps[i])
    sps.long_term = bit(b)
    if sps.long_term:
        sps.long_terms = ue(b)
        if sps.long_terms > LONG_TERM_MOST:
            raise _unknown("more than 32 long-term pictures")
        for i in range(sps.long_terms):
            bits(b, sps.poc_lsb_bits)
            sps.long_used[i] = bit(b)
    sps.temporal_mvp = bit(b)
    if b.cut or width > 1 << 16 or height > 1 << 16:
        raise _unknown("a sequence parameter set that cannot be read")
    block = 1 << block
    sps.ctbs = ((width + block - 1) // block) * ((height + block - 1) // block)
    into[ident] = sps
    return 0


cdef int _read_pps(Bits* b, list into) except -1:
    """7.3.2.3"""
    cdef _Pps pps = _Pps.__new__(_Pps)
    cdef uint32_t ident = ue(b), columns, rows, i
    cdef bint skip, range_extension
    pps.sps_id = ue(b)
    pps.dependent = bit(b)
    pps.output_flag = bit(b)
    pps.extra_bits = bits(b, 3)
    bit(b)
    pps.cabac_init = bit(b)
    pps.refs0 = ue(b) + 1
    pps.refs1 = ue(b) + 1
    se(b)
    bit(b)
    skip = bit(b)
    if bit(b):
        ue(b)
    se(b)
    se(b)
    pps.chroma_offsets = bit(b)
    pps.weighted = bit(b)
    pps.bipred = bit(b)
    bit(b)
    pps.tiles = bit(b)
    pps.sync = bit(b)
    if pps.tiles:
        columns = ue(b)
        rows = ue(b)
        if not bit(b):
            for i in range(min(columns, 1 << 10)):
                ue(b)
            for i in range(min(rows, 1 << 10)):
                ue(b)
        bit(b)
    pps.filter_across = bit(b)
    if bit(b):
        pps.override = bit(b)
        pps.filter_off = bit(b)
        if not pps.filter_off:
            se(b)
            se(b)
    if bit(b):
        _scaling_lists(b)
    pps.lists_modification = bit(b)
    ue(b)
    pps.extension = bit(b)
    if bit(b):
        range_extension = bit(b)
        if bits(b, 7) & 0x70:
            raise _unknown("an extension of layers, depth or screen content")
        if range_extension:
            if skip:
                ue(b)
            bit(b)
            pps.chroma_offset_list = bit(b)
    if b.cut or ident >= PPS_IDS or pps.sps_id >= SPS_IDS:
        raise _unknown("a picture parameter set that cannot be read")
    into[ident] = pps
    return 0


cdef int _long_terms(Bits* b, _Sps sps) except -1:
    """lt_idx_sps to delta_poc_msb_cycle_lt; how many of them the picture uses."""
    cdef uint32_t from_sps = 0, own, i
    cdef int used = 0
    if sps.long_terms:
        from_sps = ue(b)
    own = ue(b)
    if from_sps + own > LONG_TERM_MOST + 1 or from_sps > 33 or own > 33:
        raise _unknown("more than 33 long-term pictures")
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
    Bits* b, _Sps sps, _Pps pps, uint32_t slice_type, int pictures, bint temporal
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
        raise _unknown("more than 16 reference indexes")
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


cdef int _independent(Bits* b, _Sps sps, _Pps pps, uint32_t kind) except -1:
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
        raise _unknown(f"slice type {slice_type}")
    if pps.output_flag:
        bit(b)
    if sps.separate_planes:
        bits(b, 2)
    if kind != IDR_W_RADL and kind != IDR_N_LP:
        bits(b, sps.poc_lsb_bits)
        if not bit(b):
            _rps(b, sps.sets, sps.sets, sps.rps, &own)
            rps = &own
        else:
            if sps.sets > 1:
                index = bits(b, ceil_log2(sps.sets))
            if index >= sps.sets:
                raise _unknown("a reference picture set that is not there")
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
    cdef _Sps sps
    cdef _Pps pps
    if IRAP_LOW <= kind <= IRAP_HIGH:
        bit(b)
    ident = ue(b)
    found = sets.pps[ident] if ident < PPS_IDS else None
    if found is None or sets.sps[(<_Pps>found).sps_id] is None:
        raise _unknown(f"a slice of picture parameter set {ident}, unknown")
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
                raise _unknown("entry points that cannot be")
            pass_bits(b, count * width)
    if pps.extension:
        pass_bits(b, 8 * ue(b))
    bit(b)  # byte_alignment() ends the header
    if b.cut:
        raise _unknown("a slice header leaves its unit")
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
                raise _unknown("a slice of another layer")
            return _slice_header(&b, self, kind)
        if unit[0] & 1 or unit[1] >> 3:
            return -1
        if kind == SPS:
            _read_sps(&b, self.sps)
        elif kind == PPS:
            _read_pps(&b, self.pps)
        return -1
