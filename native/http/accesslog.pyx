# cython: auto_pickle=False
"""One JSON line per answer, written in C and handed over by a timer (HT-160, HT-161).

Octets of requests are escaped and cut, tokens and unknown parameters are left out (CAT-92).
"""

from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy, strlen
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from native.http import tables

ROOM_BYTES = 1 << 20
TEXT_BYTES_MAX = 512  # of a path or a query
cdef size_t ROOM = ROOM_BYTES, TEXT_MAX = TEXT_BYTES_MAX
cdef size_t LINE_MAX = 1024 + 12 * TEXT_BYTES_MAX  # an octet takes six when it is escaped
cdef bytes PREFIX = tables.KNOWN_PREFIX.encode()
cdef list LOGGED = [b"%s=" % name.encode() for name in tables.KNOWN_PARAMETERS if name != "CAT"]


cdef class AccessLog:
    """Collects JSON lines without an object per answer."""

    def __cinit__(self, write):
        self.write = write
        self.text = <char*>malloc(ROOM)
        if self.text == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.text)

    cdef void put(self, const char* text) noexcept:
        cdef size_t size = strlen(text)
        memcpy(self.text + self.used, text, size)
        self.used += size

    cdef void put_escaped(self, const uint8_t* text, size_t size) noexcept:
        """What is not printable ASCII, and what JSON quotes, as a code point below 0x100."""
        cdef size_t i
        for i in range(min(size, TEXT_MAX)):
            if 32 <= text[i] < 127 and text[i] != 34 and text[i] != 92:
                self.text[self.used] = <char>text[i]
                self.used += 1
            else:
                self.used += snprintf(self.text + self.used, 7, "\\u%04x", <int>text[i])

    cdef void put_query(self, const uint8_t* text, size_t size) noexcept:
        """The parameters that may change an answer, tokens aside."""
        cdef const uint8_t* end = text + size
        cdef const uint8_t* stop
        cdef size_t budget = TEXT_MAX
        cdef bytes name
        cdef bint wanted, first = True
        while text < end:
            stop = <const uint8_t*>memchr(text, 38, end - text)
            if stop == NULL:
                stop = end
            wanted = starts(text, stop, PREFIX)
            for name in LOGGED:
                wanted = wanted or starts(text, stop, name)
            if wanted and <size_t>(stop - text) < budget:
                if not first:
                    self.put(b"&")
                first = False
                self.put_escaped(text, stop - text)
                budget -= stop - text + 1
            text = stop + 1

    cdef int add(self, Line* line, str peer) except -1:
        """One line; none when there is no room until the next hand-over."""
        cdef timespec now
        cdef bytes address = peer.encode()
        cdef const char* closes = b"false"
        if self.used + LINE_MAX > ROOM:
            self.lost += 1
            return 0
        if line.closes:
            closes = b"true"
        clock_gettime(CLOCK_REALTIME, &now)
        self.used += snprintf(
            self.text + self.used, 512,
            '{"ts":%lld.%03d,"conn":%llu,"seq":%llu,"peer":"%.64s","method":"%.*s","version":"1.%d",'
            '"status":%d,"bytes":%llu,"ms":%.3f,"source":"%s","code":"%.64s","close":%s,"path":"',
            <long long>now.tv_sec, <int>(now.tv_nsec // 1000000),
            <unsigned long long>line.connection, <unsigned long long>line.sequence,
            <const char*>address, <int>line.method_size, <const char*>line.method, line.minor, line.status,
            <unsigned long long>line.octets, line.took_ms, line.source,
            line.code, closes,
        )
        self.put_escaped(line.path, line.path_size)
        self.put(b'","query":"')
        self.put_query(line.query, line.query_size)
        self.put(b'"}\n')
        return 0

    def flush(self) -> None:
        """Hand over what is there."""
        if self.used:
            lines = self.text[: self.used]
            self.used = 0
            self.write(lines)


cdef bint starts(const uint8_t* text, const uint8_t* stop, bytes prefix) noexcept:
    cdef size_t size = len(prefix)
    return <size_t>(stop - text) >= size and memcmp(text, <const char*>prefix, size) == 0
