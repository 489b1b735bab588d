"""ftyp and moov to a Movie (ISO/IEC 14496-12:2022, 8.1 to 8.8)."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from native.bmff.errors import BoxError
from native.bmff.model import Defaults, Edit, Kind, Movie, Track

from native.bmff.boxes cimport Span, find_box, fourcc, next_box, put, whole
from native.bmff.entry cimport sample_entry
from native.bmff.reader cimport Reader, cc, line, reader, skip, u8, u16, u32, u64

_MAX_TRACKS = 256


cdef tuple _times(const uint8_t* data, Span box):
    """Timescale and duration of mvhd or mdhd (8.2.2, 8.4.2), and the offset of what follows."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef bint wide = u8(&r) == 1
    skip(&r, 19 if wide else 11)
    timescale = u32(&r)
    duration = u64(&r) if wide else u32(&r)
    whole(&r, box)
    if timescale == 0:
        raise BoxError("bad_box", box.start, f"{fourcc(box.kind)} has timescale 0")  # TR-8
    return timescale, duration, r.at


cdef str _language(const uint8_t* data, Py_ssize_t at, Py_ssize_t end):
    """Three packed letters of mdhd; zero and other nonsense mean undetermined (TR-11)."""
    if end - at < 2:
        return "und"
    cdef uint32_t packed = (<uint32_t>data[at] << 8) | data[at + 1]
    letters = "".join(chr(0x60 + (packed >> shift & 31)) for shift in (10, 5, 0))
    return letters if letters.isalpha() else "und"


cdef tuple _edits(const uint8_t* data, Span box):
    """elst (8.6.6)."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef bint wide = u8(&r) == 1
    cdef uint32_t count
    cdef uint64_t duration
    cdef int64_t media_time
    cdef list edits = []
    skip(&r, 3)
    count = u32(&r)
    whole(&r, box)
    if <uint64_t>count * (20 if wide else 12) > <uint64_t>(r.end - r.at):
        raise BoxError("bad_table", box.start, f"elst of {count} entries in {r.end - r.at} bytes")
    for _ in range(count):
        duration = u64(&r) if wide else u32(&r)
        media_time = <int64_t>u64(&r) if wide else <int32_t>u32(&r)
        put(edits, Edit(duration, media_time, u32(&r)), box)
    return tuple(edits)


cdef tuple _kinds(const uint8_t* data, Span box):
    """udta/kind (8.10.4)."""
    cdef Span child
    cdef Reader r
    cdef Py_ssize_t at = box.body
    cdef list kinds = []
    while next_box(data, at, box.end, False, &child):
        if child.kind == cc(b"kind"):
            r = reader(data, child.body, child.end)
            skip(&r, 4)
            scheme, value = line(&r), line(&r)
            put(kinds, Kind(scheme.decode("utf-8", "replace"), value.decode("utf-8", "replace")), box)
        at = child.end
    return tuple(kinds)


cdef tuple _entries(const uint8_t* data, Span box, str handler):
    """stsd (8.5.2)."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef Span entry
    cdef list entries = []
    skip(&r, 4)
    count = u32(&r)
    whole(&r, box)
    at = r.at
    while next_box(data, at, box.end, False, &entry):
        if len(entries) == count:
            break
        put(entries, sample_entry(data, entry, handler == "soun", handler == "vide"), box)
        at = entry.end
    if len(entries) != count or not entries:
        raise BoxError("bad_table", box.start, f"stsd of {count} entries holds {len(entries)}")
    return tuple(entries)


cdef _need(const uint8_t* data, Span parent, uint32_t kind, Span* out):
    if not find_box(data, parent.body, parent.end, kind, out):
        raise BoxError("bad_box", parent.start, f"{fourcc(parent.kind)} without {fourcc(kind)}")


