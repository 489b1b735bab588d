# cython: auto_pickle=False
"""Entities of one kind, cast by the thousand: what they share is written and checked once (HT-77)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t

from native.http.entity cimport Entity

from native.http import dates, heads
from native.http.errors import HeadError

cdef bytes TAG_END = b'"\r\n'


cdef bytes octets(str text, int low, int spared):
    """Printable ASCII from `low` on, without `spared`; HeadError for anything else (HT-70)."""
    cdef bytes raw = text.encode("utf-8")
    cdef const uint8_t* p = <const uint8_t*>PyBytes_AS_STRING(raw)
    cdef Py_ssize_t i
    for i in range(PyBytes_GET_SIZE(raw)):
        if p[i] < low or p[i] > 0x7E or p[i] == spared:
            raise HeadError("an etag or a field holds what may not go on the wire")
    return raw


cdef tuple cut(body):
    """Pieces of a body given whole or as a sequence."""
    return (body,) if isinstance(body, bytes) else tuple([piece for piece in body if piece])


cdef class Mold:
    def __init__(
        self,
        str content_type,
        *,
        str cache_control,
        last_modified=0,
        headers=(),
        bint ranges=True,
    ):
        self.content_type, self.cache_control = content_type, cache_control
        self.last_modified = last_modified
        self.modified = dates.format_date(last_modified) if last_modified else b""
        kept = [("Cache-Control", cache_control)]
        if last_modified:
            kept.append(("Last-Modified", self.modified.decode()))
        kind = heads.fields([("Content-Type", content_type)])
        tag = b'ETag: "'
        units = heads.fields([("Accept-Ranges", "bytes")]) if ranges else b""
        self.whole = heads.start(200) + heads.CORS + kind + units + tag
        self.ranges = ranges
        self.unchanged = heads.start(304) + heads.CORS + tag
        self.partial = heads.start(206) + heads.CORS + kind + tag
        self.shared = TAG_END + heads.fields([*kept, *headers])

    def cast(self, body, str etag not None):
        cdef bytes tag = octets(etag, 0x21, 0x22)
        return self.poured(cut(body), tag, b"")

    cdef Entity poured(self, tuple pieces, bytes tag, bytes lines):
        """`tag` and `lines` may go on the wire."""
        cdef Entity made = Entity.__new__(Entity)
        cdef bytes behind = self.shared + lines, piece
        cdef size_t size = 0
        for piece in pieces:
            size += PyBytes_GET_SIZE(piece)
        made.status, made.etag, made.pieces, made.size_bytes = 200, tag.decode("ascii"), pieces, size
        made.content_type, made.cache_control = self.content_type, self.cache_control
        made.last_modified, made.modified = self.last_modified, self.modified
        made.tag, made.gzip_tag = b'"' + tag + b'"', b'"' + tag + b'-gz"'
        made.ranges = self.ranges
        made.head = self.whole + tag + behind + b"Content-Length: %d\r\nDate: " % size
        made.head_304 = self.unchanged + tag + behind + b"Date: "
        made.head_206 = self.partial + tag + behind
        return made
