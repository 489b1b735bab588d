"""Sample arrays to styp + moof + mdat header (TR-49..52)."""

from array import array

from cpython cimport array as c_array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from native.bmff.errors import BoxError

cdef uint32_t SYNC = 0x02000000  # sample_depends_on = 2, TR-51
cdef uint32_t OTHER = 0x01010000

cdef enum:
    DATA_OFFSET = 0x1  # trun flags, ISO/IEC 14496-12, 8.8.8
    FIRST_FLAGS = 0x4
    DURATIONS = 0x100
    SIZES = 0x200
    FLAGS = 0x400
    CTOS = 0x800

STYP = b"\0\0\0\x1cstypmsdh\0\0\0\0msdhmsixcmfs"  # TR-52
cdef bytes _STYP = STYP


cdef inline uint8_t* _u32(uint8_t* p, uint32_t value) noexcept:
    p[0], p[1], p[2], p[3] = value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255
    return p + 4


cdef inline uint8_t* _u64(uint8_t* p, uint64_t value) noexcept:
    return _u32(_u32(p, value >> 32), value & 0xFFFFFFFF)


cdef inline uint8_t* _box(uint8_t* p, uint64_t size, const char* name) noexcept:
    p = _u32(p, <uint32_t>size)
    memcpy(p, name, 4)
    return p + 4


ctypedef fused Time:
    int64_t
    uint32_t

ctypedef fused Shift:
    int64_t
    int32_t

ctypedef fused Flag:
    int64_t
    uint8_t


cdef uint32_t _shape(
    const Time* durations, const Shift* ctos, const Flag* syncs, Py_ssize_t count, bint video
) noexcept:
    """The smallest trun flags that say everything (TR-50)."""
    cdef Py_ssize_t i
    cdef bint even = True, shifted = False, lone = True
    for i in range(count):
        even = even and durations[i] == durations[0]
        shifted = shifted or ctos[i] != 0
        lone = lone and (syncs[i] != 0) == (i == 0)
    if not video:
        return DATA_OFFSET | SIZES | (0 if even else DURATIONS) | (CTOS if shifted else 0)
    if not even or not lone:
        return DATA_OFFSET | SIZES | FLAGS | CTOS | DURATIONS
    return DATA_OFFSET | SIZES | FIRST_FLAGS | (CTOS if shifted else 0)


cdef Py_ssize_t _trun_size(uint32_t flags, Py_ssize_t count) noexcept:
    """Bytes of a trun of that shape."""
    cdef int width = 4 * (
        1 + (flags & DURATIONS != 0) + (flags & FLAGS != 0) + (flags & CTOS != 0)
    )
    return 20 + (4 if flags & FIRST_FLAGS else 0) + width * count


def head_sizes(
    const uint32_t[::1] durations not None,
    const int32_t[::1] ctos not None,
    const uint8_t[::1] syncs not None,
    const int64_t[::1] bounds not None,
    bint video,
):
    cdef Py_ssize_t rows = durations.shape[0], segments = bounds.shape[0] - 1, s, a, b
    cdef c_array.array out
    cdef uint32_t flags
    if not rows == ctos.shape[0] == syncs.shape[0] or segments < 0:
        raise BoxError("bad_table", 0, "segments need bounds, and as many of each column")
    out = c_array.clone(<c_array.array>array("q"), segments, zero=True)
    cdef int64_t[::1] size_of = out
    for s in range(segments):
        a, b = bounds[s], bounds[s + 1]
        if not 0 <= a <= b <= rows:
            raise BoxError("bad_table", s, "segment bounds do not rise")
        if a < b:
            flags = _shape(&durations[a], &ctos[a], &syncs[a], b - a, video)
            size_of[s] = len(_STYP) + 8 + 16 + 8 + 24 + 20 + _trun_size(flags, b - a) + 8
    return out


cdef bytes written(
    uint32_t sequence,
    uint64_t decode_time,
    const int64_t* sizes,
    const int64_t* durations,
    const int64_t* ctos,
    const int64_t* syncs,
    Py_ssize_t count,
    bint video,
    bytes extra,
    Py_ssize_t* head,
    bint whole,
):
    """`segment` of plain rows; `head` is told where its media starts, whose place is left out if it
    is not `whole`.
    """
    cdef Py_ssize_t i
    cdef uint64_t media = 0
    if count <= 0:
        raise BoxError("bad_table", 0, "a fragment needs samples")
    for i in range(count):
        if sizes[i] < 0 or durations[i] < 0 or sizes[i] >> 32 or durations[i] >> 32:
            raise BoxError("bad_table", 0, f"sample {i} does not fit in 32 bits")
        media += <uint64_t>sizes[i]
    if media > 0xFFFFFF00:
        raise BoxError("too_large", 0, f"a fragment of {media} bytes")
    cdef uint32_t flags = _shape(durations, ctos, syncs, count, video)
    cdef Py_ssize_t trun = _trun_size(flags, count)
    cdef Py_ssize_t traf = 8 + 24 + 20 + trun
    cdef Py_ssize_t moof = 8 + 16 + traf + len(extra)
    cdef Py_ssize_t styp = len(_STYP)
    head[0] = styp + moof + 8
    cdef Py_ssize_t size = head[0] + (<Py_ssize_t>media if whole else 0)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
    cdef uint8_t* p = <uint8_t*>PyBytes_AS_STRING(out)
    memcpy(p, <const char*>_STYP, styp)
    p = _box(p + styp, moof, b"moof")
    p = _u32(_u32(_box(p, 16, b"mfhd"), 0), sequence)
    p = _box(p, traf, b"traf")
    p = _u32(_u32(_box(p, 24, b"tfhd"), 0x020028), 1)  # base is moof, default duration, flags
    p = _u32(_u32(p, <uint32_t>durations[0]), OTHER if video else SYNC)
    p = _u64(_u32(_box(p, 20, b"tfdt"), 0x01000000), decode_time)
    p = _u32(_u32(_box(p, trun, b"trun"), 0x01000000 | flags), <uint32_t>count)
    p = _u32(p, <uint32_t>(moof + 8))
    if flags & FIRST_FLAGS:
        p = _u32(p, SYNC)
    for i in range(count):
        if flags & DURATIONS:
            p = _u32(p, <uint32_t>durations[i])
        p = _u32(p, <uint32_t>sizes[i])
        if flags & FLAGS:
            p = _u32(p, SYNC if syncs[i] else OTHER)
        if flags & CTOS:
            p = _u32(p, <uint32_t><int32_t>ctos[i])
    memcpy(p, <const char*>extra, len(extra))
    _box(p + len(extra), 8 + media, b"mdat")
    return out


def segment(
    uint32_t sequence,
    uint64_t decode_time,
    const int64_t[::1] sizes not None,
    const int64_t[::1] durations not None,
    const int64_t[::1] ctos not None,
    const int64_t[::1] syncs not None,
    bint video,
    bytes extra=b"",
):
    cdef Py_ssize_t count = sizes.shape[0], head = 0
    if not count == durations.shape[0] == ctos.shape[0] == syncs.shape[0] or count == 0:
        raise BoxError("bad_table", 0, "a fragment needs samples, and as many of each column")
    out = written(
        sequence, decode_time, &sizes[0], &durations[0], &ctos[0], &syncs[0], count, video, extra, &head, True
    )
    return out, head
