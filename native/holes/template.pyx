# cython: auto_pickle=False
"""A text with numbered holes (manifest-proxy MP-40)."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.number cimport PyNumber_Index
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy


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
        cdef void* grown
        if value >= VALUES:
            raise ValueError("a template has fewer values")
        if self.marked == self.marks_room:
            grown = realloc(self.marks, (2 * self.marked + 4) * sizeof(Mark))
            if grown == NULL:
                raise MemoryError
            self.marks = <Mark*>grown
            self.marks_room = 2 * self.marked + 4
        self.marks[self.marked] = Mark(self.length, value)
        self.marked += 1
        self.uses[value] += 1
        return 0

    cdef int append(self, Template other) except -1:
        """Append the text and the holes of another template."""
        cdef size_t at = 0, index
        for index in range(other.marked):
            self.put(other.text + at, other.marks[index].at - at)
            self.hole(other.marks[index].value)
            at = other.marks[index].at
        return self.put(other.text + at, other.length - at)

    def render(self, *values):
        cdef const uint8_t* data[VALUES]
        cdef size_t sizes[VALUES]
        cdef size_t total = self.length, at = 0, index, size
        cdef bytes value
        if len(values) > VALUES:
            raise ValueError("more values than a template can have")
        for index in range(<size_t>VALUES):
            sizes[index] = 0
            if index < <size_t>len(values):
                value = values[index]
                data[index] = <const uint8_t*>PyBytes_AS_STRING(value)
                sizes[index] = PyBytes_GET_SIZE(value)
                total += self.uses[index] * sizes[index]
        rendered = PyBytes_FromStringAndSize(NULL, total)
        cdef uint8_t* out = <uint8_t*>PyBytes_AS_STRING(rendered)
        for index in range(self.marked):
            size = self.marks[index].at - at
            memcpy(out, self.text + at, size)
            out += size
            at += size
            size = sizes[self.marks[index].value]
            memcpy(out, data[self.marks[index].value], size)
            out += size
        memcpy(out, self.text + at, self.length - at)
        return rendered

    @property
    def size(self):
        return self.length

    @property
    def holes(self):
        return self.marked
