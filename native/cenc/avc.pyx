# cython: auto_pickle=False
"""AVC parameter sets and slice headers: only how long they are (ITU-T H.264 (08/2021), 7.3).

Rules of the file
1. Reads follow the syntax tables, in their order and under their names.
2. A value is kept if a later syntax element depends on it, else passed over.
"""

from libc.stdint cimport uint8_t, uint32_t

from native.cenc.bits cimport (
    Bits, Shown, bit, bits, ceil_log2, open_bits, pass_bits, read_shown, se, shown_fields, ue,
)
from native.cenc.nal cimport Sets

from native.cenc.errors import SampleError

cdef enum:
    SLICE = 1
    PARTITION_A = 2
    PARTITION_C = 4
    IDR = 5
    SPS = 7
    PPS = 8
    SPS_IDS = 32
    PPS_IDS = 256
    MAX_REFS = 32

cdef enum:  # slice_type modulo 5, table 7-6
    P_SLICE = 0
    B_SLICE = 1
    I_SLICE = 2
    SP_SLICE = 3
    SI_SLICE = 4


cdef class _Sps:
    cdef uint32_t chroma_array_type, frame_num_bits, poc_type, poc_lsb_bits, map_units
    cdef bint separate_planes, delta_zero, frames_only
    cdef Shown shown


cdef class _Pps:
    cdef uint32_t sps_id, slice_groups, map_type, change_rate, refs0, refs1, bipred
    cdef bint cabac, bottom_order, weighted, deblocking, redundant