cdef int _header(const uint8_t* data, Span box, dict found) except -1:
    """tkhd (8.3.2)."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef bint wide = u8(&r) == 1
    cdef Py_ssize_t matrix
    skip(&r, 2)
    found["enabled"] = u8(&r) & 1 == 1
    skip(&r, 16 if wide else 8)
    found["id"] = u32(&r)
    skip(&r, 4 + (8 if wide else 4) + 8 + 2)
    found["alternate_group"] = u16(&r)
    skip(&r, 4)
    matrix = r.at
    skip(&r, 36)
    found["width"] = u32(&r) >> 16
    found["height"] = u32(&r) >> 16
    whole(&r, box)
    found["matrix"] = data[matrix : matrix + 36]
    return 0


cdef int _media(const uint8_t* data, Span mdia, dict found) except -1:
    """mdhd, hdlr, elng and the sample description under mdia (8.4)."""
    cdef Span box, stbl
    cdef Reader r
    _need(data, mdia, cc(b"mdhd"), &box)
    found["timescale"], found["duration"], after = _times(data, box)
    found["language"] = _language(data, after, box.end)
    if find_box(data, mdia.body, mdia.end, cc(b"elng"), &box):
        r = reader(data, box.body, box.end)
        skip(&r, 4)
        found["language"] = line(&r).decode("ascii", "replace") or "und"
    _need(data, mdia, cc(b"hdlr"), &box)
    r = reader(data, box.body, box.end)
    skip(&r, 8)
    found["handler"] = fourcc(u32(&r))
    whole(&r, box)
    _need(data, mdia, cc(b"minf"), &box)
    _need(data, box, cc(b"stbl"), &stbl)
    found["tables"] = (stbl.body, stbl.end)
    _need(data, stbl, cc(b"stsd"), &box)
    found["entries"] = _entries(data, box, found["handler"])
    return 0


cdef dict _track(const uint8_t* data, Span trak):
    cdef Span box, child
    cdef dict found = {}
    cdef Py_ssize_t at = trak.body
    _need(data, trak, cc(b"tkhd"), &box)
    _header(data, box, found)
    _need(data, trak, cc(b"mdia"), &box)
    _media(data, box, found)
    while next_box(data, at, trak.end, False, &box):
        if box.kind == cc(b"edts") and find_box(data, box.body, box.end, cc(b"elst"), &child):
            found["edits"] = _edits(data, child)
        elif box.kind == cc(b"udta"):
            found["kinds"] = _kinds(data, box)
        elif box.kind == cc(b"tref"):
            found["references"] = _references(data, box)
        at = box.end
    return found


cdef tuple _references(const uint8_t* data, Span box):
    cdef Span child
    cdef Py_ssize_t at = box.body
    cdef list names = []
    while next_box(data, at, box.end, False, &child):
        put(names, fourcc(child.kind), box)
        at = child.end
    return tuple(names)


cdef dict _defaults(const uint8_t* data, Span mvex):
    """trex by track id (8.8.3)."""
    cdef Span box
    cdef Reader r
    cdef Py_ssize_t at = mvex.body
    cdef dict found = {}
    while next_box(data, at, mvex.end, False, &box):
        if box.kind == cc(b"trex"):
            r = reader(data, box.body, box.end)
            skip(&r, 4)
            track_id = u32(&r)
            found[track_id] = Defaults(u32(&r), u32(&r), u32(&r), u32(&r))
            whole(&r, box)
        at = box.end
    return found


cdef tuple _brands(const uint8_t* data, Span box):
    """ftyp or styp (4.3): major brand first, minor version left out."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef list names = [fourcc(u32(&r))]
    skip(&r, 4)
    whole(&r, box)
    while r.end - r.at >= 4:
        put(names, fourcc(u32(&r)), box)
    return tuple(names)


def parse_init(const uint8_t[::1] data not None):
    cdef Span box, moov, child
    cdef const uint8_t* p
    cdef Py_ssize_t at = 0
    cdef tuple brands = ()
    cdef bint found = False
    if data.shape[0] == 0:
        raise BoxError("no_moov", 0, "no data")
    p = &data[0]
    while next_box(p, at, data.shape[0], True, &box):
        if box.kind == cc(b"ftyp") and not brands:
            brands = _brands(p, box)
        elif box.kind == cc(b"moov") and not found:
            moov = box
            found = True
        at = box.end
    if not found:
        raise BoxError("no_moov", 0, "there is no moov box")
    timescale = duration = 0
    defaults = None
    tracks = []
    pssh = []
    at = moov.body
    while next_box(p, at, moov.end, False, &child):
        if child.kind == cc(b"mvhd"):
            timescale, duration, _ = _times(p, child)
        elif child.kind == cc(b"trak"):
            if len(tracks) == _MAX_TRACKS:
                raise BoxError("bad_box", child.start, f"more than {_MAX_TRACKS} tracks")
            tracks.append(_track(p, child))
        elif child.kind == cc(b"mvex"):
            defaults = _defaults(p, child)
        elif child.kind == cc(b"pssh"):
            put(pssh, p[child.start:child.end], moov)
        at = child.end
    if timescale == 0:
        raise BoxError("bad_box", moov.start, "moov without mvhd")
    return Movie(
        brands=brands,
        timescale=timescale,
        duration=duration,
        tracks=tuple(
            Track(defaults=(defaults or {}).get(track["id"], Defaults()), **track)
            for track in tracks
        ),
        fragmented=defaults is not None,
        pssh=tuple(pssh),
    )
