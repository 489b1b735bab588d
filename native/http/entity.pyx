# cython: auto_pickle=False
"""Entity and Refusal: answers whose heads are built once and served many times (HT-77)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

import re

from native.http import dates, heads, tables
from native.http.errors import HeadError

cdef extern from "<sys/mman.h>" nogil:
    int memfd_create(const char* name, unsigned int flags)
    enum: MFD_CLOEXEC

cdef extern from "<unistd.h>" nogil:
    int close(int fd)
    ssize_t write(int fd, const void* data, size_t size)

BACKED_MAX = 128  # bodies of one process that may stand in a memfd beside their bytes
BACKED_AFTER = 2  # answers that leave from the bytes first
cdef int backed = 0
ETAG_TEXT = re.compile(r"[\x21\x23-\x7e]*")


cdef class Answer:
    """Base of what has a head of its own."""

    @property
    def body(self) -> bytes:
        return joined(self.pieces)


cdef tuple cut(body):
    """Pieces of a body given whole or as a sequence."""
    return (body,) if isinstance(body, bytes) else tuple([piece for piece in body if piece])


cdef size_t length_of(tuple pieces) except? 0:
    """Octets in `pieces`; TypeError for what is not bytes."""
    cdef size_t total = 0
    cdef bytes piece
    for piece in pieces:
        total += PyBytes_GET_SIZE(piece)
    return total


cdef bytes joined(tuple pieces):
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


cdef bint fill(int fd, const char* data, size_t left) noexcept nogil:
    """Write it all."""
    cdef ssize_t done
    while left:
        done = write(fd, data, left)
        if done <= 0:
            return False
        data += done
        left -= done
    return True


cdef class Entity(Answer):
    """One immutable object version: octets, validators and all its heads."""

    def __cinit__(self):
        self.fd = -1

    def __dealloc__(self):
        global backed
        if self.fd >= 0:
            close(self.fd)
            backed -= 1

    def __init__(
        self,
        body: bytes | Sequence[bytes],
        *,
        content_type: str,
        cache_control: str,
        last_modified: int = 0,
        etag: str | None = None,
        gzip: bytes | Sequence[bytes] | None = None,
        ranges: bool = True,
        headers: Sequence[tuple[str, str]] = (),
        status: int = 200,
    ) -> None:
        if etag is None and not isinstance(body, bytes):
            raise HeadError("a body in pieces names its etag")
        tag = heads.content_tag(body) if etag is None else etag
        if not ETAG_TEXT.fullmatch(tag):
            raise HeadError("etag is opaque text without quotes and blanks")
        self.status, self.etag = status, tag
        self.pieces = cut(body)
        self.size_bytes = length_of(self.pieces)
        self.content_type, self.cache_control = content_type, cache_control
        self.last_modified = last_modified
        self.tag, self.gzip_tag = b'"%s"' % tag.encode(), b'"%s-gz"' % tag.encode()
        self.modified = dates.format_date(last_modified) if last_modified else b""
        self.ranges = ranges and gzip is None and status == 200  # HT-98
        kept = [("Cache-Control", cache_control)]
        if last_modified:
            kept.append(("Last-Modified", self.modified.decode()))
        if gzip is not None:
            kept.append(("Vary", "Accept-Encoding"))  # HT-102
        kept.extend(headers)
        typed = [("Content-Type", content_type)]
        if self.ranges:
            typed.append(("Accept-Ranges", "bytes"))
        plain, coded = ("ETag", f'"{tag}"'), ("ETag", f'"{tag}-gz"')
        self.head = heads.head(status, heads.fields([*typed, plain, *kept]), self.size_bytes)
        self.head_304 = heads.head(304, heads.fields([plain, *kept]), None)
        self.head_206 = heads.start(206) + heads.CORS + heads.fields([*typed[:1], plain, *kept])
        if gzip is not None:
            self.gzip_pieces = cut(gzip)
            self.gzip_size = length_of(self.gzip_pieces)
            typed.append(("Content-Encoding", "gzip"))
            self.gzip_head = heads.head(
                status, heads.fields([*typed, coded, *kept]), self.gzip_size
            )
            self.gzip_head_304 = heads.head(304, heads.fields([coded, *kept]), None)

    @property
    def gzip(self) -> bytes | None:
        return None if self.gzip_pieces is None else joined(self.gzip_pieces)

    cdef int backing(self) noexcept:
        """A memfd that holds the body, or -1: not hot yet, or enough of them already."""
        global backed
        cdef int fd
        cdef bytes piece
        if self.fd >= 0 or backed >= BACKED_MAX:
            return self.fd
        self.hits += 1
        if self.hits <= BACKED_AFTER:
            return -1
        self.hits = 0
        fd = memfd_create(b"headwater", MFD_CLOEXEC)
        if fd < 0:
            return -1
        for piece in self.pieces:
            if not fill(fd, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece)):
                close(fd)
                return -1
        backed += 1
        self.fd = fd
        return fd

    def __repr__(self) -> str:
        return f"<Entity {self.status} {self.content_type} {self.size_bytes} octets>"


cdef class Refusal(Answer):
    """A clear no with a stable code: body {"error": code}, explicit lifetime (HT-73)."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        cache_control: str = "max-age=1",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        if not code.isascii() or not code.replace("_", "").replace("-", "").isalnum():
            raise HeadError("a refusal's code is letters, digits, _ and -")
        self.status, self.code = status, code
        self.pieces = (b'{"error":"%s"}' % code.encode(),)
        self.size_bytes = length_of(self.pieces)
        lines = heads.fields(
            [
                ("Content-Type", "application/json"),
                ("X-Content-Type-Options", "nosniff"),
                ("Cache-Control", cache_control),
                *headers,
            ]
        )
        self.head = heads.head(status, lines, self.size_bytes)

    def __repr__(self) -> str:
        return f"<Refusal {self.status} {self.code}>"


def preflight() -> Answer:
    """What every OPTIONS gets (HT-75): 204, no look-up, nothing of the request."""
    cdef Answer answer = Answer.__new__(Answer)
    answer.status, answer.pieces = 204, ()
    answer.head = heads.head(204, heads.fields(tables.PREFLIGHT), None)
    return answer
