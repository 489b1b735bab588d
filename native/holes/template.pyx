# cython: auto_pickle=False
"""A text with numbered holes (manifest-proxy MP-40), and with choices (MP-21)."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.number cimport PyNumber_Index
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

cdef extern from "<string.h>" nogil:
    void* memmem(const void* hay, size_t hay_size, const void* needle, size_t needle_size)


cdef int digit(uint8_t octet) noexcept nogil:
    """The value of a hexadecimal digit in lower case, or -1."""
    if 48 <= octet <= 57:
        return octet - 48
    return octet - 87 if 97 <= octet <= 102 else -1


cdef inline size_t slot(size_t value, const uint8_t* bits) noexcept nogil:
    """What fills a hole: a value, or the text for 0 or 1 of a bit; the first bit is the highest of
    the first byte.
    """
    if value < VALUES:
        return value
    value -= VALUES
    return VALUES if bits == NULL else VALUES + (bits[value >> 3] >> (7 - (value & 7)) & 1)


@cython.final
cdef class Template:
    def __cinit__(self, pieces=()):
        for piece in pieces:
            if isinstance(piece, bytes):
                self.put(piece, len(<bytes>piece))
            elif isinstance(piece, Template):
                self.append(piece)
            else:
                self.hole(PyNumber_Index(piece))

    def __dealloc__(self):
        free(self.text)
        free(self.marks)

    cdef int put(self, const uint8_t* data, size_t size) except -1:
        cdef void* grown
        if size > self.room - self.length:
            grown = realloc(self.text, 2 * (self.length + size))
            if grown == NULL:
                raise MemoryError
            self.text = <uint8_t*>grown
            self.room = 2 * (self.length + size)
        memcpy(self.text + self.length, data, size)
        self.length += size
        return 0

    cdef int hole(self, size_t value) except -1:
        if value >= VALUES:
            raise ValueError("a template has fewer values")
        self.uses[value] += 1
        return self.mark(value)

    cdef int mark(self, size_t value) except -1:
        cdef void* grown
        if self.marked == self.marks_room:
            grown = realloc(self.marks, (2 * self.marked + 4) * sizeof(Mark))
            if grown == NULL:
                raise MemoryError
            self.marks = <Mark*>grown
            self.marks_room = 2 * self.marked + 4
        self.marks[self.marked] = Mark(self.length, value)
        self.marked += 1
        return 0

    cdef int append(self, Template other) except -1:
        """Append the text and the holes of another template."""
        cdef size_t at = 0, index
        for index in range(other.marked):
            self.put(other.text + at, other.marks[index].at - at)
            self.mark(other.marks[index].value)
            at = other.marks[index].at
        for index in range(<size_t>VALUES):
            self.uses[index] += other.uses[index]
        return self.put(other.text + at, other.length - at)

    def choosing(self, bytes sign not None):
        cdef Template made = Template()
        cdef const uint8_t* text = self.text
        cdef const uint8_t* found
        cdef size_t at = 0, index, until, width = len(sign) + 2
        cdef int high, low
        for index in range(self.marked + 1):
            until = self.length if index == self.marked else self.marks[index].at
            while until - at >= width:
                found = <const uint8_t*>memmem(
                    text + at, until - at - 2, <const char*>sign, len(sign)
                )
                if found == NULL:
                    break
                high, low = digit(found[width - 2]), digit(found[width - 1])
                if high < 0 or low < 0:  # somebody else's text
                    made.put(text + at, found + 1 - text - at)
                    at = found + 1 - text
                    continue
                made.put(text + at, found - text - at)
                made.mark(VALUES + 16 * high + low)
                at = found - text + width
            made.put(text + at, until - at)
            at = until
            if index < self.marked:
                made.mark(self.marks[index].value)
        for index in range(<size_t>VALUES):
            made.uses[index] = self.uses[index]
        return made

    def render(self, *values):
        return self.filled(values, NULL, b"", b"")

    def chosen(self, bytes pattern not None, bytes zero not None, bytes one not None, *values):
        if 8 * len(pattern) != CHOICES:
            raise ValueError("a pattern has another length")
        return self.filled(values, pattern, zero, one)

    cdef bytes filled(self, tuple values, const uint8_t* bits, bytes zero, bytes one):
        """The text with its holes filled; without `bits` all choices are `zero`."""
        cdef const uint8_t* data[VALUES + 2]
        cdef size_t sizes[VALUES + 2]
        cdef size_t total = self.length, at = 0, index, size, value
        cdef bytes text
        if len(values) > VALUES:
            raise ValueError("more values than a template can have")
        for index in range(<size_t>VALUES):
            sizes[index] = 0
            if index < <size_t>len(values):
                text = values[index]
                data[index] = <const uint8_t*>PyBytes_AS_STRING(text)
                sizes[index] = PyBytes_GET_SIZE(text)
                total += self.uses[index] * sizes[index]
        data[<size_t>VALUES] = <const uint8_t*>PyBytes_AS_STRING(zero)
        data[VALUES + 1] = <const uint8_t*>PyBytes_AS_STRING(one)
        sizes[<size_t>VALUES], sizes[VALUES + 1] = PyBytes_GET_SIZE(zero), PyBytes_GET_SIZE(one)
        if bits != NULL:
            for index in range(self.marked):
                if self.marks[index].value >= VALUES:
                    total += sizes[slot(self.marks[index].value, bits)]
        rendered = PyBytes_FromStringAndSize(NULL, total)
        cdef uint8_t* out = <uint8_t*>PyBytes_AS_STRING(rendered)
        for index in range(self.marked):
            size = self.marks[index].at - at
            memcpy(out, self.text + at, size)
            out += size
            at += size
            value = slot(self.marks[index].value, bits)
            if sizes[value]:
                memcpy(out, data[value], sizes[value])
                out += sizes[value]
        memcpy(out, self.text + at, self.length - at)
        return rendered

    @property
    def size(self):
        return self.length

    @property
    def holes(self):
        return self.marked
