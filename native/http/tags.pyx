"""If-Match and If-None-Match lists (RFC 9110 8.8.3, 13.1; specs/http1.md HT-82)."""

from libc.string cimport memcmp

from native.http import tables

cdef uint8_t ETAGC[256]
for _octet in tables.ETAGC:
    ETAGC[<uint8_t>_octet] = 1


cdef int read_tags(
    const uint8_t* text, size_t size, const uint8_t* tag, size_t tag_size, bint weak
) noexcept nogil:
    """What one line of a list holds, against the strong `tag` (with its quotes); bits of tags.pxd."""
    cdef size_t at = 0, start
    cdef int found = 0
    cdef bint weak_member, between = False
    while at < size:
        if text[at] == 32 or text[at] == 9:
            at += 1
            continue
        if text[at] == 44:
            between = False
            at += 1
            continue
        if between:
            return TAG_ILL_FORMED
        between = True
        if text[at] == 42:
            found |= TAG_STAR
            at += 1
            continue
        weak_member = at + 1 < size and text[at] == 87 and text[at + 1] == 47
        if weak_member:
            at += 2
        start = at
        if at == size or text[at] != 34:
            return TAG_ILL_FORMED
        at += 1
        while at < size and ETAGC[text[at]]:
            at += 1
        if at == size or text[at] != 34:
            return TAG_ILL_FORMED
        at += 1
        if (weak or not weak_member) and at - start == tag_size and memcmp(text + start, tag, tag_size) == 0:
            found |= TAG_HIT
        else:
            found |= TAG_OTHER
    return found


cdef bint tags_match(int found) noexcept nogil:
    """Verdict on the bits of all lines together: "*" stands alone, an ill-formed list never matches."""
    if found & TAG_ILL_FORMED:
        return False
    if found & TAG_STAR:
        return found == TAG_STAR
    return found & TAG_HIT


def match_tags(lines: list[bytes], tag: bytes, weak: bool) -> bool:
    """Whether the list spread over `lines` names `tag` (quoted), comparing weakly or strongly."""
    cdef int found = 0
    for line in lines:
        found |= read_tags(line, len(line), tag, len(tag), weak)
    return tags_match(found)
