# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""Strict CBOR within limits (RFC 8949; specs/cat.md CAT-5, CAT-11, CAT-120).

Rules of the file
1. A declared length is compared with the bytes left before it is believed.
2. Shortest forms only: ints, lengths, floats; no indefinite length, save for a lenient decoder. No NaN,
   infinity, negative zero from anybody.
3. Map order is kept and not checked; keys are ints, texts, byte strings and arrays of them.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.math cimport INFINITY, floor, frexp, isfinite, ldexp, signbit
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from native.cat.errors import CborError

from native.cat.tag cimport new_tag

cdef extern from "Python.h":
    str PyUnicode_DecodeUTF8(const char* text, Py_ssize_t size, const char* errors)

cdef enum:  # major types, RFC 8949 3.1
    UINT = 0
    NINT = 1
    BYTES = 2
    TEXT = 3
    ARRAY = 4
    MAP = 5
    TAG = 6
    SIMPLE = 7
    INDEFINITE = 31  # additional information, RFC 8949 3.2
    BREAK = 0xFF


cdef inline uint64_t left(const Reader* reader) noexcept:
    return <uint64_t>(reader.end - reader.at)


cdef int number(Reader* reader, int size, uint64_t* value) except -1:
    """The next `size` bytes, big-endian."""
    cdef uint64_t read = 0
    cdef int i
    if <uint64_t>size > left(reader):
        raise CborError("declared length is beyond the end")
    for i in range(size):
        read = read << 8 | reader.data[reader.at + i]
    reader.at += size
    value[0] = read
    return 0


cdef int head(Reader* reader, uint64_t* argument) except -1:
    """Major type of the next item, with its argument; for simple values the additional info."""
    cdef uint64_t first, value
    cdef int major, info, size
    number(reader, 1, &first)
    major, info = <int>(first >> 5), <int>(first & 31)
    argument[0] = <uint64_t>info
    reader.open = False
    if major == SIMPLE or info < 24:
        return major
    if info == INDEFINITE and reader.lenient and BYTES <= major <= MAP:
        reader.open = True
        return major
    if info > 27:
        raise CborError("indefinite or reserved length")
    size = 1 << (info - 24)
    number(reader, size, &value)
    if not reader.lenient and (value < 24 or (size > 1 and value >> (4 * size) == 0)):
        raise CborError("not the shortest form")
    argument[0] = value
    return major


cdef bytes take(Reader* reader, uint64_t size):
    if size > left(reader):
        raise CborError("declared length is beyond the end")
    cdef bytes taken = PyBytes_FromStringAndSize(
        <const char*>(reader.data + reader.at), <Py_ssize_t>size
    )
    reader.at += <Py_ssize_t>size
    return taken


cdef bint ended(Reader* reader) except -1:
    """Whether an item of indefinite length ends here; the break is then behind."""
    if reader.at == reader.end:
        raise CborError("an item of indefinite length does not end")
    if reader.data[reader.at] != BREAK:
        return False
    reader.at += 1
    return True


cdef bint can_be_key(object value) noexcept:
    """Kinds that never compare equal across kinds."""
    if type(value) is tuple:
        for item in <tuple>value:
            if not is_label(item):
                return False
        return True
    return is_label(value)


cdef inline bint is_label(object value) noexcept:
    return type(value) is int or type(value) is str or type(value) is bytes


cdef bint fits_half(double value) noexcept:
    """Whether binary16 holds the value: 11 significant bits, none below 2^-24, at most 65,504."""
    cdef int exponent, step
    cdef double scaled
    frexp(value, &exponent)
    if exponent > 16:
        return False
    step = exponent - 11 if exponent - 11 > -24 else -24
    scaled = ldexp(value, -step)
    return floor(scaled) == scaled


cdef double half(uint64_t bits) noexcept:
    cdef int exponent = <int>(bits >> 10 & 31)
    cdef double fraction = <double>(bits & 1023)
    cdef double value
    if exponent == 0:
        value = ldexp(fraction, -24)
    elif exponent == 31:
        value = INFINITY
    else:
        value = ldexp(fraction + 1024, exponent - 25)
    return -value if bits >> 15 else value


cdef object floating(Reader* reader, int info):
    cdef uint64_t bits
    cdef uint32_t bits32
    cdef double value
    cdef float single
    number(reader, 1 << (info - 24), &bits)
    if info == 25:
        value = half(bits)
    elif info == 26:
        bits32 = <uint32_t>bits
        memcpy(&single, &bits32, 4)
        value = single
    else:
        memcpy(&value, &bits, 8)
    if not isfinite(value) or (value == 0 and signbit(value)):
        raise CborError("not a finite number, or negative zero")
    if not reader.lenient and (
        (info > 25 and fits_half(value)) or (info > 26 and <double><float>value == value)
    ):
        raise CborError("float is not in its shortest form")
    return value


