# cython: auto_pickle=False
"""Elements and attributes by their byte spans (XML 1.0, fifth edition, sections 2.1 to 3.1).

A document is read once into rows; an `Element` is made of one when somebody looks at it.
"""

cimport cython
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp

from native.mpd.errors import SpanError

cdef enum:
    NAMES_KEPT = 64  # names found without a look-up; a power of two


cdef struct Row:
    size_t start, end
    size_t inner_start, inner_end
    size_t parent  # its own index where there is none
    size_t stop  # index behind the last row inside
    size_t name


cdef inline bint is_space(uint8_t octet) noexcept nogil:
    return octet == 32 or octet == 9 or octet == 10 or octet == 13


cdef inline bint begins_inside(uint8_t octet) noexcept nogil:
    """A template's identifier or a plain name: what needs no resolution to stay in its folder."""
    return (
        octet == 36 or octet == 95 or 48 <= octet <= 57 or 65 <= octet <= 90 or 97 <= octet <= 122
    )


cdef bint may_escape(const uint8_t* data, size_t at, size_t end) noexcept nogil:
    """Whether a reference may leave its folder: by a root, a scheme, a climb, or an entity that may
    stand for one (RFC 3986 section 4.2).
    """
    if at == end or not begins_inside(data[at]):
        return True
    for at in range(at, end):
        if data[at] == 58 or data[at] == 38 or data[at] == 46 and data[at + 1] == 46:
            return True
    return False


cdef Py_ssize_t past(
    const uint8_t* data, size_t at, size_t size, const char* mark, size_t mark_size
) except -1:
    """The offset behind the next `mark`."""
    cdef const void* found
    while at + mark_size <= size:
        found = memchr(data + at, mark[0], size - at - mark_size + 1)
        if found == NULL:
            break
        at = <size_t>(<const uint8_t*>found - data)
        if memcmp(data + at, mark, mark_size) == 0:
            return at + mark_size
        at += 1
    raise SpanError("xml_malformed", "markup does not close")


cdef Py_ssize_t past_tag(const uint8_t* data, size_t at, size_t size) except -1:
    """The offset behind the `>` of a start tag; quoted values may hold others."""
    cdef const void* found
    while at < size:
        if data[at] == 62:
            return at + 1
        if data[at] == 34 or data[at] == 39:
            found = memchr(data + at + 1, data[at], size - at - 1)
            if found == NULL:
                break
            at = <size_t>(<const uint8_t*>found - data)
        at += 1
    raise SpanError("xml_malformed", "a tag does not close")


cdef bint find_value(
    const uint8_t* data, Row* row, const uint8_t* name, size_t size, size_t* start, size_t* stop
) noexcept nogil:
    """Where the value of an attribute stands between its quotes."""
    cdef const void* found
    cdef size_t at = row.start, first, end = row.inner_start
    while at < end and not is_space(data[at]):
        at += 1
    while at < end:
        while at < end and is_space(data[at]):
            at += 1
        first = at
        while at < end and data[at] != 61 and not is_space(data[at]):
            at += 1
        stop[0] = at
        while at < end and data[at] != 34 and data[at] != 39:
            at += 1
        if at == end:
            break
        found = memchr(data + at + 1, data[at], end - at - 1)
        if found == NULL:
            break
        start[0] = at + 1
        at = <size_t>(<const uint8_t*>found - data)
        if stop[0] - first == size and memcmp(data + first, name, size) == 0:
            stop[0] = at
            return True
        at += 1
    return False


