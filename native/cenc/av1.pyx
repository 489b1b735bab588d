# cython: auto_pickle=False
"""AV1 frames and their tiles (AV1 Bitstream and Decoding Process, 1.0.0 errata 1, 5.9, 7.20)."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from native.cenc.av1_header cimport (
    Header, KEY_FRAME, NO_PRIMARY, REFS, SEGMENTS, SWITCH_FRAME, Slot, delta_params, film_grain,
    filters, frame_size, frame_type, global_motion, quantization, references, removal_times,
    segmentation, skip_mode_allowed, tile_info,
)
from native.cenc.av1_sequence cimport Sequence, refused, sequence_header
from native.cenc.bits cimport Bits, bit, bits, open_bits

from native.cenc.errors import SampleError

cdef enum:
    SEQUENCE_HEADER = 1
    FRAME_HEADER = 3
    TILE_GROUP = 4
    FRAME = 6
    SELECT = 2  # SELECT_SCREEN_CONTENT_TOOLS, SELECT_INTEGER_MV
    ALL = 255


cdef Bits _plain(const uint8_t* data, Py_ssize_t size) noexcept:
    cdef Bits b = open_bits(data, 0, size)
    b.plain = True
    return b


cdef int _frame_header(Frames f, Bits* b, uint32_t temporal, uint32_t spatial) except -1:
    """5.9.2"""
    cdef Sequence s = f.sequence
    cdef Header h
    cdef bint tools, integer = False, no_update
    cdef uint32_t hint
    cdef int i
    memset(&h, 0, sizeof(h))
    if s.reduced:
        h.frame_type, h.intra, h.show, h.resilient = KEY_FRAME, True, True, True
    elif bit(b):
        return _show_existing(f, b)
    else:
        frame_type(b, s, &h)
    if h.frame_type == KEY_FRAME and h.show:
        for i in range(REFS):
            f.slots[i].valid = False
            f.slots[i].order_hint = 0
    no_update = bit(b)
    tools = bit(b) if s.screen_tools == SELECT else s.screen_tools
    if tools:
        integer = bit(b) if s.integer_mv == SELECT else s.integer_mv
    if s.ids:
        bits(b, s.id_bits)
    h.size_override = h.frame_type == SWITCH_FRAME or (not s.reduced and bit(b))
    h.order_hint = bits(b, s.order_bits)
    h.primary = NO_PRIMARY if h.intra or h.resilient else bits(b, 3)
    removal_times(b, s, temporal, spatial)
    h.refresh = ALL
    if h.frame_type != SWITCH_FRAME and not (h.frame_type == KEY_FRAME and h.show):
        h.refresh = bits(b, 8)
    if (not h.intra or h.refresh != ALL) and h.resilient and s.order:
        for i in range(REFS):
            hint = bits(b, s.order_bits)
            if hint != f.slots[i].order_hint or not f.slots[i].valid:
                f.slots[i].order_hint = hint
    if h.intra:
        frame_size(b, s, &h)
        h.intrabc = tools and h.upscaled_width == h.width and bit(b)
    else:
        references(b, s, &h, f.slots, integer)
    if not s.reduced and not no_update:
        bit(b)
    tile_info(b, s, &h, &f.tiles)
    quantization(b, s, &h)
    segmentation(b, &h, f.slots)
    delta_params(b, &h)
    filters(b, s, &h)
    h.select = not h.intra and bit(b)
    if skip_mode_allowed(s, &h, f.slots):
        bit(b)
    if not h.intra and not h.resilient and s.warped:
        bit(b)
    bit(b)
    global_motion(b, &h)
    film_grain(b, s, &h)
    if b.cut:
        raise refused("a frame header leaves its unit")
    f.tiles.known = True
    return _refresh(f, &h)


cdef int _show_existing(Frames f, Bits* b) except -1:
    cdef Slot shown = f.slots[bits(b, 3)]
    cdef int i
    if not shown.valid:
        raise refused("a shown frame that the fragment does not have")
    if shown.frame_type == KEY_FRAME:
        for i in range(REFS):
            f.slots[i] = shown
    return 0


cdef int _refresh(Frames f, Header* h) except -1:
    """7.20"""
    cdef int i, j
    for i in range(REFS):
        if not h.refresh >> i & 1:
            continue
        f.slots[i].valid = True
        f.slots[i].frame_type = h.frame_type
        f.slots[i].order_hint = h.order_hint
        f.slots[i].upscaled_width = h.upscaled_width
        f.slots[i].width = h.width
        f.slots[i].height = h.height
        for j in range(SEGMENTS):
            f.slots[i].segment_active[j] = h.segment_active[j]
            f.slots[i].segment_q[j] = h.segment_q[j]
    return 0


cdef class Frames:
    """Reference state from a random access point on."""

    cdef int configure(self, const uint8_t* record, Py_ssize_t size) except -1:
        """av1C (AV1 in ISOBMFF, 2.3): a sequence header may follow the four bytes."""
        cdef Bits b
        cdef Py_ssize_t at = 6
        if size < 4 or record[0] != 0x81:
            raise SampleError("config", -1, "av1C is cut, or of another version")
        if size > 6 and record[4] >> 3 & 15 == SEQUENCE_HEADER and record[4] & 6 == 2:
            b = _plain(record + at, size - at)
            self.sequence = sequence_header(&b)
        return 0

    cdef Frames branch(self):
        cdef Frames copy = Frames.__new__(Frames)
        copy.sequence = self.sequence
        copy.slots = self.slots
        copy.tiles = self.tiles
        return copy

    cdef Py_ssize_t unit(
        self, int kind, uint32_t temporal, uint32_t spatial, const uint8_t* data, Py_ssize_t size
    ) except -2:
        """Take one OBU in. Bytes in front of its tile group's first tile, -1: no tiles."""
        cdef Bits b = _plain(data, size)
        if kind == SEQUENCE_HEADER:
            self.sequence = sequence_header(&b)
        elif kind == FRAME_HEADER or kind == FRAME:
            if self.sequence is None:
                raise refused("a frame without a sequence header")
            if kind == FRAME_HEADER and self.tiles.known:
                return -1  # a copy of the frame's first header (5.9.1)
            _frame_header(self, &b, temporal, spatial)
            if kind == FRAME:
                return b.at
        elif kind == TILE_GROUP:
            return 0
        return -1
