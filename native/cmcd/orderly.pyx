"""One pass over a CMCD set that is in perfect order; the first oddity ends it with None."""

cimport cython
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport int64_t, uint64_t

from native.cmcd.scan cimport MAX_KEY, Cursor, ends, integer, name, plain, take

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    bint PyUnicode_IS_ASCII(object text)

KINDS = {
    "integer": INTEGER,
    "boolean": BOOLEAN,
    "string": STRING,
    "token": TOKEN,
    "integers": INTEGERS,
    "strings": STRINGS,
}

cdef object _string(Cursor* cursor, Py_ssize_t max_chars):
    """A quoted text without escapes, None for any other."""
    cdef const char* start
    if not take(cursor, b'"'):
        return None
    start = cursor.at
    while cursor.at < cursor.end and plain(cursor.at[0]):
        cursor.at += 1
    if cursor.at - start > max_chars or not take(cursor, b'"'):
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


cdef uint64_t _code(str word) except 0:
    """A name's characters as a number, the last one lowest."""
    if not 0 < len(word) <= MAX_KEY:
        raise ValueError("a longer key or word than there is room for")
    return int.from_bytes(word.encode(), "big")


cdef inline bint _letters(Cursor* cursor) noexcept nogil:
    cdef const char* start = cursor.at
    while cursor.at < cursor.end and b"a" <= cursor.at[0] <= b"z":
        cursor.at += 1
    return cursor.at > start


cdef inline int64_t _number(Cursor* cursor, Row* row) noexcept nogil:
    """A number on the grid, -1 for any other."""
    cdef int64_t number = integer(cursor)
    return -1 if number < 0 or number % row.grid else number


cdef inline int64_t _listed(Cursor* cursor, Row* row) noexcept nogil:
    """The code of a word that the key knows, -1 for any other."""
    cdef uint64_t code = name(cursor)
    cdef int at
    for at in range(row.word_count):
        if row.words[at] == code:
            return <int64_t>code
    return -1


cdef inline bint _text(Cursor* cursor, Py_ssize_t max_chars, Slot* slot) noexcept nogil:
    """A quoted text without escapes."""
    if not take(cursor, b'"'):
        return False
    slot.start = cursor.at
    while cursor.at < cursor.end and plain(cursor.at[0]):
        cursor.at += 1
    slot.length = cursor.at - slot.start
    return slot.length <= max_chars and take(cursor, b'"')