cdef bint _high(uint32_t profile) noexcept:
    """Profiles whose SPS has chroma_format_idc (7.3.2.1.1)."""
    return profile in (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


cdef int _scaling_list(Bits* b, int size) noexcept:
    cdef int last = 8, following = 8, j
    for j in range(size):
        if following:
            following = (last + se(b) + 256) % 256
        last = following if following else last
    return 0


cdef int _read_sps(Bits* b, list into) except -1:
    cdef _Sps sps = _Sps.__new__(_Sps)
    cdef uint32_t profile = bits(b, 8), ident, chroma = 1, i, count, width
    bits(b, 16)
    ident = ue(b)
    if _high(profile):
        chroma = ue(b)
        if chroma == 3:
            sps.separate_planes = bit(b)
        ue(b)
        ue(b)
        bit(b)
        if bit(b):
            for i in range(8 if chroma != 3 else 12):
                if bit(b):
                    _scaling_list(b, 16 if i < 6 else 64)
    sps.chroma_array_type = 0 if sps.separate_planes else chroma
    sps.frame_num_bits = ue(b) + 4
    sps.poc_type = ue(b)
    if sps.poc_type == 0:
        sps.poc_lsb_bits = ue(b) + 4
    elif sps.poc_type == 1:
        sps.delta_zero = bit(b)
        se(b)
        se(b)
        count = ue(b)
        for i in range(min(count, 255)):
            se(b)
    ue(b)
    bit(b)
    width = ue(b) + 1
    sps.map_units = width * (ue(b) + 1)
    sps.frames_only = bit(b)
    if b.cut or ident >= SPS_IDS or sps.frame_num_bits > 16 or sps.poc_lsb_bits > 16:
        raise SampleError("slice_header", -1, "a sequence parameter set that cannot be read")
    if not sps.frames_only:
        bit(b)
    bit(b)
    if bit(b):
        for i in range(4):
            ue(b)
    sps.shown = read_shown(b)
    into[ident] = sps
    return 0


cdef int _slice_groups(Bits* b, _Pps pps) except -1:
    """7.3.2.2 with num_slice_groups_minus1 > 0."""
    cdef uint32_t i, count
    pps.map_type = ue(b)
    if pps.map_type == 0:
        for i in range(pps.slice_groups):
            ue(b)
    elif pps.map_type == 2:
        for i in range(2 * (pps.slice_groups - 1)):
            ue(b)
    elif 3 <= pps.map_type <= 5:
        bit(b)
        pps.change_rate = ue(b) + 1
    elif pps.map_type == 6:
        count = ue(b) + 1
        pass_bits(b, count * ceil_log2(pps.slice_groups))
    return 0


cdef int _read_pps(Bits* b, list into) except -1:
    cdef _Pps pps = _Pps.__new__(_Pps)
    cdef uint32_t ident = ue(b)
    pps.sps_id = ue(b)
    pps.cabac = bit(b)
    pps.bottom_order = bit(b)
    pps.slice_groups = ue(b) + 1
    if pps.slice_groups > 8:
        raise SampleError("slice_header", -1, f"{pps.slice_groups} slice groups")
    if pps.slice_groups > 1:
        _slice_groups(b, pps)
    pps.refs0 = ue(b) + 1
    pps.refs1 = ue(b) + 1
    pps.weighted = bit(b)
    pps.bipred = bits(b, 2)
    se(b)
    se(b)
    se(b)
    pps.deblocking = bit(b)
    bit(b)
    pps.redundant = bit(b)
    if b.cut or ident >= PPS_IDS or pps.sps_id >= SPS_IDS:
        raise SampleError("slice_header", -1, "a picture parameter set that cannot be read")
    into[ident] = pps
    return 0


cdef void _list_modification(Bits* b) noexcept:
    """7.3.3.1, one list."""
    cdef uint32_t i
    if not bit(b):
        return
    for i in range(2 * MAX_REFS + 2):
        if ue(b) == 3 or b.cut:
            return
        ue(b)
    b.cut = True


cdef void _weights(Bits* b, uint32_t chroma, uint32_t refs) noexcept:
    """7.3.3.2, one list."""
    cdef uint32_t i
    for i in range(refs):
        if bit(b):
            se(b)
            se(b)
        if chroma and bit(b):
            se(b)
            se(b)
            se(b)
            se(b)


cdef void _marking(Bits* b, bint idr) noexcept:
    """7.3.3.3"""
    cdef uint32_t i, operation
    if idr:
        bits(b, 2)
        return
    if not bit(b):
        return
    for i in range(4 * MAX_REFS):
        operation = ue(b)
        if operation == 0 or b.cut:
            return
        if operation in (1, 3):
            ue(b)
        if operation == 2:
            ue(b)
        if operation in (3, 6):
            ue(b)
        if operation == 4:
            ue(b)
    b.cut = True


cdef Py_ssize_t _slice_header(Bits* b, AvcSets sets, uint32_t kind, bint reference) except -2:
    """7.3.3"""
    cdef _Sps sps
    cdef _Pps pps
    cdef uint32_t slice_type, ident, refs0, refs1
    cdef bint field = False, bidirectional, predicted
    ue(b)
    slice_type = ue(b) % 5
    ident = ue(b)
    found = sets.pps[ident] if ident < PPS_IDS else None
    if found is None or sets.sps[(<_Pps>found).sps_id] is None:
        raise SampleError("slice_header", -1, f"a slice of picture parameter set {ident}, unknown")
    pps = found
    sps = sets.sps[pps.sps_id]
    if sps.separate_planes:
        bits(b, 2)
    bits(b, sps.frame_num_bits)
    if not sps.frames_only:
        field = bit(b)
        if field:
            bit(b)
    if kind == IDR:
        ue(b)
    if sps.poc_type == 0:
        bits(b, sps.poc_lsb_bits)
        if pps.bottom_order and not field:
            se(b)
    elif sps.poc_type == 1 and not sps.delta_zero:
        se(b)
        if pps.bottom_order and not field:
            se(b)
    if pps.redundant:
        ue(b)
    bidirectional = slice_type == B_SLICE
    predicted = slice_type == P_SLICE or slice_type == SP_SLICE
    refs0, refs1 = pps.refs0, pps.refs1
    if bidirectional:
        bit(b)
    if (predicted or bidirectional) and bit(b):
        refs0 = ue(b) + 1
        if bidirectional:
            refs1 = ue(b) + 1
    if refs0 > MAX_REFS or refs1 > MAX_REFS:
        raise SampleError("slice_header", -1, "more than 32 reference indexes")
    if predicted or bidirectional:
        _list_modification(b)
    if bidirectional:
        _list_modification(b)
    if (pps.weighted and predicted) or (pps.bipred == 1 and bidirectional):
        ue(b)
        if sps.chroma_array_type:
            ue(b)
        _weights(b, sps.chroma_array_type, refs0)
        if bidirectional:
            _weights(b, sps.chroma_array_type, refs1)
    if reference:
        _marking(b, kind == IDR)
    if pps.cabac and slice_type != I_SLICE and slice_type != SI_SLICE:
        ue(b)
    se(b)
    if slice_type == SP_SLICE:
        bit(b)
    if slice_type == SP_SLICE or slice_type == SI_SLICE:
        se(b)
    if pps.deblocking and ue(b) != 1:
        se(b)
        se(b)
    if pps.slice_groups > 1 and 3 <= pps.map_type <= 5:
        # Ceil(Log2(PicSizeInMapUnits / SliceGroupChangeRate + 1)), 7.4.3
        bits(b, ceil_log2((sps.map_units + pps.change_rate - 1) // pps.change_rate + 1))
    if b.cut:
        raise SampleError("slice_header", -1, "a slice header leaves its unit")
    return b.at


cdef class AvcSets(Sets):
    def __cinit__(self):
        self.sps = [None] * SPS_IDS
        self.pps = [None] * PPS_IDS

    cdef int configure(self, const uint8_t* record, Py_ssize_t size) except -1:
        """AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
        cdef Py_ssize_t at = 5, length
        cdef int kind, count
        if size < 7:
            raise SampleError("config", -1, "avcC is cut")
        for kind in range(2):
            if at >= size:
                raise SampleError("config", -1, "avcC is cut")
            count = record[at] & (31 if kind == 0 else 255)
            at += 1
            while count > 0:
                length = (record[at] << 8 | record[at + 1]) if at + 2 <= size else size
                if at + 2 + length > size:
                    raise SampleError("config", -1, "a parameter set leaves avcC")
                self.head(record + at + 2, length)
                at += 2 + length
                count -= 1
        return (record[4] & 3) + 1

    cdef Sets branch(self):
        cdef AvcSets copy = AvcSets.__new__(AvcSets)
        copy.sps = list(self.sps)
        copy.pps = list(self.pps)
        return copy

    cdef Py_ssize_t head(self, const uint8_t* unit, Py_ssize_t size) except -2:
        cdef Bits b = open_bits(unit, 1, size)
        cdef uint32_t kind
        if size == 0:
            return -1
        kind = unit[0] & 31
        if kind == SLICE or kind == IDR:
            return _slice_header(&b, self, kind, unit[0] & 0x60)
        if PARTITION_A <= kind <= PARTITION_C:
            raise SampleError("partition", -1, f"NAL unit type {kind}")
        if kind == SPS:
            _read_sps(&b, self.sps)
        elif kind == PPS:
            _read_pps(&b, self.pps)
        return -1


def interlaced(bytes record not None):
    """Whether an avcC allows fields (frame_mbs_only_flag 0); SampleError when it cannot be read."""
    cdef AvcSets sets = AvcSets.__new__(AvcSets)
    cdef _Sps sps
    sets.configure(record, len(record))
    for sps in sets.sps:
        if sps is not None and not sps.frames_only:
            return True
    return False


def shown(bytes record not None):
    cdef AvcSets sets = AvcSets.__new__(AvcSets)
    cdef _Sps sps
    sets.configure(record, len(record))
    for sps in sets.sps:
        if sps is not None:
            return shown_fields(sps.shown)
    return None
