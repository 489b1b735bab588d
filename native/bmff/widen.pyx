# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""The head of a fragment with more boxes in it (ISO/IEC 14496-12:2022, 8.8)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from native.bmff.boxes cimport Span, find_box, next_box
from native.bmff.reader cimport cc, load32

from native.bmff.errors import BoxError

cdef enum:
    DATA_OFFSET = 0x1  # trun flags, 8.8.8


cdef void _add(uint8_t* at, Py_ssize_t more) noexcept:
    """Raise a big-endian number."""
    cdef uint32_t value = load32(at) + <uint32_t>more
    at[0], at[1], at[2], at[3] = value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255


cdef Span _moof(const uint8_t* data, Py_ssize_t size) except *:
    """The moof among what stands before the media."""
    cdef Span found
    cdef Py_ssize_t at = 0
    while at + 8 <= size:
        found.kind, found.start, found.body = load32(data + at + 4), at, at + 8
        found.end = at + load32(data + at)
        if found.end < found.body or found.end > size:
            break
        if found.kind == cc(b"moof"):
            return found
        at = found.end
    raise BoxError("bad_box", at, "a head without moof")


def widen(bytes head not None, bytes extra not None, Py_ssize_t aux_at, bytes tail not None):
    cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(head)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(head), more = PyBytes_GET_SIZE(extra), at
    cdef Py_ssize_t behind = PyBytes_GET_SIZE(tail)
    cdef Span moof = _moof(data, size), traf, child
    if not find_box(data, moof.body, moof.end, cc(b"traf"), &traf):
        raise BoxError("bad_box", moof.start, "a moof without traf")
    if aux_at >= 0 and aux_at > more - 4:
        raise BoxError("bad_box", aux_at, "an offset outside of the boxes")
    cdef bytes made = PyBytes_FromStringAndSize(NULL, size + more + behind)
    cdef uint8_t* out = <uint8_t*>PyBytes_AS_STRING(made)
    memcpy(out, data, traf.end)
    memcpy(out + traf.end, PyBytes_AS_STRING(extra), more)
    memcpy(out + traf.end + more, data + traf.end, moof.end - traf.end)
    memcpy(out + moof.end + more, PyBytes_AS_STRING(tail), behind)
    memcpy(out + moof.end + more + behind, data + moof.end, size - moof.end)
    _add(out + moof.start, more + behind)
    _add(out + traf.start, more)
    if aux_at >= 0:
        _add(out + traf.end + aux_at, traf.end - moof.start)
    at = traf.body
    while next_box(data, at, traf.end, False, &child):
        if child.kind == cc(b"trun") and child.end - child.body >= 12 and data[child.body + 3] & DATA_OFFSET:
            _add(out + child.body + 8, more + behind)
        at = child.end
    return made
