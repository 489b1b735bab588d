"""One CMAF chunk, judged and measured in a single pass (ISO/IEC 14496-12:2022, 8.8; C1, C7, TR-6)."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from native.bmff.errors import BoxError
from native.bmff.model import Chunk, Emsg, Prft

from native.bmff.boxes cimport Span, as_box, find_box, fourcc, next_box, put, whole
from native.bmff.reader cimport Reader, cc, line, reader, rest, skip, u8, u16, u32, u64

cdef enum:
    BASE_DATA_OFFSET = 0x1  # tfhd flags, 8.8.7
    DESCRIPTION = 0x2
    DURATION = 0x8
    SIZE = 0x10
    FLAGS = 0x20

    DATA_OFFSET = 0x1  # trun flags, 8.8.8
    FIRST_FLAGS = 0x4
    SAMPLE_DURATION = 0x100
    SAMPLE_SIZE = 0x200
    SAMPLE_FLAGS = 0x400
    SAMPLE_CTO = 0x800

    MAX_SAMPLES = 16777216  # TR-6

cdef uint32_t NON_SYNC = 0x00010000  # sample_is_non_sync_sample, 8.8.3.1


cdef struct Sums:
    uint64_t duration
    uint64_t bytes
    uint64_t samples
    int64_t earliest  # relative to the decode time
    uint32_t first_flags


cdef struct Fallback:
    uint32_t duration
    uint32_t size
    uint32_t flags


cdef int _trun(const uint8_t* data, Span box, Fallback d, Span moof, Span mdat, Sums* sums) except -1:
    cdef Reader r = reader(data, box.body, box.end)
    cdef uint32_t head = u32(&r), count = u32(&r), flags = head & 0xFFFFFF, i
    cdef uint32_t duration = d.duration, size = d.size, sample_flags = d.flags
    cdef int32_t offset, cto
    cdef int width = 0
    cdef int64_t at = <int64_t>sums.duration
    cdef uint64_t bytes_ = 0, room = <uint64_t>(mdat.end - mdat.body)
    cdef int64_t start
    if flags & DATA_OFFSET:
        offset = <int32_t>u32(&r)
        start = <int64_t>moof.start + offset
    else:
        start = <int64_t>mdat.body + <int64_t>sums.bytes
    if flags & FIRST_FLAGS:
        sample_flags = u32(&r)
    whole(&r, box)
    for bit in (SAMPLE_DURATION, SAMPLE_SIZE, SAMPLE_FLAGS, SAMPLE_CTO):
        if flags & bit:
            width += 4
    if <uint64_t>count * width > <uint64_t>(r.end - r.at):
        raise BoxError("bad_table", box.start, f"trun of {count} samples in {r.end - r.at} bytes")
    if sums.samples + count > MAX_SAMPLES:
        raise BoxError("bad_table", box.start, f"trun of {count} samples")
    if count == 0:
        return 0
    if not flags & SAMPLE_SIZE:
        bytes_ = <uint64_t>count * size
        if bytes_ > room:
            raise BoxError(
                "bad_table", box.start, f"{count} samples of {size} bytes in an mdat of {room}"
            )
    if width == 0:
        sums.earliest = min(sums.earliest, at)
        at += <int64_t>(<uint64_t>count * duration)
    else:
        for i in range(count):
            if flags & SAMPLE_DURATION:
                duration = u32(&r)
            if flags & SAMPLE_SIZE:
                bytes_ += u32(&r)
            if flags & SAMPLE_FLAGS:
                if i == 0 and not flags & FIRST_FLAGS:
                    sample_flags = u32(&r)
                else:
                    skip(&r, 4)
            cto = <int32_t>u32(&r) if flags & SAMPLE_CTO else 0  # version 0 too, TR-15
            if at + cto < sums.earliest:
                sums.earliest = at + cto
            at += duration
    if start < mdat.body or bytes_ > room or start > <int64_t>mdat.end - <int64_t>bytes_:
        raise BoxError("offset_out_of_file", box.start, "trun points outside of its mdat")
    if sums.samples == 0:
        sums.first_flags = sample_flags
    sums.duration = <uint64_t>at
    sums.bytes += bytes_
    sums.samples += count
    return 0


cdef Fallback _tfhd(const uint8_t* data, Span box, track) except *:
    cdef Reader r = reader(data, box.body, box.end)
    cdef uint32_t flags = u32(&r) & 0xFFFFFF, track_id = u32(&r)
    cdef Fallback d
    d.duration, d.size, d.flags = (
        track.defaults.duration, track.defaults.size, track.defaults.flags
    )
    if flags & BASE_DATA_OFFSET:
        raise BoxError("bad_box", box.start, "tfhd base-data-offset in a CMAF chunk")
    if flags & DESCRIPTION:
        skip(&r, 4)
    if flags & DURATION:
        d.duration = u32(&r)
    if flags & SIZE:
        d.size = u32(&r)
    if flags & FLAGS:
        d.flags = u32(&r)
    whole(&r, box)
    if track_id != track.id:
        raise BoxError("wrong_track", box.start, f"tfhd of track {track_id}, header of {track.id}")
    return d


cdef object _moof(const uint8_t* data, Span moof, Span mdat, track, dict found):
    cdef Span box, traf
    cdef Reader r
    cdef Fallback d
    cdef Sums sums
    cdef bint seen = False
    cdef Py_ssize_t at = moof.body
    cdef int64_t decode_time
    sums.duration = sums.bytes = sums.samples = 0
    sums.earliest = (<int64_t>1) << 62
    sums.first_flags = 0
    while next_box(data, at, moof.end, False, &box):
        if box.kind == cc(b"mfhd"):
            r = reader(data, box.body, box.end)
            skip(&r, 4)
            found["sequence"] = u32(&r)
            whole(&r, box)
        elif box.kind == cc(b"traf"):
            if seen:
                raise BoxError("bad_box", box.start, "more than one track in a CMAF chunk")
            seen = True
            traf = box
        at = box.end
    if not seen:
        raise BoxError("bad_box", moof.start, "moof without traf")
    if not find_box(data, traf.body, traf.end, cc(b"tfhd"), &box):
        raise BoxError("bad_box", traf.start, "traf without tfhd")
    d = _tfhd(data, box, track)
    if not find_box(data, traf.body, traf.end, cc(b"tfdt"), &box):
        raise BoxError("bad_box", traf.start, "traf without tfdt")
    r = reader(data, box.body, box.end)
    at = u8(&r)
    skip(&r, 3)
    decode_time = <int64_t>u64(&r) if at == 1 else <int64_t>u32(&r)
    whole(&r, box)
    if not 0 <= decode_time < <int64_t>1 << 62:
        raise BoxError("bad_box", box.start, "the decode time leaves no room for the samples")
    at = traf.body
    while next_box(data, at, traf.end, False, &box):
        if box.kind == cc(b"trun"):
            _trun(data, box, d, moof, mdat, &sums)
        at = box.end
    if sums.samples == 0:
        raise BoxError("bad_table", traf.start, "a chunk without samples")
    found.update(
        track_id=track.id,
        decode_time=decode_time,
        duration=sums.duration,
        samples=sums.samples,
        earliest_pts=decode_time + sums.earliest,
        independent=not sums.first_flags & NON_SYNC and (sums.first_flags >> 24 & 3) != 1,
    )


cdef object _emsg(const uint8_t* data, Span box):
    """ISO/IEC 23009-1, 5.10.3.3."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef uint8_t version = u8(&r)
    skip(&r, 3)
    if version == 0:
        scheme, value = line(&r), line(&r)
        timescale, time, duration, number = u32(&r), u32(&r), u32(&r), u32(&r)
    elif version == 1:
        timescale, time, duration, number = u32(&r), u64(&r), u32(&r), u32(&r)
        scheme, value = line(&r), line(&r)
    else:
        raise BoxError("bad_box", box.start, f"emsg version {version}")
    whole(&r, box)
    return Emsg(
        version, scheme.decode("utf-8", "replace"), value.decode("utf-8", "replace"),
        timescale, time, duration, number, rest(&r),
    )


