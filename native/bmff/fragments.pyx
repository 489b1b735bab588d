# cython: auto_pickle=False
"""Samples of a fragmented file to flat arrays (ISO/IEC 14496-12:2022, 8.8; TR-3, TR-6, TR-24, TR-25).

Theory of operation
    A moof is read in one pass. Where its bytes lie: tfhd's base-data-offset, else the moof itself
    (default-base-is-moof), else the moof for the first traf and the end of the data before for the
    others. What a sample is: trun over tfhd over trex. Counts have their bytes before they are used;
    samples without any bytes in trun are bounded by the media that they claim.
"""

from bisect import bisect_right

from cpython cimport array as c_array
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from native.bmff.errors import BoxError
from native.bmff.boxes cimport Span, find_box, fourcc, next_box, whole
from native.bmff.reader cimport Reader, cc, reader, skip, u8, u32, u64
from native.bmff.tables cimport Samples

cdef enum:
    BASE_DATA_OFFSET = 0x1  # tfhd flags, 8.8.7
    DESCRIPTION = 0x2
    DURATION = 0x8
    SIZE = 0x10
    FLAGS = 0x20
    BASE_IS_MOOF = 0x20000

    DATA_OFFSET = 0x1  # trun flags, 8.8.8
    FIRST_FLAGS = 0x4
    SAMPLE_DURATION = 0x100
    SAMPLE_SIZE = 0x200
    SAMPLE_FLAGS = 0x400
    SAMPLE_CTO = 0x800

    MAX_SAMPLES = 16777216  # TR-6

cdef uint32_t NON_SYNC = 0x00010000  # sample_is_non_sync_sample, 8.8.3.1
cdef int64_t FARTHEST = (<int64_t>1) << 62


cdef class _Growing:
    """The columns of one track while they grow."""

    cdef c_array.array offset, size, dts, duration, cto, sync
    cdef Py_ssize_t count
    cdef int64_t end  # decode time after the last sample
    cdef object track

    def __init__(self, track, samples):
        self.track = track
        self.offset, self.size, self.dts = samples.offset[:], samples.size[:], samples.dts[:]
        self.duration, self.cto, self.sync = samples.duration[:], samples.cto[:], samples.sync[:]
        self.count = len(samples)
        self.end = self.dts[-1] + self.duration[-1] if self.count else 0

    cdef int room(self, uint32_t more, Span box) except -1:
        cdef c_array.array column
        if self.count + <uint64_t>more > MAX_SAMPLES:
            raise BoxError("bad_table", box.start, f"more than {MAX_SAMPLES} samples in one track")
        for column in (self.offset, self.size, self.dts, self.duration, self.cto, self.sync):
            c_array.resize_smart(column, self.count + more)
        return 0

    cdef int begin(self, int64_t time, Span box) except -1:
        """A fragment that decodes from `time` on."""
        cdef uint32_t[::1] duration
        if self.count == 0:
            self.end = time
        elif time < self.end:
            raise BoxError(
                "bad_table", box.start, f"tfdt {time} of track {self.track.id} is before {self.end}"
            )
        elif time > self.end:
            duration = self.duration
            if time - self.end > 0xFFFFFFFF - <int64_t>duration[self.count - 1]:
                raise BoxError("bad_table", box.start, f"tfdt {time} after {self.end}")
            duration[self.count - 1] += <uint32_t>(time - self.end)
            self.end = time
        return 0

    cdef object done(self):
        cdef Samples samples = Samples(0)
        samples.count = self.count
        samples.offset, samples.size, samples.dts = self.offset, self.size, self.dts
        samples.duration, samples.cto, samples.sync = self.duration, self.cto, self.sync
        return samples


cdef struct Fallback:
    uint32_t duration
    uint32_t size
    uint32_t flags
    bint based
    bint on_moof
    uint64_t base


