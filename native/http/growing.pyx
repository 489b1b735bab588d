# cython: auto_pickle=False
"""Objects whose end is not known yet: one list of payloads, any number of readers (HT-110 to HT-115).

The octets exist once. A reader is a connection with a position in the list; an append wakes those
that have nothing queued, in one loop.
"""

from cpython.bytes cimport PyBytes_GET_SIZE

from native.http.wire cimport Wire

from native.http import heads
from native.http.errors import EndedError


cdef class Growing(Answer):
    """A segment or part in the making, streamed to any number of requests at once."""

    def __init__(
        self,
        content_type: str,
        *,
        cache_control: str,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        pairs = [("Content-Type", content_type), ("Cache-Control", cache_control), *headers]
        fields = heads.CORS + heads.fields([*pairs, ("Accept-Ranges", "bytes")])
        self.status, self.head = 200, heads.start(200) + fields
        self.head_206 = heads.start(206) + heads.CORS + heads.fields(pairs)
        self.content_type, self.cache_control, self.headers = content_type, cache_control, headers
        self.chunks, self.sizes, self.following = [], [], {}

    cdef int add(self, bytes data) except -1:
        if self.state != OPEN:
            raise EndedError("the object has ended")
        if data:
            self.chunks.append(data)
            self.sizes.append(b"%x\r\n" % PyBytes_GET_SIZE(data))
            self.size_bytes += PyBytes_GET_SIZE(data)
        return 0

    cdef int tell(self) except -1:
        """Let every reader go on."""
        cdef Wire wire
        for wire in list(self.following):  # leaves the table when it is done, or gone
            try:
                wire.advance()
            except BaseException as error:
                wire.worker.failed(wire, error)
        return 0

    def append(self, data: bytes) -> None:
        """Add octets and send them to every open answer."""
        self.add(data)
        self.tell()

    def finish(self, entity: Entity | None = None, *, data: bytes = b"") -> None:
        """Add `data` and end every open answer cleanly."""
        cdef Entity whole = entity
        self.add(data)
        self.state, self.whole = FINISHED, whole
        self.tell()

    def abort(self) -> None:
        """Cut every open answer so that it shows."""
        if self.state == OPEN:
            self.state = CUT
            self.tell()

    cdef Entity entity(self):
        """What requests get once it is finished."""
        cdef tuple pieces
        if self.whole is None:
            pieces = tuple(self.chunks)
            self.whole = Entity(
                pieces,
                content_type=self.content_type,
                cache_control=self.cache_control,
                etag=heads.content_tag(*pieces),
                headers=self.headers,
            )
        return self.whole

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def ended(self) -> bool:
        return self.state != OPEN

    @property
    def readers(self) -> int:
        return len(self.following)

    def __repr__(self) -> str:
        return f"<Growing {self.size_bytes} octets, {len(self.following)} readers>"