cdef object _prft(const uint8_t* data, Span box):
    """8.16.5."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef uint32_t head = u32(&r)
    track_id, ntp = u32(&r), u64(&r)
    media_time = u64(&r) if head >> 24 else u32(&r)
    whole(&r, box)
    return Prft(track_id, ntp, media_time, head & 0xFFFFFF)


cdef tuple _brands(const uint8_t* data, Span box):
    """styp (4.3, 8.16.2), minor version left out."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef list names = [fourcc(u32(&r))]
    skip(&r, 4)
    whole(&r, box)
    while r.end - r.at >= 4:
        put(names, fourcc(u32(&r)), box)
    return tuple(names)


def parse_chunk(const uint8_t[::1] data not None, track not None):
    cdef Span box, moof, mdat
    cdef const uint8_t* p
    cdef Py_ssize_t at = 0
    cdef bint moofs = False, mdats = False
    cdef dict found = {"sequence": 0}
    cdef list events = []
    if data.shape[0] == 0:
        raise BoxError("truncated", 0, "no data")
    p = &data[0]
    while next_box(p, at, data.shape[0], True, &box):
        if box.kind == cc(b"moof"):
            if moofs:
                raise BoxError("bad_box", at, "more than one moof in a chunk")
            moof = box
            moofs = True
        elif box.kind == cc(b"mdat"):
            if mdats or not moofs:
                raise BoxError("bad_box", at, "a chunk is one moof and then one mdat")
            mdat = box
            mdats = True
        elif box.kind == cc(b"styp"):
            found["brands"] = _brands(p, box)
        elif box.kind == cc(b"emsg"):
            put(events, _emsg(p, box), box)
        elif box.kind == cc(b"prft"):
            found["prft"] = _prft(p, box)
        at = box.end
    if not mdats:
        raise BoxError("truncated", 0, "a chunk without mdat")
    _moof(p, moof, mdat, track, found)
    return Chunk(
        size=data.shape[0], moof=as_box(moof), mdat=as_box(mdat), emsgs=tuple(events), **found
    )