@cython.final
@cython.auto_pickle(False)
cdef class Orderly:
    def __init__(self, rows, make, *, max_chars, max_list, version):
        cdef Row* row
        self._make = make
        self._max_chars = max_chars
        self._max_list = max_list
        self._version = version
        self._names = []
        self._words = []
        self._count = 0
        for key, kind, event_only, most, grid, words in rows:
            if self._count == MAX_ROWS or len(words) > MAX_WORDS:
                raise ValueError("more keys or words than there is room for")
            row = &self._rows[self._count]
            row.code, row.kind, row.event_only = _code(key), KINDS[kind], event_only
            row.max_chars, row.grid, row.word_count = most, grid, 0
            for word in words:
                row.words[row.word_count] = _code(word)
                row.word_count += 1
            self._names.append(key)
            self._words.append(frozenset(words))
            self._count += 1
        self._version_row = self.row("v")

    cdef int row(self, str name) except -1:
        """The place of a key."""
        return self._names.index(name)

    cdef bint capture(
        self, const char* start, Py_ssize_t size, bint event, Set* found
    ) noexcept nogil:
        """The same as `read`, into slots that point into the text; False for what it leaves."""
        cdef Cursor cursor
        cdef uint64_t code
        cdef int row = 0, tries
        cursor.at, cursor.end = start, start + size
        found.present = 0
        if not 0 < size <= self._max_chars:
            return False
        while True:
            code = name(&cursor)
            for tries in range(self._count):
                if self._rows[row].code == code:
                    break
                row = row + 1 if row + 1 < self._count else 0
            else:
                return False
            if self._rows[row].event_only and not event:
                return False
            if not self._capture_value(&cursor, &self._rows[row], &found.slots[row]):
                return False
            found.present |= <uint64_t>1 << row
            if cursor.at == cursor.end:
                return (
                    found.present >> self._version_row & 1
                    and found.slots[self._version_row].most == self._version
                )
            if not take(&cursor, b",") or cursor.at == cursor.end:
                return False

    cdef bint _capture_value(self, Cursor* cursor, Row* row, Slot* slot) noexcept nogil:
        cdef Kind kind = row.kind
        if kind == BOOLEAN:
            slot.most = 1
            if take(cursor, b"="):
                if not take(cursor, b"?"):
                    return False
                if not take(cursor, b"1"):
                    slot.most = 0
                    if not take(cursor, b"0"):
                        return False
            slot.least = slot.most
            return ends(cursor)
        if not take(cursor, b"="):
            return False
        if kind == INTEGERS or kind == STRINGS:
            return self._capture_list(cursor, row, slot)
        if kind == STRING:
            return _text(cursor, row.max_chars, slot) and ends(cursor)
        slot.most = _number(cursor, row) if kind == INTEGER else _listed(cursor, row)
        slot.least = slot.most
        return slot.most >= 0 and ends(cursor)

    cdef bint _capture_list(self, Cursor* cursor, Row* row, Slot* slot) noexcept nogil:
        cdef Slot text
        cdef int64_t number
        if not take(cursor, b"("):
            return False
        slot.count, slot.least, slot.most, slot.start = 0, 0, 0, cursor.at
        while slot.count < self._max_list:
            if row.kind == STRINGS:
                if not _text(cursor, row.max_chars, &text):
                    return False
                if not slot.count:
                    slot.start, slot.length = text.start, text.length
            else:
                number = _number(cursor, row)
                if number < 0:
                    return False
                slot.least = number if not slot.count or number < slot.least else slot.least
                slot.most = max(number, slot.most)
            slot.count += 1
            while take(cursor, b";"):
                if not _letters(cursor):
                    return False
            if take(cursor, b")"):
                if row.kind == INTEGERS:
                    slot.length = cursor.at - slot.start
                return ends(cursor)
            if not take(cursor, b" "):
                return False
        return False

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
            code = name(&cursor)
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
            if not take(&cursor, b",") or cursor.at == cursor.end:
                return None

    cdef object _value(self, Cursor* cursor, int row):
        cdef Kind kind = self._rows[row].kind
        if kind == BOOLEAN:
            if not take(cursor, b"="):
                return True if ends(cursor) else None
            if not take(cursor, b"?"):
                return None
            if take(cursor, b"1"):
                return True if ends(cursor) else None
            return False if take(cursor, b"0") and ends(cursor) else None
        if not take(cursor, b"="):
            return None
        if kind == INTEGERS or kind == STRINGS:
            return self._list(cursor, row, kind == STRINGS)
        value = self._one(cursor, row, kind)
        return value if ends(cursor) else None

    cdef object _one(self, Cursor* cursor, int row, Kind kind):
        cdef int64_t number
        if kind == INTEGER:
            number = integer(cursor)
            return None if number < 0 or number % self._rows[row].grid else number
        if kind == STRING:
            return _string(cursor, self._rows[row].max_chars)
        word = _word(cursor)
        return word if word in <frozenset>self._words[row] else None

    cdef object _list(self, Cursor* cursor, int row, bint strings):
        """An inner list of values, each with no parameters but true ones."""
        cdef list found = []
        if not take(cursor, b"("):
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
            if take(cursor, b")"):
                return found if ends(cursor) else None
            if not take(cursor, b" "):
                return None

    cdef object _with_params(self, Cursor* cursor, object value):
        cdef dict params = {}
        while take(cursor, b";"):
            param = _word(cursor)
            if param is None:
                return None
            params[param] = True
        return self._make(value, params)
