# cython: auto_pickle=False
"""Entity and Refusal: answers whose heads are built once and served many times (HT-77)."""

from cpython.bytes cimport PyBytes_GET_SIZE

import re

from native.http.image cimport picture

from native.http import dates, heads, tables
from native.http.errors import HeadError

IMAGE_HITS = 4  # in one second, before an image of that second pays ...
IMAGE_BYTES = 16384  # ... and one more for each so many octets
cdef size_t HITS = IMAGE_HITS, STEP = IMAGE_BYTES
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


cdef class Entity(Answer):
    """One immutable object version: octets, validators and all its heads."""

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

    cdef size_t weight(self) noexcept:
        """Octets in memory as long as somebody holds it."""
        return self.size_bytes + self.gzip_size

    cdef Image imaged(self, long second, const char* date, bint in_file):
        """The newest image; of this second if that pays, of an older one or None otherwise."""
        cdef Image image
        if self.second != second:
            self.second, self.hits = second, 0
        self.hits += 1
        if self.image is not None and self.image.second == second:
            return self.image
        if self.hits > HITS + self.size_bytes // STEP:
            image = picture(second, self.head, date, self.pieces, self.size_bytes, in_file)
            if image is not None:
                self.image = image
        return self.image

    def __repr__(self) -> str:
        return f"<Entity {self.status} {self.content_type} {self.size_bytes} octets>"


cdef size_t queued_bytes = 0


cdef void hold(Entity entity) noexcept:
    """One more connection has some of it queued; each object counts once (HT-141)."""
    global queued_bytes
    if entity.holders == 0:
        queued_bytes += entity.weight()
    entity.holders += 1


cdef void let_go(Entity entity) noexcept:
    """One less."""
    global queued_bytes
    entity.holders -= 1
    if entity.holders == 0:
        queued_bytes -= entity.weight()


cdef size_t queued() noexcept:
    """Octets of all objects that somebody holds, of this process."""
    return queued_bytes


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
