"""Bodies of CMCD events into columns of Arrow's layout, without a Python object for a record."""

from cpython.bytearray cimport PyByteArray_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from native.cmcd.orderly cimport MAX_ROWS, Kind, Orderly, Set, Slot
from native.cmcd.scan cimport authority

cdef enum:
    MAX_BYTES = 1 << 30  # offsets are 32 bits

TEXTS = (Kind.STRING, Kind.TOKEN, Kind.STRINGS)

cdef struct Column:
    int row
    bint word
    bint text
    uint8_t* valid  # a bit a record
    int64_t* numbers
    int32_t* offsets
    char* data
    int32_t used
    Py_ssize_t reached  # the record whose offset is the last that was written

cdef struct Last:  # the host of the record before, which most others share
    const char* start
    Py_ssize_t length
    int32_t place


cdef inline Py_ssize_t _spell(uint64_t code, char* into) noexcept nogil:
    """The letters of a word's code."""
    cdef Py_ssize_t length = 0
    cdef int shift = 56
    while shift >= 0:
        if code >> shift & 0xFF:
            into[length] = <char>(code >> shift & 0xFF)
            length += 1
        shift -= 8
    return length


cdef inline Py_ssize_t _bare(const char* start, Py_ssize_t length) noexcept nogil:
    """A text up to its query or fragment; 0 for one with user information (CM-33)."""
    cdef Py_ssize_t at
    for at in range(length):
        if start[at] == b"?" or start[at] == b"#":
            return at
        if start[at] == b"@":
            return 0
    return length


cdef inline void _reach(Column* column, Py_ssize_t at) noexcept nogil:
    """Records before `at` that were silent have no text; where none has any, all is 0 as it is."""
    if column.used:
        while column.reached < at:
            column.reached += 1
            column.offsets[column.reached] = column.used
    column.reached = at


cdef void _append(Column* column, Slot* slot, Py_ssize_t at) noexcept nogil:
    cdef Py_ssize_t length
    column.valid[at >> 3] |= <uint8_t>(1 << (at & 7))
    if not column.text:
        column.numbers[at] = slot.most
        return
    _reach(column, at)
    if column.word:
        column.used += <int32_t>_spell(<uint64_t>slot.most, column.data + column.used)
    else:
        length = _bare(slot.start, slot.length)
        memcpy(column.data + column.used, slot.start, length)
        column.used += <int32_t>length
    _reach(column, at + 1)


cdef int32_t _hosted(Set* found, int url, int host, dict places, Last* last) except -1:
    """The place of the host of a record's URL, else of its `h`: a new one where it is first met."""
    cdef Slot* slot
    cdef const char* start = NULL
    cdef Py_ssize_t length = 0
    if found.present >> url & 1:
        slot = &found.slots[url]
        start = authority(slot.start, slot.start + slot.length, &length)
    if not length and found.present >> host & 1:
        slot = &found.slots[host]
        start, length = slot.start, slot.length
    if length != last.length or (length and memcmp(start, last.start, length)):
        name = start[:length]
        last.place = places.setdefault(name, len(places))
        last.start, last.length = start, length
    return last.place


cdef bytearray _room(Py_ssize_t size):
    """Room that nobody has written to."""
    return PyByteArray_FromStringAndSize(NULL, size)


def read(Orderly orderly not None, names, bytes body not None, list ends not None):
    cdef Column columns[MAX_ROWS]
    cdef Set found
    cdef const char* base = body
    cdef const char* at = base
    cdef const char* end = base + len(body)
    cdef const char* stop
    cdef const char* last
    cdef Py_ssize_t most = body.count(b"\n") + len(ends) + 1, count = 0, frame = 0
    cdef int width = 0, each
    cdef uint8_t[::1] valid
    cdef int64_t[::1] numbers
    cdef int32_t[::1] offsets
    cdef char[::1] data
    cdef int32_t[::1] whence, places
    cdef dict made = {}
    cdef list odd = []
    cdef dict hosts = {b"": 0}
    cdef Last host = Last(NULL, 0, 0)
    cdef int url_row = orderly.row("url"), host_row = orderly.row("h")
    if len(body) > MAX_BYTES or len(names) > MAX_ROWS:
        raise ValueError("more than fits one table")
    for name in names:
        row = orderly.row(name)
        kind = orderly._rows[<int>row].kind
        text = kind in TEXTS
        buffers = (
            bytearray((most + 7) // 8),
            bytearray(4 * (most + 1) if text else 8 * most),
            _room(0 if not text else 8 * most if kind == Kind.TOKEN else len(body)),
        )
        made[name] = buffers
        columns[width].row, columns[width].text, columns[width].word = row, text, kind == Kind.TOKEN
        columns[width].used, columns[width].reached = 0, 0
        valid = buffers[0]
        columns[width].valid = &valid[0]
        if text:
            offsets = memoryview(buffers[1]).cast("i")
            columns[width].offsets = &offsets[0]
            columns[width].data = NULL
            if len(buffers[2]):
                data = memoryview(buffers[2]).cast("c")
                columns[width].data = &data[0]
        else:
            numbers = memoryview(buffers[1]).cast("q")
            columns[width].numbers = &numbers[0]
        width += 1
    of_frames, of_hosts = _room(4 * most), _room(4 * most)
    whence, places = memoryview(of_frames).cast("i"), memoryview(of_hosts).cast("i")
    for limit in ends:
        if not at - base <= limit <= len(body):
            raise ValueError("frames end in their order")
        last = base + <Py_ssize_t>limit
        while at < last:
            stop = <const char*>memchr(at, b"\n", last - at)
            if stop == NULL:
                stop = last
            if stop > at and stop[-1] == b"\r":
                stop -= 1
            if orderly.capture(at, stop - at, True, &found):
                for each in range(width):
                    if found.present >> columns[each].row & 1:
                        _append(&columns[each], &found.slots[columns[each].row], count)
                whence[count] = <int32_t>frame
                places[count] = _hosted(&found, url_row, host_row, hosts, &host)
                count += 1
            elif stop > at:
                odd.append((frame, at[:stop - at]))
            at = stop + 1 if stop < last and stop[0] == b"\n" else stop + 2
        at = last
        frame += 1
    for each in range(width):
        if columns[each].text:
            _reach(&columns[each], count)
    return count, made, of_frames, of_hosts, [name.decode() for name in hosts], odd
