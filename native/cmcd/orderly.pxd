"""The C face of Orderly: a set as slots, one a key, without a Python object."""

from libc.stdint cimport int64_t, uint64_t

from native.cmcd.scan cimport Cursor

cdef enum:
    MAX_ROWS = 64
    MAX_WORDS = 32

cdef enum Kind:
    INTEGER
    BOOLEAN
    STRING
    TOKEN
    INTEGERS
    STRINGS

cdef struct Row:
    uint64_t code  # the name's characters, the last one lowest
    Kind kind
    bint event_only
    Py_ssize_t max_chars
    int64_t grid
    uint64_t words[MAX_WORDS]
    int word_count

cdef struct Slot:
    int64_t least  # of a number, a boolean, a word's code or a list's numbers
    int64_t most
    int count  # of a list
    const char* start  # of a text, of a list's first text, or of a list's numbers
    Py_ssize_t length

cdef struct Set:
    uint64_t present  # bit n: slot n is filled
    Slot slots[MAX_ROWS]


cdef class Orderly:
    cdef Row _rows[MAX_ROWS]
    cdef int _count
    cdef list _names
    cdef list _words
    cdef object _make
    cdef Py_ssize_t _max_chars
    cdef Py_ssize_t _max_list
    cdef int64_t _version
    cdef int _version_row

    cdef int row(self, str name) except -1
    cdef bint capture(self, const char* start, Py_ssize_t size, bint event, Set* found) noexcept nogil
    cdef bint _capture_value(self, Cursor* cursor, Row* row, Slot* slot) noexcept nogil
    cdef bint _capture_list(self, Cursor* cursor, Row* row, Slot* slot) noexcept nogil
    cdef object _value(self, Cursor* cursor, int row)
    cdef object _one(self, Cursor* cursor, int row, Kind kind)
    cdef object _list(self, Cursor* cursor, int row, bint strings)
    cdef object _with_params(self, Cursor* cursor, object value)