cdef object simple(Reader* reader, int info):
    if info == 20:
        return False
    if info == 21:
        return True
    if info == 22:
        return None
    if info < 25 or info > 27:
        raise CborError("reserved or unassigned simple value")
    return floating(reader, info)


cdef class Decoder:
    def __init__(
        self, int depth, int items, int map_pairs, int array_items, int text_bytes, bint lenient=False
    ):
        self.depth = depth
        self.items = items
        self.map_pairs = map_pairs
        self.array_items = array_items
        self.text_bytes = text_bytes
        self.lenient = lenient

    def decode(self, bytes data not None):
        return self.whole(data)

    cdef object whole(self, bytes data):
        cdef Reader reader
        reader.data = data
        reader.at = 0
        reader.end = len(data)
        reader.items, reader.lenient = 0, self.lenient
        value = self.item(&reader, 0)
        if reader.at != reader.end:
            raise CborError("trailing bytes")
        return value

    cdef int count(self, Reader* reader, int depth) except -1:
        reader.items += 1
        if depth > self.depth or reader.items > self.items:
            raise CborError("too deep or too many items")
        return 0

    cdef object item(self, Reader* reader, int depth):
        cdef uint64_t argument
        cdef int major
        self.count(reader, depth)
        major = head(reader, &argument)
        if major == UINT:
            return argument
        if major == NINT:
            return -1 - <object>argument
        if major == BYTES:
            return self.octets(reader, argument, depth)
        if major == TEXT:
            return self.text(reader, argument, depth)
        if major == ARRAY:
            return self.array(reader, argument, depth)
        if major == MAP:
            return self.pairs(reader, argument, depth)
        if major == TAG:
            return new_tag(argument, self.item(reader, depth + 1))
        return simple(reader, <int>argument)

    cdef bytes octets(self, Reader* reader, uint64_t size, int depth):
        """The byte string whose head was just read."""
        return self.chunks(reader, BYTES, depth) if reader.open else take(reader, size)

    cdef bytes chunks(self, Reader* reader, int major, int depth):
        """A string of indefinite length: whole strings of its own type (RFC 8949 3.2.3)."""
        cdef list found = []
        cdef uint64_t size
        while not ended(reader):
            self.count(reader, depth + 1)
            if head(reader, &size) != major or reader.open:
                raise CborError("a chunk is no string of its kind")
            if major == BYTES:
                found.append(take(reader, size))
            else:
                found.append(self.text(reader, size, depth).encode())
        return b"".join(found)

    cdef str text(self, Reader* reader, uint64_t size, int depth):
        cdef str text
        cdef bytes whole
        if reader.open:
            whole = self.chunks(reader, TEXT, depth)
            if len(whole) > self.text_bytes:
                raise CborError("text too long")
            return whole.decode()
        if size > <uint64_t>self.text_bytes:
            raise CborError("text too long")
        if size > left(reader):
            raise CborError("declared length is beyond the end")
        try:
            text = PyUnicode_DecodeUTF8(
                <const char*>(reader.data + reader.at), <Py_ssize_t>size, NULL
            )
        except UnicodeDecodeError:
            raise CborError("text is not UTF-8") from None
        reader.at += <Py_ssize_t>size
        return text

    cdef object array(self, Reader* reader, uint64_t count, int depth):
        cdef Py_ssize_t i
        cdef list open_values
        if reader.open:
            open_values = []
            while not ended(reader):
                if len(open_values) == self.array_items:
                    raise CborError("array too long")
                open_values.append(self.item(reader, depth + 1))
            return tuple(open_values)
        if count > <uint64_t>self.array_items or count > left(reader):
            raise CborError("array too long")
        cdef tuple values = PyTuple_New(<Py_ssize_t>count)
        for i in range(<Py_ssize_t>count):
            value = self.item(reader, depth + 1)
            Py_INCREF(value)
            PyTuple_SET_ITEM(values, i, value)
        return values

    cdef dict pairs(self, Reader* reader, uint64_t count, int depth):
        cdef dict result = {}
        cdef Py_ssize_t i
        if reader.open:
            while not ended(reader):
                if len(result) == self.map_pairs:
                    raise CborError("map too long")
                self.pair(reader, depth, result)
            return result
        if count > <uint64_t>self.map_pairs or count > left(reader) // 2:
            raise CborError("map too long")
        for i in range(<Py_ssize_t>count):
            self.pair(reader, depth, result)
        return result

    cdef int pair(self, Reader* reader, int depth, dict result) except -1:
        key = self.item(reader, depth + 1)
        if not can_be_key(key) or key in result:
            raise CborError("map key is doubled or of a kind that labels nothing")
        result[key] = self.item(reader, depth + 1)
        return 0
