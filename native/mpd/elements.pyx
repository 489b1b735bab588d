# cython: auto_pickle=False
"""Elements and attributes by their byte spans (XML 1.0, fifth edition, sections 2.1 to 3.1)."""

cimport cython
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp

from native.mpd.errors import SpanError

cdef tuple NO_CHILDREN = ()


cdef inline bint is_space(uint8_t octet) noexcept nogil:
    return octet == 32 or octet == 9 or octet == 10 or octet == 13


cdef inline bint begins_inside(uint8_t octet) noexcept nogil:
    """A template's identifier or a plain name: what needs no resolution to stay in its folder."""
    return (
        octet == 36 or octet == 95 or 48 <= octet <= 57 or 65 <= octet <= 90 or 97 <= octet <= 122
    )


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


@cython.final
@cython.freelist(64)
cdef class Element:
    cdef readonly str name
    cdef readonly size_t start, end, inner_start, inner_end
    cdef readonly object children  # a list once there is one
    cdef bytes data

    def named(self, str name not None):
        return [child for child in self.children if (<Element>child).name == name]

    def attribute_span(self, bytes name not None):
        cdef const uint8_t* data = self.data
        cdef const uint8_t* wanted = name
        cdef const void* found
        cdef size_t at = self.start, first, size, end = self.inner_start
        while at < end and not is_space(data[at]):
            at += 1
        while at < end:
            while at < end and is_space(data[at]):
                at += 1
            first = at
            while at < end and data[at] != 61 and not is_space(data[at]):
                at += 1
            size = at - first
            while at < end and data[at] != 34 and data[at] != 39:
                at += 1
            if at == end:
                break
            found = memchr(data + at + 1, data[at], end - at - 1)
            if found == NULL:
                break
            if size == <size_t>len(name) and memcmp(data + first, wanted, size) == 0:
                return at + 1, <size_t>(<const uint8_t*>found - data)
            at = <size_t>(<const uint8_t*>found - data) + 1
        return None


    def escaping_span(self, bytes name not None):
        cdef const uint8_t* data = self.data
        cdef size_t at, end
        span = self.attribute_span(name)
        if span is None:
            return None
        at, end = span
        if at == end or not begins_inside(data[at]):
            return span
        for at in range(at, end):
            # a scheme, a climb, or an entity that may stand for either
            if data[at] == 58 or data[at] == 38 or data[at] == 46 and data[at + 1] == 46:
                return span
        return None


def elements(bytes data not None, size_t max_depth):
    cdef const uint8_t* text = data
    cdef const void* found
    cdef size_t at = 0, size = len(data), start, name_start, name_end
    cdef list tops = [], opened = []
    cdef dict names = {}
    cdef Element element, parent
    cdef bytes name
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
            if not opened:
                raise SpanError("xml_malformed", "an end without a start")
            element = opened.pop()
            element.inner_end, element.end = start, at
        else:
            at = past_tag(text, start + 1, size)
            if <size_t>len(opened) >= max_depth:
                raise SpanError("xml_depth", f"elements nest deeper than {max_depth}")
            name_start = name_end = start + 1
            while not is_space(text[name_end]) and text[name_end] != 47 and text[name_end] != 62:
                name_end += 1
                if text[name_end - 1] == 58:
                    name_start = name_end
            name = data[name_start:name_end]
            element = Element.__new__(Element)
            element.name = names.get(name) or names.setdefault(name, name.decode("utf-8", "replace"))
            element.data, element.children = data, NO_CHILDREN
            element.start, element.inner_start = start, at
            if not opened:
                tops.append(element)
            else:
                parent = <Element>opened[-1]
                if parent.children is NO_CHILDREN:
                    parent.children = [element]
                else:
                    (<list>parent.children).append(element)
            if text[at - 2] == 47:
                element.inner_end = element.end = at
            else:
                opened.append(element)
    if opened:
        raise SpanError("xml_malformed", "an element does not end")
    return tops
