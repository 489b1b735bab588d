"""Attribute lists (draft-pantos-hls-rfc8216bis-22 section 4.2), blanks around members tolerated."""

from libc.string cimport memchr

from native.hls import tables
from native.hls.model import Attribute

cdef uint8_t NAME[256]
for _octet in tables.ATTRIBUTE_NAME:
    NAME[<uint8_t>_octet] = 1


cdef inline size_t past_blanks(const uint8_t* text, size_t at, size_t size) noexcept nogil:
    while at < size and (text[at] == 32 or text[at] == 9):
        at += 1
    return at


cdef bint next_member(
    const uint8_t* text, size_t at, size_t size, Member* found
) noexcept nogil:
    """Read the member at `at`; False at the end of the list and where it is ill-formed."""
    cdef const void* quote
    found.name = at = past_blanks(text, at, size)
    while at < size and NAME[text[at]]:
        at += 1
    found.name_end = at
    at = past_blanks(text, at, size)
    if found.name == found.name_end or at == size or text[at] != 61:
        return False
    found.start = at = past_blanks(text, at + 1, size)
    found.quoted = at < size and text[at] == 34
    if found.quoted:
        quote = memchr(text + at + 1, 34, size - at - 1)
        if quote == NULL:
            return False
        found.end = <size_t>(<const uint8_t*>quote - text) + 1
        at = past_blanks(text, found.end, size)
    else:
        while at < size and text[at] != 44 and text[at] != 34:
            at += 1
        found.end = at
        while found.end > found.start and (text[found.end - 1] == 32 or text[found.end - 1] == 9):
            found.end -= 1
    if at < size and text[at] != 44:
        return False
    found.next = at + 1
    return True


def attributes(bytes value not None):
    cdef list found = []
    cdef Member member
    cdef const uint8_t* text = value
    cdef size_t at = 0, size = len(value)
    while at < size and next_member(text, at, size, &member):
        name = text[member.name : member.name_end]
        found.append(Attribute(name, member.start, member.end))
        at = member.next
    return found
