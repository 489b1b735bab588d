# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""Numbers of many samples in few bytes: what the VOD index stores (TR-41).

A column is a constant, a palette of at most 256 values with one byte a row, or plain rows of two,
four or eight bytes, whichever is smallest. All little-endian, padded to 8 bytes.
"""

import struct
from array import array

from cpython cimport array as c_array
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from native.bmff.errors import BoxError

cdef enum:
    CONSTANT = 0
    PALETTE = 1
    U16 = 2
    I32 = 4
    I64 = 8
    HEAD_BYTES = 24

_HEAD = struct.Struct("<IIQq")  # kind, palette size, rows, constant or base
MAX_ROWS = 1 << 25  # above TR-6's samples of one track

ctypedef fused number:
    int32_t
    int64_t
    uint8_t
    uint32_t


cdef int _width(int kind) noexcept:
    return 1 if kind == PALETTE else kind


def pack(const number[::1] values not None):
    cdef Py_ssize_t i, rows = values.shape[0]
    cdef int64_t low = 0, high = 0, value
    cdef dict palette = {}
    cdef bytearray body
    cdef uint8_t* p
    if rows:
        low = high = <int64_t>values[0]
    for i in range(rows):
        value = <int64_t>values[i]
        low = min(low, value)
        high = max(high, value)
        if len(palette) <= 256 and (i == 0 or values[i] != values[i - 1]):
            palette.setdefault(value, len(palette))
    if low == high:
        return _HEAD.pack(CONSTANT, 0, rows, low)
    cdef int kind
    if len(palette) <= 256 and 8 * len(palette) + rows < 2 * rows:
        kind = PALETTE
    elif low >= 0 and high < 1 << 16:
        kind = U16
    elif low >= -(<int64_t>1 << 31) and high < (<int64_t>1 << 31):
        kind = I32
    else:
        kind = I64
    table = struct.pack(f"<{len(palette)}q", *palette) if kind == PALETTE else b""
    body = bytearray((rows * _width(kind) + 7) // 8 * 8)
    p = body
    for i in range(rows):
        value = <int64_t>values[i]
        if kind == PALETTE:
            p[i] = palette[value]
        elif kind == U16:
            (<uint16_t*>p)[i] = <uint16_t>value
        elif kind == I32:
            (<int32_t*>p)[i] = <int32_t>value
        else:
            (<int64_t*>p)[i] = value
    return _HEAD.pack(kind, len(table) // 8, rows, 0) + table + bytes(body)


cdef class Column:
    def __init__(self, const uint8_t[::1] data not None, Py_ssize_t at):
        if at < 0 or at % 8 or at > data.shape[0] - HEAD_BYTES:
            raise BoxError("bad_table", at, "a column outside of the index")
        kind, colours, rows, self.constant = _HEAD.unpack_from(data, at)
        if kind not in (CONSTANT, PALETTE, U16, I32, I64) or colours > 256 or rows > MAX_ROWS:
            raise BoxError("bad_table", at, "an unknown kind of column, or too long")
        self.kind, self.colours = kind, colours
        self.data, self.at = data, at + HEAD_BYTES
        need = 8 * colours + (rows * _width(kind) + 7) // 8 * 8
        if need > data.shape[0] - self.at:
            raise BoxError("bad_table", at, f"a column of {rows} rows passes the index")
        self.rows = rows
        self.end = self.at + <Py_ssize_t>need

    cdef int copy(self, Py_ssize_t start, Py_ssize_t stop, int64_t* to) except -1:
        """Rows start..stop, of which `to` has room."""
        cdef const uint8_t* p = &self.data[0] + self.at
        cdef const uint8_t* rows = p + 8 * self.colours
        cdef Py_ssize_t i
        if not 0 <= start <= stop <= self.rows:
            raise BoxError("bad_table", start, "rows outside of the column")
        for i in range(start, stop):
            if self.kind == CONSTANT:
                to[i - start] = self.constant
            elif self.kind == PALETTE:
                if rows[i] >= self.colours:
                    raise BoxError("bad_table", i, "a value outside of the palette")
                to[i - start] = (<const int64_t*>p)[rows[i]]
            elif self.kind == U16:
                to[i - start] = (<const uint16_t*>p)[i]
            elif self.kind == I32:
                to[i - start] = (<const int32_t*>p)[i]
            else:
                to[i - start] = (<const int64_t*>p)[i]
        return 0

    def slice(self, Py_ssize_t start, Py_ssize_t stop):
        cdef c_array.array out = c_array.clone(<c_array.array>array("q"), max(stop - start, 0), zero=False)
        self.copy(start, stop, <int64_t*>out.data.as_longlongs)
        return out
