# cython: auto_pickle=False
"""The lossless line reader (draft-pantos-hls-rfc8216bis-22 section 4.1; HLS-M1, HLS-M4)."""

cimport cython
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp

from native.hls import tags
from native.hls.errors import PlaylistError
from native.hls.model import Kind, Line

from native.hls.tags cimport NO_TAG, tag_number

cdef tuple KINDS = tuple(Kind)


cdef inline bint is_blank(uint8_t octet) noexcept nogil:
    return octet == 32 or 9 <= octet <= 13


@cython.final
cdef class Playlist:
    def __cinit__(self, bytes data not None, *, bint whole=True):
        cdef const uint8_t* text = data
        if len(data) >= 0xFFFFFFFF:
            raise PlaylistError("not_a_playlist", "4 GiB are no playlist")
        self.data = data
        self.scan()
        if whole and not (self.count and self.spans[0].stop == 7 and memcmp(text, b"#EXTM3U", 7) == 0):
            raise PlaylistError("not_a_playlist", "the first line is not #EXTM3U")
        if memchr(text, 0, len(data)) != NULL:
            raise PlaylistError("control_character", "a NUL in a playlist")

    def __dealloc__(self):
        free(self.spans)

    cdef int add(self, Span span) except -1:
        cdef void* grown
        if self.count == self.room:
            grown = realloc(self.spans, (2 * self.room + 64) * sizeof(Span))
            if grown == NULL:
                raise MemoryError
            self.spans = <Span*>grown
            self.room = 2 * self.room + 64
        self.spans[self.count] = span
        self.count += 1
        return 0

    cdef int scan(self) except -1:
        """Cut the data at LF, CR LF and CR, and type each line."""
        cdef const uint8_t* data = self.data
        cdef const void* found
        cdef size_t size = len(self.data), at = 0, feed = 0, stop, next_at
        cdef bint known_feed = False
        cdef Span span
        while at < size:
            if not known_feed or feed < at:
                found = memchr(data + at, 10, size - at)
                feed = size if found == NULL else <size_t>(<const uint8_t*>found - data)
                known_feed = True
            found = memchr(data + at, 13, feed - at)
            stop = feed if found == NULL else <size_t>(<const uint8_t*>found - data)
            next_at = min(feed + 1, size) if stop == feed or stop + 1 == feed else stop + 1
            span.start = at
            while at < stop and is_blank(data[at]):
                at += 1
            while stop > at and is_blank(data[stop - 1]):
                stop -= 1
            span.text, span.stop = at, stop
            span.tag = NO_TAG
            if at == stop:
                span.kind = BLANK
            elif data[at] != 35:
                span.kind = URI
            elif stop - at < 4 or memcmp(data + at, b"#EXT", 4) != 0:
                span.kind = COMMENT
            else:
                found = memchr(data + at, 58, stop - at)
                if found != NULL:
                    stop = <size_t>(<const uint8_t*>found - data)
                span.tag = tag_number(data + at + 1, stop - at - 1)
                span.kind = UNKNOWN
                if span.tag != NO_TAG:
                    span.kind = TAG
                    self.seen |= <uint64_t>1 << span.tag
            self.add(span)
            at = next_at
        return 0

    def __len__(self):
        return self.count

    def lines(self):
        cdef list found = []
        cdef size_t index, end
        cdef Span span
        cdef bytes text
        for index in range(self.count):
            span = self.spans[index]
            end = self.spans[index + 1].start if index + 1 < self.count else <size_t>len(self.data)
            text = self.data[span.text : span.stop]
            name, value = b"", b""
            if span.kind == URI:
                value = text
            elif span.kind == TAG or span.kind == UNKNOWN:
                name, _, value = text[1:].partition(b":")
            found.append(Line(KINDS[span.kind], self.data[span.start : end], name, value))
        return found

    @property
    def tags(self):
        return frozenset([name for at, name in enumerate(tags.NAMES) if self.seen >> at & 1])
