# cython: auto_pickle=False
"""Personal answers by URL and token (manifest-proxy MP-40..MP-45; CAT-90).

Rules of the file
1. Only what the handler answered before is held, under the URL without token and session, for no
   longer than the origin's version is fresh. Whose session it is, `copy` says.
2. The token is judged on each request. A second place where one may stand, an escape, a parameter
   beside it, CMCD headers where reports are taken: the handler's.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

from native.cat.request cimport Request
from native.http.conditions cimport accepts_gzip
from native.http.desk cimport Desk
from native.http.entity cimport Answer
from native.http.parser cimport F_UNKNOWN, Field, Head, equal
from native.http.target cimport Target

from native.http import tables

cdef enum:
    SWEEP = 1024  # URLs held between two looks for those whose time is over

cdef bytes MARK = b"/cat:"
cdef bytes NAME = b"CAT="
cdef bytes SESSION = b"/s:"
cdef bytes HEADER = b"cta-common-access-token"
cdef bytes COOKIE = b"cookie"
cdef bytes REPORT = b"cmcd-"

cdef extern from "<string.h>" nogil:
    void* memmem(const void* hay, size_t hay_size, const void* needle, size_t needle_size)


cdef double read_clock(int which) noexcept:
    cdef timespec now
    clock_gettime(which, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


cdef bint plain(const uint8_t* text, size_t size) noexcept:
    """Letters of base64url only."""
    cdef size_t i
    cdef uint8_t c
    for i in range(size):
        c = text[i]
        if not (c"a" <= (c | 0x20) <= c"z" or c"0" <= c <= c"9" or c == c"-" or c == c"_"):
            return False
    return size > 0


cdef bint alone(const uint8_t* data, Head* head, bint reporting) noexcept:
    """Whether no header may hold a token too, nor a report that somebody waits for."""
    cdef const char* header = HEADER
    cdef const char* cookie = COOKIE
    cdef const char* report = REPORT
    cdef Field* field
    cdef size_t i
    for i in range(head.count):
        field = &head.fields[i]
        if field.known != F_UNKNOWN:
            continue
        if field.name_size == 23 and equal(data + field.name, header, 23):
            return False
        if field.name_size == 6 and equal(data + field.name, cookie, 6):
            return False
        if reporting and field.name_size > 5 and equal(data + field.name, report, 5):
            return False
    return True


cdef Py_ssize_t find_session(bytes url, Py_ssize_t* end) noexcept:
    """Where the session stands behind a URL's first two segments; 0 when it has none."""
    cdef const char* text = url
    cdef const char* stop = text + len(url)
    cdef const char* at = <const char*>memchr(text + 1, c"/", len(url) - 1) if len(url) > 1 else NULL
    if at != NULL:
        at = <const char*>memchr(at + 1, c"/", stop - at - 1)
    if at == NULL or stop - at < 4 or memcmp(at, <const char*>SESSION, 3) != 0:
        return 0
    stop = <const char*>memchr(at + 3, c"/", stop - at - 3)
    if stop == NULL:
        return 0
    end[0] = stop - text
    return at + 1 - text


@cython.internal
cdef class Held:
    cdef object copy
    cdef str uri
    cdef bint named
    cdef double until_s
    cdef object label


cdef class Viewers(Desk):
    cdef object verify, session_of
    cdef Py_ssize_t capacity
    cdef dict held  # URL without its token -> Held
    cdef dict counted
    cdef bint reporting
    cdef size_t swept

    def __init__(self, verify, session_of, Py_ssize_t capacity, bint reporting=False):
        self.reporting = reporting
        self.verify, self.session_of, self.capacity = verify, session_of, capacity
        self.held, self.counted = {}, {}

    def hold(
        self,
        str path not None,
        str token not None,
        str query not None,
        copy,
        str uri not None,
        bint named,
        double life_s,
        label=None,
    ):
        cdef Held one
        cdef bytes key
        cdef Py_ssize_t at, end = 0
        if not query and f"/cat:{token}/" in path:
            key = path.replace(f"/cat:{token}/", "/cat:/", 1).encode()
        elif query == f"CAT={token}":
            key = path.encode() + b"?"
        else:
            return False
        at = find_session(key, &end)
        if at:
            key = key[: at + 2] + key[end:]
        self.swept = (self.swept + 1) % SWEEP
        if not self.swept:
            self.sweep()
        if len(self.held) >= self.capacity and key not in self.held:
            self.held.clear()
        one = Held.__new__(Held)
        one.copy, one.uri, one.named, one.label = copy, uri, named, label
        one.until_s = read_clock(CLOCK_MONOTONIC) + life_s
        self.held[key] = one
        self.counted.setdefault(label, 0)
        return True

    cdef int sweep(self) except -1:
        """Forget what nobody asks for any more."""
        cdef double now_s = read_clock(CLOCK_MONOTONIC)
        cdef Held one
        for key, one in list(self.held.items()):
            if now_s >= one.until_s:
                del self.held[key]
        return 0

    def clear(self):
        self.held.clear()

    def counts(self):
        return dict(self.counted)

    cdef Answer ask(self, const uint8_t* data, Head* head, Target* target, str peer):
        cdef const uint8_t* token
        cdef const uint8_t* found
        cdef size_t size, lead
        cdef bytes key, text, segment = b""
        cdef Py_ssize_t at, end = 0
        cdef Held one
        if target.query_size == 0:
            found = <const uint8_t*>memmem(target.path, target.path_size, <const char*>MARK, 5)
            if found == NULL:
                return None
            lead = found - target.path + 5
            token = target.path + lead
            found = <const uint8_t*>memchr(token, c"/", target.path_size - lead)
            if found == NULL:
                return None
            size = found - token
            key = target.path[:lead] + found[: target.path_size - lead - size]
        elif target.query_size > 4 and memcmp(target.query, <const char*>NAME, 4) == 0:
            token, size = target.query + 4, target.query_size - 4
            key = target.path[: target.path_size] + b"?"
        else:
            return None
        at = find_session(key, &end)
        if at:
            segment = key[at:end]
            key = key[: at + 2] + key[end:]
        one = self.held.get(key)
        if one is None or not plain(token, size) or not alone(data, head, self.reporting):
            return None
        if memchr(data + head.path, c"%", head.path_size) != NULL:
            return None
        if read_clock(CLOCK_MONOTONIC) >= one.until_s:
            del self.held[key]
            return None
        text = PyBytes_FromStringAndSize(<const char*>token, size)
        verdict = self.verify(
            text.decode("ascii"),
            Request(one.uri, read_clock(CLOCK_REALTIME), tables.METHODS[head.method], peer),
        )
        if not verdict.accept:
            return None
        session = self.session_of(verdict) if one.named else b""
        answer = one.copy(text, session, segment, coded=accepts_gzip(head, data))
        if answer is not None:
            self.counted[one.label] += 1
        return answer
