"""Preconditions, If-Range, coding choice (RFC 9110 13.2.2, 13.1.5, 12.5.3; specs/http1.md 9 to 11)."""

import time

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.string cimport memcmp

from native.http.codings cimport Weights, gzip_wanted, read_codings
from native.http.parser cimport (
    F_ACCEPT_ENCODING,
    F_IF_MATCH,
    F_IF_MODIFIED_SINCE,
    F_IF_NONE_MATCH,
    F_IF_RANGE,
    F_IF_UNMODIFIED_SINCE,
    Field,
    find,
)
from native.http.tags cimport read_tags, tags_match

from native.http import dates

cdef uint32_t CONDITIONS = (
    1u << F_IF_MATCH
    | 1u << F_IF_NONE_MATCH
    | 1u << F_IF_MODIFIED_SINCE
    | 1u << F_IF_UNMODIFIED_SINCE
)


cdef bint conditional(Head* head) noexcept:
    """Whether the request has any precondition."""
    return head.seen & CONDITIONS != 0


cdef bint listed(Head* head, const uint8_t* d, int known, bytes tag, bint weak) noexcept:
    """Whether the tag list of field `known`, over all its lines, names `tag`."""
    cdef int i, found = 0
    cdef Field* field
    for i in range(head.count):
        field = &head.fields[i]
        if field.known == known:
            found |= read_tags(
                d + field.value, field.value_size,
                <const uint8_t*>PyBytes_AS_STRING(tag), PyBytes_GET_SIZE(tag), weak,
            )
    return tags_match(found)


cdef bint is_modified_date(Field* field, const uint8_t* d, Entity entity) noexcept:
    """Whether the value is exactly the Last-Modified text, which is what caches send back."""
    cdef size_t size = PyBytes_GET_SIZE(entity.modified)
    return size == field.value_size and memcmp(
        PyBytes_AS_STRING(entity.modified), d + field.value, size
    ) == 0


cdef object date_of(Field* field, const uint8_t* d, Entity entity):
    """Epoch seconds, or None for what is no date (HT-84)."""
    if is_modified_date(field, d, entity):
        return entity.last_modified
    return dates.parse_date(d[field.value : field.value + field.value_size], int(time.time()))


cdef int judge(Head* head, const uint8_t* d, Entity entity, bytes tag) except -1:
    """200 to go on, 304 or 412, in the order of HT-81; `tag` is that of the chosen coding."""
    cdef bint dated = entity.last_modified != 0
    if head.seen >> F_IF_MATCH & 1:
        if not listed(head, d, F_IF_MATCH, tag, False):
            return 412
    elif dated and head.seen >> F_IF_UNMODIFIED_SINCE & 1:
        date = date_of(find(head, F_IF_UNMODIFIED_SINCE), d, entity)
        if date is not None and entity.last_modified > date:
            return 412
    if head.seen >> F_IF_NONE_MATCH & 1:
        if listed(head, d, F_IF_NONE_MATCH, tag, True):
            return 304
    elif dated and head.seen >> F_IF_MODIFIED_SINCE & 1:
        date = date_of(find(head, F_IF_MODIFIED_SINCE), d, entity)
        if date is not None and entity.last_modified <= date:
            return 304
    return 200


cdef bint same_version(Head* head, const uint8_t* d, Entity entity) noexcept:
    """If-Range: no such field, the exact strong tag, or the exact Last-Modified text (HT-96)."""
    cdef Field* field
    cdef size_t size = PyBytes_GET_SIZE(entity.tag)
    if not head.seen >> F_IF_RANGE & 1:
        return True
    field = find(head, F_IF_RANGE)
    if size == field.value_size and memcmp(PyBytes_AS_STRING(entity.tag), d + field.value, size) == 0:
        return True
    return entity.last_modified != 0 and is_modified_date(field, d, entity)


cdef bint accepts_gzip(Head* head, const uint8_t* d) noexcept:
    """HT-100, over all lines of Accept-Encoding."""
    cdef Weights weights
    cdef int i
    if not head.seen >> F_ACCEPT_ENCODING & 1:
        return False
    weights.gzip = weights.identity = weights.star = -1
    for i in range(head.count):
        if head.fields[i].known == F_ACCEPT_ENCODING:
            read_codings(d + head.fields[i].value, head.fields[i].value_size, &weights)
    return gzip_wanted(&weights)
