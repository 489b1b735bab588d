# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""Sample tables of a progressive track to flat arrays (ISO/IEC 14496-12:2022, 8.6 and 8.7; TR-4..7).

Every count is compared with the bytes that carry it and with the other tables before anything is
allocated; a table that only runs (stts, ctts, uniform stsz) is bounded by the sum it must reach. So
every loop below is proved before it starts, and the compiler's own checks are off.
"""

from array import array
from bisect import bisect_right

from cpython cimport array as c_array
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from native.bmff.errors import BoxError

from native.bmff.boxes cimport Span, find_box, fourcc, whole
from native.bmff.reader cimport Reader, cc, load32, load64, reader, u32

MAX_SAMPLES = 16777216  # TR-6


cdef struct Table:
    Span box
    const uint8_t* rows
    uint32_t count


cdef struct Sizes:
    Span box
    const uint8_t* rows
    uint32_t count
    uint32_t uniform
    int bits


cdef c_array.array _new(str code, Py_ssize_t count):
    return c_array.clone(<c_array.array>array(code), count, zero=False)


cdef class Samples:
    def __init__(self, count):
        self.count = count
        self.offset = _new("q", count)
        self.size = _new("I", count)
        self.dts = _new("q", count)
        self.duration = _new("I", count)
        self.cto = _new("i", count)
        self.sync = _new("B", count)

    def __len__(self):
        return self.count


cdef bint _table(
    const uint8_t* data, Py_ssize_t start, Py_ssize_t end, uint32_t kind, int width, Table* t
) except -1:
    """A full box of `count` rows of `width` bytes; False if it is absent."""
    cdef Reader r
    if not find_box(data, start, end, kind, &t.box):
        return False
    r = reader(data, t.box.body, t.box.end)
    u32(&r)
    t.count = u32(&r)
    whole(&r, t.box)
    if <uint64_t>t.count * width > <uint64_t>(r.end - r.at):
        raise BoxError(
            "bad_table", t.box.start, f"{fourcc(kind)} of {t.count} entries in {r.end - r.at} bytes"
        )
    t.rows = data + r.at
    return True


cdef uint64_t _sum(Table* t) noexcept:
    """Samples that the runs of stts or ctts cover."""
    cdef uint64_t total = 0
    cdef uint32_t i
    for i in range(t.count):
        total += load32(t.rows + 8 * <size_t>i)
    return total


cdef int _sizes(
    const uint8_t* data, Py_ssize_t start, Py_ssize_t end, uint64_t file_size, Sizes* s
) except -1:
    """stsz or stz2 (8.7.3), counted but not yet read."""
    cdef Reader r
    cdef uint32_t head
    s.uniform = 0
    s.bits = 32
    if find_box(data, start, end, cc(b"stsz"), &s.box):
        r = reader(data, s.box.body, s.box.end)
        u32(&r)
        s.uniform = u32(&r)
    elif find_box(data, start, end, cc(b"stz2"), &s.box):
        r = reader(data, s.box.body, s.box.end)
        u32(&r)
        s.bits = u32(&r) & 0xFF
        if s.bits not in (4, 8, 16):
            raise BoxError("bad_table", s.box.start, f"stz2 with fields of {s.bits} bits")
    else:
        raise BoxError("bad_table", start, "neither stsz nor stz2")
    s.count = u32(&r)
    whole(&r, s.box)
    s.rows = data + r.at
    if s.count > MAX_SAMPLES:
        raise BoxError("bad_table", s.box.start, f"{s.count} samples in one track")
    if s.uniform and <uint64_t>s.uniform * s.count > file_size:
        raise BoxError(
            "bad_table", s.box.start, f"{s.count} samples of {s.uniform} bytes pass the file"
        )
    if not s.uniform and (<uint64_t>s.count * s.bits + 7) // 8 > <uint64_t>(r.end - r.at):
        raise BoxError("bad_table", s.box.start, f"{s.count} sizes in {r.end - r.at} bytes")
    return 0


cdef void _fill_sizes(Sizes* s, uint32_t[::1] out) noexcept:
    """One plain loop for each width, which the compiler makes wide."""
    cdef const uint8_t* rows = s.rows
    cdef uint32_t* to = &out[0]
    cdef uint32_t uniform = s.uniform
    cdef Py_ssize_t i, count = s.count
    if uniform:
        for i in range(count):
            to[i] = uniform
    elif s.bits == 32:
        for i in range(count):
            to[i] = load32(rows + 4 * i)
    elif s.bits == 16:
        for i in range(count):
            to[i] = (<uint32_t>rows[2 * i] << 8) | rows[2 * i + 1]
    elif s.bits == 8:
        for i in range(count):
            to[i] = rows[i]
    else:
        for i in range(count):
            to[i] = rows[i >> 1] & 15 if i & 1 else rows[i >> 1] >> 4


cdef void _fill_times(Table* stts, int64_t[::1] dts, uint32_t[::1] duration) noexcept:
    cdef Py_ssize_t at = 0
    cdef int64_t now = 0
    cdef uint32_t i, run, delta
    for i in range(stts.count):
        run = load32(stts.rows + 8 * <size_t>i)
        delta = load32(stts.rows + 8 * <size_t>i + 4)
        for _ in range(run):
            dts[at] = now
            duration[at] = delta
            now += delta
            at += 1


cdef void _fill_cto(Table* ctts, int32_t[::1] out) noexcept:
    """Read as signed in both versions (TR-15); samples past the table have 0 (TR-6)."""
    cdef Py_ssize_t at = 0
    cdef uint32_t i, run
    cdef int32_t cto
    for i in range(ctts.count):
        run = load32(ctts.rows + 8 * <size_t>i)
        cto = <int32_t>load32(ctts.rows + 8 * <size_t>i + 4)
        for _ in range(run):
            out[at] = cto
            at += 1
    out[at:] = 0


cdef int _fill_sync(Table* stss, bint present, uint8_t[::1] out) except -1:
    """stss (8.6.2): absent = all are sync, empty = none (TR-13)."""
    cdef uint32_t i, number
    out[:] = 0 if present else 1
    if not present:
        return 0
    for i in range(stss.count):
        number = load32(stss.rows + 4 * <size_t>i)
        if not 1 <= number <= <uint64_t>out.shape[0]:
            raise BoxError("bad_table", stss.box.start, f"stss names sample {number}")
        out[number - 1] = 1
    return 0


cdef class _Holes:
    """The mdat boxes: a chunk must lie inside one (TR-7)."""

    cdef list starts, ends
    cdef uint64_t start, end

    def __init__(self, spans):
        spans = sorted(spans)
        self.starts, self.ends = [start for start, _ in spans], [end for _, end in spans]
        self.start = self.end = 0

    cdef bint hold(self, uint64_t start, uint64_t end):
        if self.start <= start and end <= self.end:
            return True
        at = bisect_right(self.starts, start) - 1
        if at < 0 or end > self.ends[at]:
            return False
        self.start, self.end = self.starts[at], self.ends[at]
        return True


cdef int _fill_offsets(
    Table* stsc, Table* chunks, int width, _Holes mdats, const uint32_t[::1] size, int64_t[::1] out,
    track,
) except -1:
    """Chunk offsets and stsc runs (8.7.4, 8.7.5) to one offset a sample."""
    cdef Py_ssize_t at = 0, total = out.shape[0]
    cdef uint32_t run = 0, chunk, per_chunk = 0, next_first = 1, first, previous = 0, i
    cdef uint32_t description
    cdef uint64_t start, end
    for chunk in range(1, chunks.count + 1):
        if chunk == next_first:
            first = load32(stsc.rows + 12 * <size_t>run)
            per_chunk = load32(stsc.rows + 12 * <size_t>run + 4)
            description = load32(stsc.rows + 12 * <size_t>run + 8)
            if description != 1 and not track.goes_on(description):
                raise BoxError(
                    "resolution_change", stsc.box.start, f"chunk {chunk} changes the description"
                )
            previous = first
            run += 1
            next_first = 0
            if run < stsc.count:
                next_first = load32(stsc.rows + 12 * <size_t>run)
                if next_first <= previous:
                    raise BoxError("bad_table", stsc.box.start, "first_chunk does not rise")
        if per_chunk == 0 or per_chunk > total - at:
            raise BoxError(
                "bad_table", stsc.box.start, f"chunk {chunk} of {per_chunk} samples, {total - at} left"
            )
        start = (
            load32(chunks.rows + 4 * <size_t>(chunk - 1)) if width == 4
            else load64(chunks.rows + 8 * <size_t>(chunk - 1))
        )
        end = start
        for i in range(per_chunk):
            out[at] = <int64_t>end
            end += size[at]
            at += 1
        if end < start or not mdats.hold(start, end):
            raise BoxError(
                "offset_out_of_file", chunks.box.start, f"chunk {chunk} at {start} is in no mdat"
            )
    if at != total:
        raise BoxError("bad_table", chunks.box.start, f"{total - at} samples are in no chunk")
    return 0


def read_samples(const uint8_t[::1] data not None, track not None, mdats, uint64_t file_size):
    cdef Py_ssize_t start, end
    cdef Table stts, ctts, stss, stsc, chunks
    cdef Sizes sizes
    cdef const uint8_t* p
    cdef int width = 4
    start, end = track.tables
    if not 0 <= start < end <= data.shape[0]:
        raise BoxError("bad_box", start, "the tables are outside of the data")
    p = &data[0]
    _sizes(p, start, end, file_size, &sizes)
    for found, name in (
        (_table(p, start, end, cc(b"stts"), 8, &stts), "stts"),
        (_table(p, start, end, cc(b"stsc"), 12, &stsc), "stsc"),
    ):
        if not found:
            raise BoxError("bad_table", start, f"no {name}")
    if not _table(p, start, end, cc(b"stco"), 4, &chunks):
        width = 8
        if not _table(p, start, end, cc(b"co64"), 8, &chunks):
            raise BoxError("bad_table", start, "neither stco nor co64")
    if _sum(&stts) != sizes.count:
        raise BoxError(
            "bad_table", stts.box.start, f"stts covers {_sum(&stts)} samples of {sizes.count}"
        )
    if not _table(p, start, end, cc(b"ctts"), 8, &ctts):
        ctts.count = 0
    elif _sum(&ctts) > sizes.count:
        raise BoxError(
            "bad_table", ctts.box.start, f"ctts covers {_sum(&ctts)} samples of {sizes.count}"
        )
    if chunks.count and (stsc.count == 0 or load32(stsc.rows) != 1):
        raise BoxError("bad_table", stsc.box.start, "stsc does not start at chunk 1")
    synced = _table(p, start, end, cc(b"stss"), 4, &stss)
    cdef Samples samples = Samples(sizes.count)
    if sizes.count:
        _fill_sizes(&sizes, samples.size)
        _fill_times(&stts, samples.dts, samples.duration)
        _fill_cto(&ctts, samples.cto)
        _fill_sync(&stss, synced, samples.sync)
        _fill_offsets(&stsc, &chunks, width, _Holes(mdats), samples.size, samples.offset, track)
    return samples