cdef Fallback _tfhd(const uint8_t* data, Span box, dict tracks, list out) except *:
    """8.8.7; `out` gets the track's columns, or None for a track that moov does not have."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef uint32_t flags = u32(&r) & 0xFFFFFF, track_id = u32(&r), description = 1
    cdef Fallback d
    cdef _Growing growing = tracks.get(track_id)
    d.duration = d.size = d.flags = 0
    out[0] = growing
    if growing is not None:
        d.duration, d.size, d.flags = (
            growing.track.defaults.duration,
            growing.track.defaults.size,
            growing.track.defaults.flags,
        )
        description = growing.track.defaults.description
    d.based = flags & BASE_DATA_OFFSET != 0
    d.on_moof = flags & BASE_IS_MOOF != 0
    d.base = u64(&r) if d.based else 0
    if flags & DESCRIPTION:
        description = u32(&r)
    if description != 1 and growing is not None and not growing.track.goes_on(description):
        raise BoxError("resolution_change", box.start, "a fragment changes the description")
    if flags & DURATION:
        d.duration = u32(&r)
    if flags & SIZE:
        d.size = u32(&r)
    if flags & FLAGS:
        d.flags = u32(&r)
    whole(&r, box)
    if d.base >= <uint64_t>FARTHEST:
        raise BoxError("offset_out_of_file", box.start, "tfhd base-data-offset")
    return d


cdef int64_t _trun(
    const uint8_t* data, Span box, Fallback d, int64_t base, int64_t at, _Growing g, _Mdats mdats
) except -1:
    """8.8.8; the byte after the run's data. `at`: where data without an offset of its own lies."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef uint32_t flags = u32(&r) & 0xFFFFFF, count = u32(&r), i, size = d.size, own
    cdef uint32_t first = d.flags, sample_flags, length = d.duration
    cdef int width = 0
    cdef int64_t start
    if flags & DATA_OFFSET:
        at = base + <int32_t>u32(&r)
    if flags & FIRST_FLAGS:
        first = u32(&r)
    whole(&r, box)
    for bit in (SAMPLE_DURATION, SAMPLE_SIZE, SAMPLE_FLAGS, SAMPLE_CTO):
        if flags & bit:
            width += 4
    if <uint64_t>count * width > <uint64_t>(r.end - r.at):
        raise BoxError("bad_table", box.start, f"trun of {count} samples in {r.end - r.at} bytes")
    if count == 0:
        return at
    start = at
    if not flags & SAMPLE_SIZE:
        if size == 0 or not mdats.hold(start, start + <int64_t>count * size):
            raise BoxError("bad_table", box.start, f"{count} samples of {size} bytes are in no mdat")
    if g is None:
        for i in range(count):
            if flags & SAMPLE_DURATION:
                skip(&r, 4)
            at += u32(&r) if flags & SAMPLE_SIZE else size
            skip(&r, (4 if flags & SAMPLE_FLAGS else 0) + (4 if flags & SAMPLE_CTO else 0))
        return at
    g.room(count, box)
    cdef int64_t[::1] offsets = g.offset, times = g.dts
    cdef uint32_t[::1] sizes = g.size, durations = g.duration
    cdef int32_t[::1] ctos = g.cto
    cdef uint8_t[::1] syncs = g.sync
    cdef Py_ssize_t row = g.count
    for i in range(count):
        if flags & SAMPLE_DURATION:
            length = u32(&r)
        own = u32(&r) if flags & SAMPLE_SIZE else size
        sample_flags = u32(&r) if flags & SAMPLE_FLAGS else d.flags
        if i == 0 and flags & FIRST_FLAGS:
            sample_flags = first
        offsets[row], sizes[row], times[row], durations[row] = at, own, g.end, length
        ctos[row] = <int32_t>u32(&r) if flags & SAMPLE_CTO else 0  # version 0 too, TR-15
        syncs[row] = not sample_flags & NON_SYNC and (sample_flags >> 24 & 3) != 1
        at += own
        g.end += length
        row += 1
    g.count = row
    if not mdats.hold(start, at):
        raise BoxError("offset_out_of_file", box.start, f"a run at byte {start} is in no mdat")
    if g.end >= FARTHEST:
        raise BoxError("bad_table", box.start, "decode times pass all bounds")
    return at


cdef class _Mdats:
    """The mdat boxes: a run must lie inside one (TR-7)."""

    cdef list starts, ends

    def __init__(self, spans):
        spans = sorted(spans)
        self.starts, self.ends = [start for start, _ in spans], [end for _, end in spans]

    cdef bint hold(self, int64_t start, int64_t end) except -1:
        index = bisect_right(self.starts, start) - 1
        return index >= 0 and start <= end <= self.ends[index]


cdef int64_t _time(const uint8_t* data, Span traf, int64_t expected) except? -1:
    """tfdt (8.8.12), read as signed: writers put negative times there (TR-25)."""
    cdef Span box
    cdef Reader r
    cdef int64_t time
    if not find_box(data, traf.body, traf.end, cc(b"tfdt"), &box):
        return expected
    r = reader(data, box.body, box.end)
    cdef uint8_t version = u8(&r)
    skip(&r, 3)
    time = <int64_t>u64(&r) if version == 1 else <int64_t>u32(&r)
    whole(&r, box)
    if not -FARTHEST < time < FARTHEST:
        raise BoxError("bad_box", box.start, f"tfdt {time}")
    return time


cdef int _moof(const uint8_t[::1] moof, int64_t place, dict tracks, _Mdats mdats) except -1:
    cdef const uint8_t* p
    cdef Span whole_box, traf, box
    cdef Py_ssize_t at, inner
    cdef Fallback d
    cdef int64_t base, data_at, end = place
    cdef bint first = True
    cdef list out = [None]
    if moof.shape[0] < 8:
        raise BoxError("truncated", 0, "a moof is cut")
    p = &moof[0]
    if not next_box(p, 0, moof.shape[0], True, &whole_box) or whole_box.kind != cc(b"moof"):
        raise BoxError("bad_box", 0, f"{fourcc(whole_box.kind)} for a moof")
    at = whole_box.body
    while next_box(p, at, whole_box.end, False, &traf):
        at = traf.end
        if traf.kind != cc(b"traf"):
            continue
        if not find_box(p, traf.body, traf.end, cc(b"tfhd"), &box):
            raise BoxError("bad_box", traf.start, "traf without tfhd")
        d = _tfhd(p, box, tracks, out)
        base = <int64_t>d.base if d.based else place if d.on_moof or first else end
        data_at = base
        if out[0] is not None:
            (<_Growing>out[0]).begin(_time(p, traf, (<_Growing>out[0]).end), traf)
        inner = traf.body
        while next_box(p, inner, traf.end, False, &box):
            if box.kind == cc(b"trun"):
                data_at = _trun(p, box, d, base, data_at, <_Growing>out[0], mdats)
            inner = box.end
        end, first = data_at, False
    return 0


def read_fragments(moofs, tracks, begun, mdats):
    cdef dict growing = {track.id: _Growing(track, begun[track.id]) for track in tracks}
    cdef _Mdats media = _Mdats(mdats)
    for place, moof in moofs:
        try:
            _moof(moof, place, growing, media)
        except BoxError as error:
            raise BoxError(error.code, place + error.offset, error.detail) from None
    return {track_id: (<_Growing>g).done() for track_id, g in growing.items()}
