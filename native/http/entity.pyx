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
    """Base of what is sent in one piece."""


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
        body: bytes,
        *,
        content_type: str,
        cache_control: str,
        last_modified: int = 0,
        etag: str | None = None,
        gzip: bytes | None = None,
        ranges: bool = True,
        headers: Sequence[tuple[str, str]] = (),
        status: int = 200,
    ) -> None:
        tag = heads.content_tag(body) if etag is None else etag
        if not ETAG_TEXT.fullmatch(tag):
            raise HeadError("etag is opaque text without quotes and blanks")
        self.body, self.status, self.etag = body, status, tag
        self.content_type, self.cache_control = content_type, cache_control
        self.last_modified, self.gzip = last_modified, gzip
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
        self.head = heads.head(status, heads.fields([*typed, plain, *kept]), len(body))
        self.head_304 = heads.head(304, heads.fields([plain, *kept]), None)
        self.head_206 = heads.start(206) + heads.CORS + heads.fields([*typed[:1], plain, *kept])
        if gzip is not None:
            typed.append(("Content-Encoding", "gzip"))
            self.gzip_head = heads.head(status, heads.fields([*typed, coded, *kept]), len(gzip))
            self.gzip_head_304 = heads.head(304, heads.fields([coded, *kept]), None)

    cdef int backing(self) noexcept:
        """A memfd that holds the body, or -1: not hot yet, or enough of them already."""
        global backed
        cdef int fd
        cdef const char* data = PyBytes_AS_STRING(self.body)
        cdef size_t left = PyBytes_GET_SIZE(self.body)
        cdef ssize_t done
        if self.fd >= 0 or backed >= BACKED_MAX:
            return self.fd
        self.hits += 1
        if self.hits <= BACKED_AFTER:
            return -1
        self.hits = 0
        fd = memfd_create(b"headwater", MFD_CLOEXEC)
        if fd < 0:
            return -1
        while left:
            done = write(fd, data, left)
            if done <= 0:
                close(fd)
                return -1
            data += done
            left -= done
        backed += 1
        self.fd = fd
        return fd

    def __repr__(self) -> str:
        return f"<Entity {self.status} {self.content_type} {len(self.body)} octets>"


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
        self.body = b'{"error":"%s"}' % code.encode()
        lines = heads.fields(
            [
                ("Content-Type", "application/json"),
                ("X-Content-Type-Options", "nosniff"),
                ("Cache-Control", cache_control),
                *headers,
            ]
        )
        self.head = heads.head(status, lines, len(self.body))

    def __repr__(self) -> str:
        return f"<Refusal {self.status} {self.code}>"


def preflight() -> Answer:
    """What every OPTIONS gets (HT-75): 204, no look-up, nothing of the request."""
    cdef Answer answer = Answer.__new__(Answer)
    answer.status, answer.body = 204, b""
    answer.head = heads.head(204, heads.fields(tables.PREFLIGHT), None)
    return answer
