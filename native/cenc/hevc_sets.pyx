# cython: auto_pickle=False
"""HEVC parameter sets: what slice segment headers depend on (ITU-T H.265 (08/2021), 7.3.2).

Rules of the file
1. Reads follow the syntax tables, in their order and under their names.
2. A value is kept if a later syntax element depends on it, else passed over.
3. Extensions that change the slice header and that we do not read are refused: screen content
   (SPS or PPS), layers.
"""

from libc.stdint cimport int32_t, uint32_t

from native.cenc.bits cimport Bits, bit, bits, pass_bits, read_shown, se, ue

from native.cenc.errors import SampleError


cdef class Sps:
    """A sequence parameter set."""


cdef class Pps:
    """A picture parameter set."""


cdef object unknown(str detail):
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
        raise unknown("a reference picture set of more than 16 pictures")
    if poc < 0:
        out.s0[out.negative], out.used0[out.negative] = poc, used
        out.negative += 1
    else:
        out.s1[out.positive], out.used1[out.positive] = poc, used
        out.positive += 1
    return 0


cdef int read_rps(Bits* b, uint32_t index, uint32_t sets, Rps* known, Rps* out) except -1:
    """7.3.7; `index` == `sets` is one in a slice header."""
    cdef int32_t poc = 0
    cdef uint32_t negative, positive, i, back = 1
    if index and bit(b):
        if index == sets:
            back = ue(b) + 1
        if back > index:
            raise unknown("a reference picture set that refers to none")
        return _inter_rps(b, out, &known[index - back])
    negative = ue(b)
    positive = ue(b)
    if negative > PICTURES or positive > PICTURES or negative + positive > PICTURES:
        raise unknown("a reference picture set of more than 16 pictures")
    out.negative = out.positive = 0
    for i in range(negative):
        poc -= <int32_t>(ue(b) & 0xFFFF) + 1
        _put(out, poc, bit(b))
    poc = 0
    for i in range(positive):
        poc += <int32_t>(ue(b) & 0xFFFF) + 1
        _put(out, poc, bit(b))
    return 0


cdef int read_sps(Bits* b, list into) except -1:
    """7.3.2.2, up to the colour description of the VUI; what follows sps_temporal_mvp_enabled_flag
    does not reach the slice header save in profiles of screen content.
    """
    cdef Sps sps = Sps.__new__(Sps)
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
        raise unknown("a sequence parameter set that cannot be read")
    if profile in (9, 11):
        raise unknown("a screen content profile")
    sps.sets = i
    for i in range(sps.sets):
        read_rps(b, i, sps.sets, sps.rps, &sps.rps[i])
    sps.long_term = bit(b)
    if sps.long_term:
        sps.long_terms = ue(b)
        if sps.long_terms > LONG_TERM_MOST:
            raise unknown("more than 32 long-term pictures")
        for i in range(sps.long_terms):
            bits(b, sps.poc_lsb_bits)
            sps.long_used[i] = bit(b)
    sps.temporal_mvp = bit(b)
    if b.cut or width > 1 << 16 or height > 1 << 16:
        raise unknown("a sequence parameter set that cannot be read")
    block = 1 << block
    sps.ctbs = ((width + block - 1) // block) * ((height + block - 1) // block)
    bit(b)
    sps.shown = read_shown(b)
    into[ident] = sps
    return 0


cdef int read_pps(Bits* b, list into) except -1:
    """7.3.2.3"""
    cdef Pps pps = Pps.__new__(Pps)
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
            raise unknown("an extension of layers, depth or screen content")
        if range_extension:
            if skip:
                ue(b)
            bit(b)
            pps.chroma_offset_list = bit(b)
    if b.cut or ident >= PPS_IDS or pps.sps_id >= SPS_IDS:
        raise unknown("a picture parameter set that cannot be read")
    into[ident] = pps
    return 0
