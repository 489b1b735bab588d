"""Box headers: the walk that everything else stands on (ISO/IEC 14496-12:2022, 4.2)."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from native.bmff.errors import BoxError
from native.bmff.model import Box

from native.bmff.reader cimport Reader, load32, load64

MAX_DEPTH = 16  # TR-1
MAX_LISTED = 4096  # items of a list that becomes objects; real headers hold dozens

CONTAINERS = frozenset(
    "moov trak edts mdia minf dinf stbl mvex moof traf mfra udta tref sinf schi".split()
)


cdef str fourcc(uint32_t kind):
    cdef char[4] name
    name[0] = <char>(kind >> 24)
    name[1] = <char>(kind >> 16)
    name[2] = <char>(kind >> 8)
    name[3] = <char>kind
    return name[:4].decode("latin-1")


cdef object as_box(Span span):
    return Box(fourcc(span.kind), span.start, span.body, span.end)


cdef int whole(Reader* r, Span box) except -1:
    """Raise if a read went past the end of its box."""
    if r.cut:
        raise BoxError("bad_box", box.start, f"{fourcc(box.kind)} is shorter than its fields")
    return 0


cdef int put(list found, object item, Span box) except -1:
    """Append; a list of tiny items must not become many times its bytes in objects."""
    if len(found) == MAX_LISTED:
        raise BoxError("bad_table", box.start, f"more than {MAX_LISTED} items in {fourcc(box.kind)}")
    found.append(item)
    return 0


cdef bint next_box(
    const uint8_t* data, Py_ssize_t start, Py_ssize_t end, bint top, Span* out
) except -1:
    """Read the header at `start`; False at the end of the parent."""
    cdef Py_ssize_t left = end - start
    cdef uint64_t size
    cdef int header = 8
    if left == 0:
        return False
    if left < 8:
        if not top and left == 4 and load32(data + start) == 0:
            return False  # QuickTime closes udta with a zero word (TR-1)
        raise BoxError("truncated" if top else "bad_box", start, "a box header needs 8 bytes")
    out.kind = load32(data + start + 4)
    size = load32(data + start)
    if size == 1:
        header = 16
        if left < 16:
            raise BoxError("truncated" if top else "bad_box", start, "a large box needs 16 bytes")
        size = load64(data + start + 8)
    elif size == 0 and top:
        size = <uint64_t>left
    if size < <uint64_t>header:
        raise BoxError(
            "bad_box", start, f"{fourcc(out.kind)!r} declares {size} bytes, less than its header"
        )
    if size > <uint64_t>left:
        raise BoxError(
            "truncated" if top else "bad_box",
            start,
            f"{fourcc(out.kind)!r} declares {size} bytes where {left} are left",
        )
    out.start = start
    out.body = start + header
    out.end = start + <Py_ssize_t>size
    return True


cdef bint find_box(
    const uint8_t* data, Py_ssize_t start, Py_ssize_t end, uint32_t kind, Span* out
) except -1:
    """The first child of that kind between `start` and `end`."""
    while next_box(data, start, end, False, out):
        if out.kind == kind:
            return True
        start = out.end
    return False


cdef int _level(
    const uint8_t* data, Py_ssize_t start, Py_ssize_t end, int depth, list found
) except -1:
    cdef Span span
    if depth > MAX_DEPTH:
        raise BoxError("bad_box", start, f"boxes nest deeper than {MAX_DEPTH} levels")
    while next_box(data, start, end, depth == 0, &span):
        box = as_box(span)
        found.append((depth, box))
        if box.kind in CONTAINERS:
            _level(data, span.body, span.end, depth + 1, found)
        start = span.end
    return 0


def walk(const uint8_t[::1] data not None, Py_ssize_t start=0, end=None):
    cdef Py_ssize_t stop = data.shape[0] if end is None else end
    cdef Span span
    cdef list found = []
    if not 0 <= start <= stop <= data.shape[0]:
        raise BoxError("bad_box", start, "walk outside of the data")
    if start == stop:
        return found
    while next_box(&data[0], start, stop, True, &span):
        found.append(as_box(span))
        start = span.end
    return found


def tree(const uint8_t[::1] data not None):
    cdef list found = []
    if data.shape[0]:
        _level(&data[0], 0, data.shape[0], 0, found)
    return found