@cython.final
@cython.internal
@cython.no_gc
cdef class Tree:
    """A document's rows, in its order."""

    cdef bytes data
    cdef Row* rows
    cdef size_t count, room
    cdef list names
    cdef dict numbers  # of names
    cdef size_t[NAMES_KEPT] kept

    def __cinit__(self, bytes data not None):
        self.data, self.names, self.numbers = data, [""], {}

    def __dealloc__(self):
        free(self.rows)

    cdef size_t number(self, const uint8_t* text, size_t size) except 0:
        """Of a name; those that come again and again are told by a few of their octets."""
        cdef size_t slot = (size ^ text[0] ^ text[size - 1] << 2) % NAMES_KEPT if size else 0
        cdef size_t found = self.kept[slot]
        cdef bytes known
        if found:
            known = <bytes>self.names[found]
            if <size_t>len(known) == size and memcmp(<const uint8_t*>known, text, size) == 0:
                return found
        known = text[:size]
        found = self.numbers.setdefault(known, len(self.names))
        if found == <size_t>len(self.names):
            self.names.append(known)
        self.kept[slot] = found
        return found

    cdef Row* opened(self, size_t parent) except NULL:
        """A new row, behind all others."""
        cdef void* grown
        if self.count == self.room:
            grown = realloc(self.rows, (2 * self.room + 64) * sizeof(Row))
            if grown == NULL:
                raise MemoryError
            self.rows = <Row*>grown
            self.room = 2 * self.room + 64
        cdef Row* row = &self.rows[self.count]
        row.parent = parent
        self.count += 1
        return row

    cdef int read(self, size_t max_depth) except -1:
        cdef const uint8_t* text = self.data
        cdef const void* found
        cdef size_t at = 0, size = len(self.data), start, name_start, name_end, depth = 0, holder = 0
        cdef Row* row
        while True:
            found = memchr(text + at, 60, size - at)
            if found == NULL:
                break
            start = <size_t>(<const uint8_t*>found - text)
            if size - start < 3:
                raise SpanError("xml_malformed", "a tag does not close")
            if text[start + 1] == 33:
                if size - start >= 4 and memcmp(text + start, b"<!--", 4) == 0:
                    at = past(text, start + 4, size, b"-->", 3)
                elif size - start >= 9 and memcmp(text + start, b"<![CDATA[", 9) == 0:
                    at = past(text, start + 9, size, b"]]>", 3)
                else:
                    raise SpanError("xml_malformed", "a declaration inside a document")
            elif text[start + 1] == 63:
                at = past(text, start + 2, size, b"?>", 2)
            elif text[start + 1] == 47:
                at = past(text, start + 2, size, b">", 1)
                if not depth:
                    raise SpanError("xml_malformed", "an end without a start")
                row = &self.rows[holder]
                row.inner_end, row.end, row.stop = start, at, self.count
                holder = row.parent
                depth -= 1
            else:
                at = past_tag(text, start + 1, size)
                if depth >= max_depth:
                    raise SpanError("xml_depth", f"elements nest deeper than {max_depth}")
                name_start = name_end = start + 1
                while not is_space(text[name_end]) and text[name_end] != 47 and text[name_end] != 62:
                    name_end += 1
                    if text[name_end - 1] == 58:
                        name_start = name_end
                row = self.opened(holder if depth else self.count)
                row.name = self.number(text + name_start, name_end - name_start)
                row.start, row.inner_start = start, at
                row.inner_end = row.end = at
                row.stop = self.count
                if text[at - 2] != 47:
                    holder = self.count - 1
                    depth += 1
        if depth:
            raise SpanError("xml_malformed", "an element does not end")
        return 0

    cdef Element element(self, size_t at):
        cdef Element made = Element.__new__(Element)
        cdef Row* row = &self.rows[at]
        made.tree, made.at = self, at
        made.start, made.end = row.start, row.end
        made.inner_start, made.inner_end = row.inner_start, row.inner_end
        return made


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class Element:
    cdef readonly size_t start, end, inner_start, inner_end
    cdef Tree tree
    cdef size_t at
    cdef list made  # of its children, once somebody looks at them

    @property
    def name(self):
        return (<bytes>self.tree.names[self.tree.rows[self.at].name]).decode("utf-8", "replace")

    @property
    def parent(self):
        cdef size_t holder = self.tree.rows[self.at].parent
        return None if holder == self.at else self.tree.element(holder)

    @property
    def children(self):
        cdef size_t at = self.at + 1
        if self.made is None:
            self.made = []
            while at < self.tree.rows[self.at].stop:
                self.made.append(self.tree.element(at))
                at = self.tree.rows[at].stop
        return self.made

    def named(self, str name not None):
        cdef Element child
        cdef size_t number = self.tree.numbers.get(name.encode(), 0)
        if not number:
            return []
        return [child for child in self.children if self.tree.rows[child.at].name == number]

    def below(self, names=None):
        cdef size_t at, stop = self.tree.rows[self.at].stop
        cdef set numbers = None
        if names is not None:
            numbers = {self.tree.numbers.get((<str>name).encode(), 0) for name in names} - {0}
            if not numbers:
                return []
        return [
            self.tree.element(at)
            for at in range(self.at + 1, stop)
            if numbers is None or self.tree.rows[at].name in numbers
        ]

    def escaping(self, dict places not None):
        cdef list found = []
        cdef const uint8_t* data = self.tree.data
        cdef dict wanted = {
            self.tree.numbers.get((<str>element).encode(), 0): attributes
            for element, attributes in places.items()
        }
        cdef size_t at, start = 0, stop = 0, number, last = 0
        cdef bytes name
        attributes = None
        for at in range(self.at, self.tree.rows[self.at].stop):
            number = self.tree.rows[at].name
            if number != last:
                attributes, last = wanted.get(number), number
            if attributes is None:
                continue
            for name in attributes:
                if find_value(data, &self.tree.rows[at], name, len(name), &start, &stop):
                    if may_escape(data, start, stop):
                        found.append((self.tree.element(at), name))
        return found

    def attribute_span(self, bytes name not None):
        cdef size_t start = 0, stop = 0
        cdef Row* row = &self.tree.rows[self.at]
        if find_value(self.tree.data, row, name, len(name), &start, &stop):
            return start, stop
        return None


def elements(bytes data not None, size_t max_depth):
    cdef Tree tree = Tree(data)
    cdef size_t at = 0
    cdef list tops = []
    tree.read(max_depth)
    while at < tree.count:
        tops.append(tree.element(at))
        at = tree.rows[at].stop
    return tops
