"""Sample entries of stsd (ISO/IEC 14496-12:2022, 8.5.2 and 12; QuickTime sound versions 1 and 2)."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from native.bmff.errors import BoxError
from native.bmff.model import Colour, Protection, SampleEntry

from native.bmff.boxes cimport Span, find_box, fourcc, next_box, whole
from native.bmff.reader cimport Reader, cc, reader, rest, skip, u8, u16, u32

CONFIGS = frozenset(  # decoder configuration boxes
    "avcC hvcC vvcC av1C vpcC esds dac3 dec3 dac4 dOps dfLa alac mhaC vttC dvcC dvvC".split()
)
_VISUAL = 70  # bytes of VisualSampleEntry after reserved[6] and data_reference_index, 12.1.3
_SOUND = {0: 20, 1: 36, 2: 56}  # by sound description version, QTFF "Sound Sample Descriptions"


cdef int _length(Reader* r) noexcept:
    """An expandable size (ISO/IEC 14496-1, 8.3.3): 7 bits a byte, at most 4 bytes."""
    cdef int size = 0, i
    cdef uint8_t byte
    for i in range(4):
        byte = u8(r)
        size = (size << 7) | (byte & 0x7F)
        if not byte & 0x80:
            break
    return size


cdef tuple _descriptors(const uint8_t* data, Span box):
    """objectTypeIndication and DecoderSpecificInfo of an esds (ISO/IEC 14496-14, 6.7.2)."""
    cdef Reader r = reader(data, box.body, box.end)
    cdef uint8_t flags, kind, object_type = 0
    cdef int size
    skip(&r, 4)
    if u8(&r) != 3:  # ES_DescrTag
        whole(&r, box)
        raise BoxError("bad_box", box.start, "esds does not start with an ES_Descriptor")
    _length(&r)
    skip(&r, 2)
    flags = u8(&r)
    if flags & 0x80:
        skip(&r, 2)
    if flags & 0x40:
        skip(&r, u8(&r))
    if flags & 0x20:
        skip(&r, 2)
    if u8(&r) != 4:  # DecoderConfigDescrTag
        whole(&r, box)
        raise BoxError("bad_box", box.start, "esds has no DecoderConfigDescriptor")
    _length(&r)
    object_type = u8(&r)
    skip(&r, 12)
    whole(&r, box)
    if r.at == r.end:
        return object_type, b""
    kind = u8(&r)
    size = _length(&r)
    if kind != 5:  # DecSpecificInfoTag
        return object_type, b""
    if size > r.end - r.at:
        raise BoxError("bad_box", box.start, "DecoderSpecificInfo passes the end of esds")
    return object_type, data[r.at:r.at + size]


cdef tuple _protection(const uint8_t* data, Span box):
    """Original format and Protection of a sinf (8.12)."""
    cdef Span child, inner
    cdef str original = "", scheme = ""
    cdef bytes kid = b""
    cdef Py_ssize_t at = box.body
    while next_box(data, at, box.end, False, &child):
        if child.kind == cc(b"frma") and child.end - child.body >= 4:
            original = data[child.body:child.body + 4].decode("latin-1")
        elif child.kind == cc(b"schm") and child.end - child.body >= 8:
            scheme = data[child.body + 4:child.body + 8].decode("latin-1")
        elif child.kind == cc(b"schi"):
            if find_box(data, child.body, child.end, cc(b"tenc"), &inner):
                if inner.end - inner.body < 24:
                    raise BoxError("bad_box", inner.start, "tenc is shorter than its fields")
                kid = data[inner.body + 8:inner.body + 24]
        at = child.end
    return original, Protection(scheme, kid)


cdef int _children(
    const uint8_t* data, Py_ssize_t at, Py_ssize_t end, bint in_wave, dict found
) except -1:
    """Fill `found` with SampleEntry fields from the boxes inside an entry, or inside its wave."""
    cdef Span box
    cdef Reader r
    while next_box(data, at, end, False, &box):
        name = fourcc(box.kind)
        r = reader(data, box.body, box.end)
        if name in CONFIGS and not found.get("config_kind"):
            found["config_kind"] = name
            found["config"] = rest(&r)
            if name == "esds":
                found["object_type"], found["setup"] = _descriptors(data, box)
        elif name == "wave" and not in_wave:  # one level: QuickTime's decompression parameters
            _children(data, box.body, box.end, True, found)
        elif name == "pasp":
            found["pixel_aspect"] = (u32(&r), u32(&r))
        elif name == "colr":
            kind = fourcc(u32(&r))
            if kind in ("nclx", "nclc"):
                found["colour"] = Colour(
                    u16(&r), u16(&r), u16(&r), kind == "nclx" and u8(&r) >> 7 == 1
                )
        elif name == "btrt":
            skip(&r, 4)
            found["max_bitrate"] = u32(&r)
            found["avg_bitrate"] = u32(&r)
        elif name == "sinf":
            original, found["protection"] = _protection(data, box)
            found["fourcc"] = original or found["fourcc"]
        whole(&r, box)
        at = box.end
    return 0


cdef object sample_entry(const uint8_t* data, Span box, bint audio, bint video):
    cdef Reader r = reader(data, box.body, box.end)
    cdef dict found = {"fourcc": fourcc(box.kind), "data": data[box.start:box.end]}
    cdef Py_ssize_t fields
    skip(&r, 8)
    fields = r.at
    if video:
        skip(&r, 16)
        found["width"] = u16(&r)
        found["height"] = u16(&r)
        r.at = fields
        skip(&r, _VISUAL)
    elif audio:
        version = u16(&r)
        skip(&r, 6)
        found["channels"] = u16(&r)
        skip(&r, 6)
        found["sample_rate"] = u32(&r) >> 16
        r.at = fields
        skip(&r, _SOUND.get(version, _SOUND[0]))
    whole(&r, box)
    if audio or video:
        _children(data, r.at, box.end, False, found)
    return SampleEntry(**found)
