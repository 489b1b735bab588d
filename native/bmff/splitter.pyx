# cython: auto_pickle=False
"""Cut an endless stream of bytes into the units of a CMAF track.

Rules of the file
1. A header is refused as soon as its 8 or 16 bytes are there: nothing is kept for a box that may not come.
2. Bytes are kept as the pieces they came in and joined once, when their unit is complete; crumbs are
   joined before, so that a drip costs no more memory than a gush.
3. A unit ends with its moov (header), its mdat (chunk) or its mfra (end). What stands before belongs to it.
4. After a fault nothing more is taken: behind a broken box there is no next one.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from native.bmff.errors import BoxError
from native.bmff.model import Unit

from native.bmff.boxes cimport fourcc
from native.bmff.reader cimport cc, load32, load64


cdef Py_ssize_t CRUMB_BYTES = 4096


cdef bint _padding(uint32_t kind) noexcept:
    return kind == cc(b"free") or kind == cc(b"skip") or kind == cc(b"wide")


cdef class Splitter:
    cdef uint64_t _max_bytes
    cdef uint64_t _unit_bytes  # declared so far by the boxes of this unit
    cdef uint64_t _left  # body bytes of the open box still to come
    cdef uint64_t _offset  # of the open box in the stream
    cdef uint8_t[16] _head
    cdef int _head_bytes
    cdef uint32_t _kind
    cdef bint _moof
    cdef bint _bare  # nothing but padding since the last unit
    cdef bint _broken
    cdef list _pieces

    def __init__(self, max_bytes=64 << 20):
        self._max_bytes = max_bytes
        self._unit_bytes = self._left = self._offset = 0
        self._head_bytes = 0
        self._kind = 0
        self._moof = self._broken = False
        self._bare = True
        self._pieces = []

    def feed(self, bytes piece not None):
        cdef const uint8_t* data = piece
        cdef Py_ssize_t at = 0, start = 0, size = len(piece), part
        cdef list units = []
        if self._broken:
            raise BoxError("bad_box", self._offset, "the stream was broken before")
        while at < size:
            if self._left:
                part = <Py_ssize_t>min(self._left, <uint64_t>(size - at))
                at += part
                self._left -= <uint64_t>part
            else:
                self._head[self._head_bytes] = data[at]
                self._head_bytes += 1
                at += 1
                self._broken = True
                opened = self._open()
                self._broken = False
                if not opened:
                    continue
            if self._left == 0 and self._head_bytes == 0:
                name = self._close()
                if name is not None:
                    self._keep(piece[start:at])
                    start = at
                    units.append(Unit(name, self._join()))
        if start < size:
            self._keep(piece[start:])
        return units

    def finish(self):
        if self._head_bytes or self._left or not self._bare:
            raise BoxError("truncated", self._offset, "the stream ends inside a unit")

    @property
    def pending_bytes(self):
        return sum(map(len, self._pieces))

    cdef int _keep(self, bytes part) except -1:
        cdef list pieces = self._pieces
        if pieces and len(<bytes>pieces[-1]) + len(part) <= CRUMB_BYTES:
            pieces[-1] = <bytes>pieces[-1] + part
        else:
            pieces.append(part)
        return 0

    cdef bint _open(self) except -1:
        """Judge the open header if it is complete; True when it is."""
        cdef uint64_t size
        cdef int header = 8
        if self._head_bytes < 8:
            return False
        size = load32(self._head)
        if size == 1:
            header = 16
            if self._head_bytes < 16:
                return False
            size = load64(self._head + 8)
        self._kind = load32(self._head + 4)
        if size < <uint64_t>header:
            raise BoxError(
                "bad_box", self._offset, f"{fourcc(self._kind)!r} declares {size} bytes"
            )
        if size > self._max_bytes - self._unit_bytes:
            raise BoxError(
                "too_large",
                self._offset,
                f"{fourcc(self._kind)!r} declares {size} bytes, the limit of a unit is "
                f"{self._max_bytes}",
            )
        self._in_order()
        self._unit_bytes += size
        self._left = size - <uint64_t>header
        self._head_bytes = 0
        self._offset += size
        return True

    cdef int _in_order(self) except -1:
        cdef uint32_t kind = self._kind
        if kind == cc(b"mdat"):
            if not self._moof:
                raise BoxError("bad_box", self._offset, "mdat without a moof before it")
        elif self._moof and not _padding(kind):
            raise BoxError("bad_box", self._offset, f"{fourcc(kind)!r} between moof and mdat")
        elif kind == cc(b"moof"):
            self._moof = True
        if not _padding(kind):
            self._bare = False
        return 0

    cdef object _close(self):
        """The kind of unit that the box just completed ends, or None."""
        if self._kind == cc(b"mdat"):
            return "chunk"
        if self._kind == cc(b"moov"):
            return "header"
        if self._kind == cc(b"mfra"):
            return "end"
        return None

    cdef bytes _join(self):
        cdef bytes data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        self._unit_bytes = 0
        self._moof = False
        self._bare = True
        return data
