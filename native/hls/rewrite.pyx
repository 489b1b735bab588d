"""URI places led elsewhere in one pass (HLS-M2, HLS-M5, HLS-M8, HLS-M23)."""

cimport cython
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp

from native.hls import tables
from native.hls.errors import PlaylistError

from native.hls.attributes cimport Member, next_member
from native.hls.playlist cimport TAG, URI, Playlist, Span
from native.hls.tags cimport Places, tag_places
from native.holes.template cimport Template

MAX_URIS = 1 << 18  # 48 hours of 1 s segments are 172,800 (MP-54)

cdef enum:
    SEGMENT_HEAD = 1  # may begin a path segment that needs no resolution
    SEGMENT_TAIL = 2

cdef enum:  # of a reference, where its path at the origin is not written in it
    BELOW_HOME = -1
    TO_RESOLVE = -2

cdef uint8_t PLAIN[256]
for _octet in tables.UNRESERVED:
    PLAIN[<uint8_t>_octet] = SEGMENT_TAIL if _octet == 46 else SEGMENT_HEAD | SEGMENT_TAIL


cdef bint is_plain(const uint8_t* text, size_t size) noexcept nogil:
    """Whether a relative reference resolves by appending it: no dots, no escapes, no variables."""
    cdef size_t at = 0
    cdef uint8_t wanted = SEGMENT_HEAD
    while at < size:
        if PLAIN[text[at]] & wanted:
            wanted = SEGMENT_TAIL
        elif text[at] == 47 and wanted == SEGMENT_TAIL:
            wanted = SEGMENT_HEAD
        else:
            break
        at += 1
    if wanted == SEGMENT_HEAD:
        return False
    if at == size:
        return True
    if text[at] != 63 and text[at] != 35:
        return False
    while at + 1 < size:
        if text[at] == 123 and text[at + 1] == 36:  # {$ opens a variable (section 4.3)
            return False
        at += 1
    return True


cdef bint is_below(
    const uint8_t* text, size_t size, const uint8_t* base, size_t base_size
) noexcept nogil:
    """Whether the text is `base`, a slash and a plain reference."""
    return (
        size > base_size
        and memcmp(text, base, base_size) == 0
        and text[base_size] == 47
        and is_plain(text + base_size + 1, size - base_size - 1)
    )


@cython.final
cdef class _Pass:
    """The playlist up to `done` is written to `out`."""

    cdef bytes data, home, prefix, base
    cdef object resolve, relate
    cdef Template lead, tail, out
    cdef size_t done, uris

    cdef int keep(self, size_t end) except -1:
        """Write the bytes up to `end` as they came."""
        cdef const uint8_t* data = self.data
        self.out.put(data + self.done, end - self.done)
        self.done = end
        return 0

    cdef Py_ssize_t surplus(self, const uint8_t* text, size_t size) noexcept:
        """How many bytes stand before the path at the origin, or where that path is instead."""
        if self.home is None:
            return TO_RESOLVE
        if is_plain(text, size):
            return BELOW_HOME
        if is_below(text, size, self.prefix, len(self.prefix)):
            return len(self.prefix)
        if is_below(text, size, self.base, len(self.base)):
            return len(self.base)
        return TO_RESOLVE

    cdef int reference(self, size_t start, size_t end, bint bare) except -1:
        """Lead one reference elsewhere; a `bare` attribute value gains quotes."""
        cdef const uint8_t* data = self.data
        cdef Py_ssize_t surplus = self.surplus(data + start, end - start)
        cdef bytes path = None
        if surplus == TO_RESOLVE:
            path = self.resolve(self.data[start:end])
            if path is None:
                return 0
        self.uris += 1
        if self.uris > MAX_URIS:
            raise PlaylistError("too_many_uris", f"more than {MAX_URIS:,} of them")
        self.keep(start)
        if bare:
            self.out.put(b'"', 1)
        self.out.append(self.lead)
        if path is not None:
            self.ended(path, len(path))
            self.done = end
        else:
            if surplus == BELOW_HOME:
                self.out.put(self.home, len(self.home))
            self.done = start + max(surplus, 0)
            if self.tail is not None:
                self.ended(data + self.done, end - self.done)
                self.done = end
        if bare:
            self.keep(end)
            self.out.put(b'"', 1)
        return 0

    cdef int ended(self, const uint8_t* text, size_t size) except -1:
        """Write the end of a reference, with `tail` as the last of its query."""
        cdef const void* mark = memchr(text, 35, size)
        cdef size_t stop = size if mark == NULL else <size_t>(<const uint8_t*>mark - text)
        self.out.put(text, stop)
        if self.tail is not None:
            self.out.put(b"?" if memchr(text, 63, stop) == NULL else b"&", 1)
            self.out.append(self.tail)
        return self.out.put(text + stop, size - stop)

    cdef int relative(self, size_t start, size_t end, bint bare) except -1:
        """Make one reference relative again; one without a folder is."""
        cdef const uint8_t* data = self.data
        cdef bytes path = None
        if memchr(data + start, 47, end - start) != NULL:
            path = self.relate(self.data[start:end])
        if path is not None:
            path = b'"%b"' % path if bare else path
            self.keep(start)
            self.out.put(path, len(path))
            self.done = end
        return 0

    cdef int tag(self, Span span, const Places* places) except -1:
        """Edit the attributes of one line that hold URIs."""
        cdef const uint8_t* data = self.data
        cdef const void* colon = memchr(data + span.text, 58, span.stop - span.text)
        cdef size_t at = span.stop if colon == NULL else <size_t>(<const uint8_t*>colon - data) + 1
        cdef size_t quote
        cdef Member found
        cdef int index
        while at < span.stop and next_member(data, at, span.stop, &found):
            for index in range(places.count):
                if (
                    found.name_end - found.name == places.sizes[index]
                    and memcmp(data + found.name, places.names[index], places.sizes[index]) == 0
                ):
                    quote = found.quoted
                    if places.relative:
                        self.relative(found.start + quote, found.end - quote, not found.quoted)
                    else:
                        self.reference(found.start + quote, found.end - quote, not found.quoted)
            at = found.next
        return 0


def rewrite(
    Playlist playlist not None, Template lead not None, *, bytes home, bytes prefix not None,
    bytes root not None, resolve, relate, Template tail=None,
):
    cdef _Pass self = _Pass()
    cdef const Places* places
    cdef size_t index
    cdef Span span
    self.data, self.home, self.prefix, self.base = playlist.data, home, prefix, root + prefix
    self.resolve, self.relate = resolve, relate
    self.lead, self.tail, self.out = lead, tail, Template()
    for index in range(playlist.count):
        span = playlist.spans[index]
        if span.kind == URI:
            self.reference(span.text, span.stop, False)
        elif span.kind == TAG:
            places = tag_places(span.tag)
            if places.count:
                self.tag(span, places)
    self.keep(len(self.data))
    return self.out
