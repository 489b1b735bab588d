"""Bits of a NAL unit or OBU, emulation prevention removed on the way (ITU-T H.264 and H.265, 7.3.1.1, 7.2).

Reads past `end` give 0 and set `cut`: ask once, after the last read.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t


cdef struct Bits:
    const uint8_t* data
    Py_ssize_t at  # the next byte to load
    Py_ssize_t end
    int zeros  # bytes of zero just before `at`
    int left  # bits of `byte` not read yet
    uint32_t byte
    bint cut
    bint plain  # no emulation prevention: AV1


cdef inline Bits open_bits(const uint8_t* data, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef Bits b
    b.data = data
    b.at = start
    b.end = end
    b.zeros = 0
    b.left = 0
    b.byte = 0
    b.cut = False
    b.plain = False
    return b


cdef inline uint32_t bit(Bits* b) noexcept nogil:
    if b.left == 0:
        if b.zeros >= 2 and not b.plain and b.at < b.end and b.data[b.at] == 3:
            b.at += 1
            b.zeros = 0
        if b.at >= b.end:
            b.cut = True
            return 0
        b.byte = b.data[b.at]
        b.at += 1
        b.zeros = b.zeros + 1 if b.byte == 0 else 0
        b.left = 8
    b.left -= 1
    return b.byte >> b.left & 1


cdef inline uint32_t bits(Bits* b, int count) noexcept nogil:
    """u(count), at most 32."""
    cdef uint32_t value = 0
    while count > 0:
        value = value << 1 | bit(b)
        count -= 1
    return value


cdef inline void pass_bits(Bits* b, uint32_t count) noexcept nogil:
    while count > 0 and not b.cut:
        bit(b)
        count -= 1


cdef inline uint32_t ue(Bits* b) noexcept nogil:
    """ue(v), 9.1; what does not fit in 32 bits is cut."""
    cdef int zeros = 0
    while bit(b) == 0:
        zeros += 1
        if zeros > 31 or b.cut:
            b.cut = True
            return 0
    return (<uint32_t>1 << zeros) - 1 + bits(b, zeros)


cdef inline int32_t se(Bits* b) noexcept nogil:
    """se(v), 9.1.1."""
    cdef uint32_t code = ue(b)
    return <int32_t>((code >> 1) + (code & 1)) * (1 if code & 1 else -1)


cdef inline int ceil_log2(uint32_t value) noexcept nogil:
    cdef int found = 0
    while value > 1 and found < 32 and (<uint32_t>1 << found) < value:
        found += 1
    return found


cdef struct Shown:  # of the beginning of a VUI (H.264, E.1.1; H.265, E.2.1)
    bint told  # at all
    uint32_t aspect  # aspect_ratio_idc
    uint32_t aspect_width
    uint32_t aspect_height
    uint32_t primaries  # code points of ISO/IEC 23091-2; 2 unknown
    uint32_t transfer
    uint32_t matrix
    bint full_range


cdef inline Shown read_shown(Bits* b) noexcept nogil:
    """From vui_parameters_present_flag to the colour description; nothing of what is cut."""
    cdef Shown found
    found.told = bit(b)
    found.aspect = found.aspect_width = found.aspect_height = 0
    found.primaries = found.transfer = found.matrix = 2
    found.full_range = False
    if not found.told:
        return found
    if bit(b):
        found.aspect = bits(b, 8)
        if found.aspect == 255:
            found.aspect_width = bits(b, 16)
            found.aspect_height = bits(b, 16)
    if bit(b):
        bit(b)
    if bit(b):
        bits(b, 3)
        found.full_range = bit(b)
        if bit(b):
            found.primaries = bits(b, 8)
            found.transfer = bits(b, 8)
            found.matrix = bits(b, 8)
    found.told = not b.cut
    return found


cdef inline tuple shown_fields(Shown shown):
    """None where nothing is told."""
    if not shown.told:
        return None
    return (
        shown.aspect, shown.aspect_width, shown.aspect_height,
        shown.primaries, shown.transfer, shown.matrix, bool(shown.full_range),
    )
