# cython: auto_pickle=False
"""Pieces of AV1 frame headers: only how long they are (AV1, 1.0.0 errata 1, 5.9).

Rules of the file
1. Reads follow the syntax tables, in their order; functions bear the names of the sections.
2. A value is kept if the length of this or a later header depends on it, else passed over.
3. frame_refs_short_signaling is refused: its references are derived, and no encoder that we know
   writes it.
"""

from libc.stdint cimport int32_t, uint32_t
from libc.string cimport memset

from native.cenc.av1_sequence cimport Sequence, refused
from native.cenc.bits cimport Bits, bit, bits, pass_bits

cdef enum:
    TILES_MOST = 64 * 64

cdef int[8] FEATURE_BITS = [8, 6, 6, 6, 6, 3, 0, 0]  # 5.9.14
cdef int[8] FEATURE_SIGNED = [1, 1, 1, 1, 1, 0, 0, 0]


cdef int32_t _su(Bits* b, int count) noexcept:
    """su(count), 4.10.6"""
    cdef int32_t value = <int32_t>bits(b, count)
    return value - (1 << count) if value >> (count - 1) & 1 else value


cdef uint32_t _ns(Bits* b, uint32_t most) noexcept:
    """ns(most), 4.10.7"""
    cdef int width = 0
    cdef uint32_t short_codes, value
    while most >> width:
        width += 1
    short_codes = (<uint32_t>1 << width) - most
    value = bits(b, width - 1)
    if value < short_codes:
        return value
    return (value << 1) - short_codes + bit(b)


cdef uint32_t _tile_log2(uint32_t block, uint32_t target) noexcept:
    cdef uint32_t k = 0
    while block << k < target:
        k += 1
    return k


