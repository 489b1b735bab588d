"""One pass over a CMCD set that is in perfect order; the first oddity ends it with None."""

cimport cython
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport int64_t, uint64_t

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    bint PyUnicode_IS_ASCII(object text)

cdef enum:
    MAX_ROWS = 64
    MAX_KEY = 8
    MAX_DIGITS = 15  # RFC 9651 section 3.3.1

cdef enum Kind:
    INTEGER
    BOOLEAN
    STRING
    TOKEN
    INTEGERS
    STRINGS

KINDS = {
    "integer": INTEGER,
    "boolean": BOOLEAN,
    "string": STRING,
    "token": TOKEN,
    "integers": INTEGERS,
    "strings": STRINGS,
}

cdef struct Row:
    uint64_t code  # the name's characters, the last one lowest
    Kind kind
    bint event_only
    Py_ssize_t max_chars
    int64_t grid

cdef struct Cursor:
    const char* at
    const char* end


cdef inline bint _take(Cursor* cursor, char character) noexcept:
    if cursor.at < cursor.end and cursor.at[0] == character:
        cursor.at += 1
        return True
    return False


cdef inline uint64_t _name(Cursor* cursor) noexcept:
    """The code of a short lower-case name, 0 for any other."""
    cdef uint64_t code = 0
    cdef int length = 0
    while cursor.at < cursor.end and b"a" <= cursor.at[0] <= b"z":
        code = (code << 8) | <unsigned char>cursor.at[0]
        cursor.at += 1
        length += 1
    return code if length <= MAX_KEY else 0


cdef inline int64_t _integer(Cursor* cursor) noexcept:
    """A number that is not negative, -1 for none."""
    cdef int64_t value = 0
    cdef const char* start = cursor.at
    while cursor.at < cursor.end and b"0" <= cursor.at[0] <= b"9":
        if cursor.at - start == MAX_DIGITS:
            return -1
        value = value * 10 + (cursor.at[0] - 48)
        cursor.at += 1
    if cursor.at == start or (cursor.at < cursor.end and cursor.at[0] == b"."):
        return -1
    return value


cdef inline bint _plain(char character) noexcept:
    return b" " <= character <= b"~" and character != b'"' and character != b"\\"


cdef object _string(Cursor* cursor, Py_ssize_t max_chars):
    """A quoted text without escapes, None for any other."""
    cdef const char* start
    if not _take(cursor, b'"'):
        return None
    start = cursor.at
    while cursor.at < cursor.end and _plain(cursor.at[0]):
        cursor.at += 1
    if cursor.at - start > max_chars or not _take(cursor, b'"'):
        return None
    return PyUnicode_DecodeASCII(start, cursor.at - 1 - start, NULL)


cdef object _word(Cursor* cursor):
    """A token of lower-case letters, None for any other."""
    cdef const char* start = cursor.at
    while cursor.at < cursor.end and b"a" <= cursor.at[0] <= b"z":
        cursor.at += 1
    if cursor.at == start:
        return None
    return PyUnicode_DecodeASCII(start, cursor.at - start, NULL)


@cython.final
@cython.auto_pickle(False)
cdef class Orderly:
    cdef Row _rows[MAX_ROWS]
    cdef int _count
    cdef list _names
    cdef list _words
    cdef object _make
    cdef Py_ssize_t _max_chars
    cdef Py_ssize_t _max_list
    cdef int64_t _version

    def __init__(self, rows, make, *, max_chars, max_list, version):
        self._make = make
        self._max_chars = max_chars
        self._max_list = max_list
        self._version = version
        self._names = []
        self._words = []
        self._count = 0
        for name, kind, event_only, most, grid, words in rows:
            if self._count == MAX_ROWS or not 0 < len(name) <= MAX_KEY:
                raise ValueError("more or longer keys than there is room for")
            self._rows[self._count] = Row(
                int.from_bytes(name.encode(), "big"), KINDS[kind], event_only, most, grid
            )
            self._names.append(name)
            self._words.append(frozenset(words))
            self._count += 1

    def read(self, str text not None, bint event):
        cdef Py_ssize_t size = 0
        cdef Cursor cursor
        cdef uint64_t code
        cdef int row = 0, tries
        cdef dict found = {}
        if not PyUnicode_IS_ASCII(text):
            return None
        cursor.at = PyUnicode_AsUTF8AndSize(text, &size)
        cursor.end = cursor.at + size
        if not 0 < size <= self._max_chars:
            return None
        while True:
            code = _name(&cursor)
            for tries in range(self._count):  # keys are in order: the next is near
                if self._rows[row].code == code:
                    break
                row = row + 1 if row + 1 < self._count else 0
            else:
                return None
            if self._rows[row].event_only and not event:
                return None
            value = self._value(&cursor, row)
            if value is None:
                return None
            found[self._names[row]] = value
            if cursor.at == cursor.end:
                return found if found.get("v") == self._version else None
            if not _take(&cursor, b",") or cursor.at == cursor.end:
                return None

    cdef object _value(self, Cursor* cursor, int row):
        cdef Kind kind = self._rows[row].kind
        if kind == BOOLEAN:
            if not _take(cursor, b"="):
                return True if self._ends(cursor) else None
            if not _take(cursor, b"?"):
                return None
            if _take(cursor, b"1"):
                return True if self._ends(cursor) else None
            return False if _take(cursor, b"0") and self._ends(cursor) else None
        if not _take(cursor, b"="):
            return None
        if kind == INTEGERS or kind == STRINGS:
            return self._list(cursor, row, kind == STRINGS)
        value = self._one(cursor, row, kind)
        return value if self._ends(cursor) else None

    cdef bint _ends(self, Cursor* cursor) noexcept:
        return cursor.at == cursor.end or cursor.at[0] == b","

    cdef object _one(self, Cursor* cursor, int row, Kind kind):
        cdef int64_t number
        if kind == INTEGER:
            number = _integer(cursor)
            return None if number < 0 or number % self._rows[row].grid else number
        if kind == STRING:
            return _string(cursor, self._rows[row].max_chars)
        word = _word(cursor)
        return word if word in <frozenset>self._words[row] else None

    cdef object _list(self, Cursor* cursor, int row, bint strings):
        """An inner list of values, each with no parameters but true ones."""
        cdef list found = []
        if not _take(cursor, b"("):
            return None
        while True:
            value = self._one(cursor, row, STRING if strings else INTEGER)
            if value is None or len(found) == self._max_list:
                return None
            if cursor.at < cursor.end and cursor.at[0] == b";":
                value = self._with_params(cursor, value)
                if value is None:
                    return None
            found.append(value)
            if _take(cursor, b")"):
                return found if self._ends(cursor) else None
            if not _take(cursor, b" "):
                return None

    cdef object _with_params(self, Cursor* cursor, object value):
        cdef dict params = {}
        while _take(cursor, b";"):
            name = _word(cursor)
            if name is None:
                return None
            params[name] = True
        return self._make(value, params)