cdef void _superres(Bits* b, Sequence s, Header* h) noexcept:
    """5.9.8"""
    cdef uint32_t denominator
    h.upscaled_width = h.width
    if s.superres and bit(b):
        denominator = bits(b, 3) + 9
        h.width = (h.upscaled_width * 8 + denominator // 2) // denominator


cdef void frame_size(Bits* b, Sequence s, Header* h) noexcept:
    """5.9.5, 5.9.6"""
    h.width, h.height = s.width, s.height
    if h.size_override:
        h.width = bits(b, s.width_bits) + 1
        h.height = bits(b, s.height_bits) + 1
    _superres(b, s, h)
    if bit(b):
        bits(b, 32)


cdef void _size_with_refs(Bits* b, Sequence s, Header* h, const Slot* slots) noexcept:
    """5.9.7"""
    cdef int i
    for i in range(REFS_PER_FRAME):
        if bit(b):
            h.width = slots[h.ref[i]].upscaled_width
            h.height = slots[h.ref[i]].height
            _superres(b, s, h)
            return
    frame_size(b, s, h)


cdef int _tile_spans(Bits* b, uint32_t blocks, uint32_t most, uint32_t* widest) except -1:
    """Explicit tile sizes along one axis; how many."""
    cdef uint32_t at = 0, size
    cdef int count = 0
    widest[0] = 0
    while at < blocks:
        size = _ns(b, min(blocks - at, most)) + 1
        widest[0] = max(widest[0], size)
        at += size
        count += 1
        if b.cut or count > 64:
            raise refused("tiles that cannot be")
    return count


cdef int tile_info(Bits* b, Sequence s, Header* h, Tiles* tiles) except -1:
    """5.9.15"""
    cdef uint32_t shift = 5 if s.big_blocks else 4, columns, rows, cols_log2, rows_log2
    cdef uint32_t mi_columns = 2 * ((h.width + 7) >> 3), mi_rows = 2 * ((h.height + 7) >> 3)
    cdef uint32_t most_width = 4096 >> (shift + 2), area = (4096 * 2304) >> (2 * (shift + 2))
    cdef uint32_t low, high, both, span, widest, unused
    cdef uint32_t count_columns, count_rows
    columns = (mi_columns + (1 << shift) - 1) >> shift
    rows = (mi_rows + (1 << shift) - 1) >> shift
    low = _tile_log2(most_width, columns)
    both = max(low, _tile_log2(area, rows * columns))
    if bit(b):
        cols_log2 = low
        high = _tile_log2(1, min(columns, 64))
        while cols_log2 < high and bit(b):
            cols_log2 += 1
        span = (columns + (1 << cols_log2) - 1) >> cols_log2
        count_columns = (columns + span - 1) // span
        rows_log2 = both - cols_log2 if both > cols_log2 else 0
        high = _tile_log2(1, min(rows, 64))
        while rows_log2 < high and bit(b):
            rows_log2 += 1
        span = (rows + (1 << rows_log2) - 1) >> rows_log2
        count_rows = (rows + span - 1) // span
    else:
        count_columns = _tile_spans(b, columns, most_width, &widest)
        cols_log2 = _tile_log2(1, count_columns)
        area = (rows * columns) >> (both + 1) if both else rows * columns
        count_rows = _tile_spans(b, rows, max(area // widest, 1), &unused)
        rows_log2 = _tile_log2(1, count_rows)
    tiles.count = count_columns * count_rows
    tiles.bits = cols_log2 + rows_log2
    tiles.size_bytes = 0
    if tiles.bits:
        bits(b, tiles.bits)
        tiles.size_bytes = bits(b, 2) + 1
    if tiles.count > TILES_MOST:
        raise refused("more tiles than a level allows")
    return 0


cdef bint _delta(Bits* b) noexcept:
    """read_delta_q, 5.9.13: whether it is other than 0."""
    return bit(b) and _su(b, 7) != 0


cdef void quantization(Bits* b, Sequence s, Header* h) noexcept:
    """5.9.12"""
    cdef bint apart = False
    h.base_q = bits(b, 8)
    h.delta_any = _delta(b)
    if s.planes > 1:
        if s.separate_uv:
            apart = bit(b)
        h.delta_any |= _delta(b)
        h.delta_any |= _delta(b)
        if apart:
            h.delta_any |= _delta(b)
            h.delta_any |= _delta(b)
    if bit(b):
        bits(b, 8)
        if s.separate_uv:
            bits(b, 4)


cdef void segmentation(Bits* b, Header* h, const Slot* slots) noexcept:
    """5.9.14; only the quantiser's feature reaches the header's length."""
    cdef bint update = True
    cdef int i, j, value
    memset(h.segment_active, 0, sizeof(h.segment_active))
    if not bit(b):
        return
    if h.primary != NO_PRIMARY:
        if bit(b):
            bit(b)
        update = bit(b)
        if not update:
            for i in range(SEGMENTS):
                h.segment_active[i] = slots[h.ref[h.primary]].segment_active[i]
                h.segment_q[i] = slots[h.ref[h.primary]].segment_q[i]
            return
    for i in range(SEGMENTS):
        for j in range(8):
            if not bit(b):
                continue
            value = (
                _su(b, 1 + FEATURE_BITS[j]) if FEATURE_SIGNED[j] else bits(b, FEATURE_BITS[j])
            )
            if j == 0:
                h.segment_active[i] = True
                h.segment_q[i] = value


cdef void delta_params(Bits* b, Header* h) noexcept:
    """5.9.17, 5.9.18, and CodedLossless of 5.9.2."""
    cdef int i
    cdef int32_t index
    h.delta_q = h.base_q > 0 and bit(b)
    if h.delta_q:
        bits(b, 2)
        if not h.intrabc and bit(b):
            bits(b, 3)
    h.lossless = not h.delta_any
    for i in range(SEGMENTS):
        index = h.base_q + (h.segment_q[i] if h.segment_active[i] else 0)
        h.lossless = h.lossless and index <= 0


cdef void filters(Bits* b, Sequence s, Header* h) noexcept:
    """loop_filter_params, cdef_params, lr_params and read_tx_mode: 5.9.11, 5.9.19..21."""
    cdef uint32_t levels, i, uses = 0
    if not h.lossless and not h.intrabc:
        levels = bits(b, 12)
        if s.planes > 1 and levels:
            bits(b, 12)
        bits(b, 3)
        if bit(b) and bit(b):
            for i in range(10):
                if bit(b):
                    bits(b, 7)
        if s.cdef_on:
            bits(b, 2)
            pass_bits(b, (12 if s.planes > 1 else 6) << bits(b, 2))
    if not (h.lossless and h.width == h.upscaled_width) and not h.intrabc and s.restoration:
        for i in range(s.planes):
            if bits(b, 2):
                uses |= 1 if i == 0 else 3
        if uses:
            if bit(b) and not s.big_blocks:
                bit(b)
            if s.sub_x and s.sub_y and uses & 2:
                bit(b)
    if not h.lossless:
        bit(b)


cdef int32_t _distance(Sequence s, uint32_t a, uint32_t b) noexcept:
    """get_relative_dist, 5.9.3: order hints wrap."""
    cdef int32_t difference = <int32_t>a - <int32_t>b, half = 1 << (s.order_bits - 1)
    return (difference & (half - 1)) - (difference & half)


cdef bint skip_mode_allowed(Sequence s, Header* h, const Slot* slots) noexcept:
    """5.9.22"""
    cdef int i, forward = -1, backward = -1, second = -1
    cdef uint32_t hint, ahead = 0, behind = 0, before = 0
    if h.intra or not h.select or not s.order:
        return False
    for i in range(REFS_PER_FRAME):
        hint = slots[h.ref[i]].order_hint
        if _distance(s, hint, h.order_hint) < 0:
            if forward < 0 or _distance(s, hint, ahead) > 0:
                forward, ahead = i, hint
        elif _distance(s, hint, h.order_hint) > 0:
            if backward < 0 or _distance(s, hint, behind) < 0:
                backward, behind = i, hint
    if forward < 0:
        return False
    if backward >= 0:
        return True
    for i in range(REFS_PER_FRAME):
        hint = slots[h.ref[i]].order_hint
        if _distance(s, hint, ahead) < 0:
            if second < 0 or _distance(s, hint, before) > 0:
                second, before = i, hint
    return second >= 0


cdef void _global_param(Bits* b, int absolute) noexcept:
    """read_global_param to decode_subexp, 5.9.25..5.9.28: its length does not depend on what was."""
    cdef uint32_t symbols = (2 << absolute) + 1, base = 0, step
    cdef int i = 0, width
    while not b.cut:
        width = 3 + i - 1 if i else 3
        step = <uint32_t>1 << width
        if symbols <= base + 3 * step:
            _ns(b, symbols - base)
            return
        if not bit(b):
            bits(b, width)
            return
        i += 1
        base += step


cdef void global_motion(Bits* b, Header* h) noexcept:
    """5.9.24"""
    cdef int i, j, kind
    if h.intra:
        return
    for i in range(REFS_PER_FRAME):
        if not bit(b):
            continue
        kind = 2 if bit(b) else (1 if bit(b) else 3)
        if kind >= 2:
            for j in range(2 if kind == 2 else 4):
                _global_param(b, 12)
        for j in range(2):
            _global_param(b, 12 if kind >= 2 else 9 - (not h.high_precision))


cdef void film_grain(Bits* b, Sequence s, Header* h) noexcept:
    """5.9.30"""
    cdef uint32_t luma, cb = 0, cr = 0, lag, places
    cdef bint from_luma = False
    if not s.grain or not (h.show or h.showable) or not bit(b):
        return
    bits(b, 16)
    if h.frame_type == INTER_FRAME and not bit(b):
        bits(b, 3)
        return
    luma = bits(b, 4)
    pass_bits(b, 16 * luma)
    if s.planes > 1:
        from_luma = bit(b)
    if s.planes > 1 and not from_luma and not (s.sub_x and s.sub_y and luma == 0):
        cb = bits(b, 4)
        pass_bits(b, 16 * cb)
        cr = bits(b, 4)
        pass_bits(b, 16 * cr)
    bits(b, 2)
    lag = bits(b, 2)
    places = 2 * lag * (lag + 1)
    if luma:
        pass_bits(b, 8 * places)
        places += 1
    if from_luma or cb:
        pass_bits(b, 8 * places)
    if from_luma or cr:
        pass_bits(b, 8 * places)
    bits(b, 4)
    pass_bits(b, 25 * ((cb != 0) + (cr != 0)))
    bits(b, 2)


cdef int references(Bits* b, Sequence s, Header* h, const Slot* slots, bint integer) except -1:
    """What inter frames have between refresh_frame_flags and disable_frame_end_update_cdf."""
    cdef int i
    if s.order and bit(b):
        raise refused("frame_refs_short_signaling")
    for i in range(REFS_PER_FRAME):
        h.ref[i] = bits(b, 3)
        if s.ids:
            bits(b, s.delta_id_bits)
    for i in range(REFS_PER_FRAME):
        if not slots[h.ref[i]].valid:
            raise refused("a frame of references that the fragment does not have")
    if h.size_override and not h.resilient:
        _size_with_refs(b, s, h, slots)
    else:
        frame_size(b, s, h)
    h.high_precision = not integer and bit(b)
    if not bit(b):
        bits(b, 2)
    bit(b)
    if not h.resilient and s.ref_mvs:
        bit(b)
    return 0


cdef int frame_type(Bits* b, Sequence s, Header* h) except -1:
    """From frame_type to error_resilient_mode; show_existing_frame is not set."""
    h.frame_type = bits(b, 2)
    h.show = bit(b)
    h.intra = h.frame_type == KEY_FRAME or h.frame_type == INTRA_ONLY
    if h.show and s.model and not s.equal_interval:
        bits(b, s.time_bits)
    h.showable = h.frame_type != KEY_FRAME if h.show else bit(b)
    h.resilient = h.frame_type == SWITCH_FRAME or (h.frame_type == KEY_FRAME and h.show)
    if not h.resilient:
        h.resilient = bit(b)
    return 0


cdef void removal_times(Bits* b, Sequence s, uint32_t temporal, uint32_t spatial) noexcept:
    cdef uint32_t i, idc
    if not s.model or not bit(b):
        return
    for i in range(s.points):
        idc = s.point_idc[i]
        if s.point_model[i] and (
            idc == 0 or (idc >> temporal & 1 and idc >> (spatial + 8) & 1)
        ):
            bits(b, s.removal_bits)
