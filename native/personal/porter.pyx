# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""The quick yes of the verifier endpoint: what nginx `auth_request` and Envoy `ext_authz` ask, answered
before a request is cut (specs/cat.md sections 9 and 10).

Rules of the file
1. Only what is certainly accepted is answered; any doubt, and every refusal, is the handler's.
2. A token is taken from the first place that has one (CAT-90). What is judged is the URI without it, so
   a rest that may hold another token in its path is the handler's.
3. A field that comes twice is the handler's.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp, memcpy

from native.cat.fast cimport Fast
from native.cat.plan cimport Plan
from native.cat.request cimport Request, Text, new_request
from native.http.desk cimport Desk
from native.http.entity cimport Answer
from native.http.parser cimport HEAD, Head, equal
from native.http.target cimport Target

cdef extern from "Python.h":
    str PyUnicode_DecodeASCII(const char* text, Py_ssize_t size, const char* errors)

cdef enum:
    URL_MAX = 8192
    ASN_DIGITS = 9
    BARE_SEGMENT = 50  # a longer first segment may be a token (CAT-90)

cdef enum:  # rows of FIELDS
    F_URL = 0
    F_URI = 1
    F_METHOD = 2
    F_PROTO = 3
    F_FORWARDED_HOST = 4
    F_HOST = 5
    F_IP = 6
    F_ASN = 7
    F_COUNTRY = 8
    F_ALPN = 9
    F_TOKEN = 10
    F_COOKIE = 11
    FIELDS = 12

cdef bytes NGINX = b"/auth"
cdef bytes ENVOY = b"/ext_authz/"
cdef bytes QUERY = b"cat="
cdef bytes PATH = b"/cat:"
cdef bytes COOKIE = b"cta-common-access-token="
cdef tuple NAMES = (  # of the rows
    b"x-original-url",
    b"x-original-uri",
    b"x-original-method",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"host",
    b"x-real-ip",
    b"x-client-asn",
    b"x-client-country",
    b"x-client-alpn",
    b"cta-common-access-token",
    b"cookie",
)
cdef Text[FIELDS] names
cdef int each
for each in range(FIELDS):
    names[each].data, names[each].size = PyBytes_AS_STRING(NAMES[each]), len(NAMES[each])


cdef Text part(const char* data, Py_ssize_t size) noexcept:
    cdef Text text
    text.data, text.size = data, size
    return text


cdef bint within(const uint8_t* data, size_t size) noexcept:
    """ASCII only."""
    cdef uint8_t all = 0
    cdef size_t i
    for i in range(size):
        all |= data[i]
    return all < 0x80


cdef bint read_fields(const uint8_t* data, Head* head, Text* found) noexcept:
    """The fields that matter; false when one of them comes twice."""
    cdef size_t i
    cdef int row
    for i in range(head.count):  # nothing else may stand in a text
        if not within(data + head.fields[i].value, head.fields[i].value_size):
            return False
    for row in range(FIELDS):
        found[row].data, found[row].size = NULL, 0
    for i in range(head.count):
        for row in range(FIELDS):
            if head.fields[i].name_size == names[row].size and equal(
                data + head.fields[i].name, names[row].data, names[row].size
            ):
                if found[row].data != NULL:
                    return False
                found[row] = part(<const char*>data + head.fields[i].value, head.fields[i].value_size)
                break
    return True


cdef bint plain(Text text) noexcept:
    """Letters of base64url only."""
    cdef Py_ssize_t i
    cdef char c
    for i in range(text.size):
        c = text.data[i]
        if not (c"a" <= (c | 0x20) <= c"z" or c"0" <= c <= c"9" or c == c"-" or c == c"_"):
            return False
    return text.size > 0


cdef str text(Text octets):
    return None if octets.data == NULL else PyUnicode_DecodeASCII(octets.data, octets.size, NULL)


cdef object number(Text text):
    """Decimal digits, or None."""
    cdef Py_ssize_t i
    cdef long value = 0
    if text.data == NULL or not 1 <= text.size <= ASN_DIGITS:
        return None
    for i in range(text.size):
        if not c"0" <= text.data[i] <= c"9":
            return None
        value = 10 * value + text.data[i] - c"0"
    return value


cdef struct Taken:
    Text token
    Text front  # the target without it, in two pieces
    Text rest


cdef bint from_query(Text target, const char* mark, Taken* taken) noexcept:
    """The first parameter `cat`, in any case."""
    cdef const char* end = target.data + target.size
    cdef const char* at = mark + 1
    cdef const char* stop
    while at < end:
        stop = <const char*>memchr(at, c"&", end - at)
        if stop == NULL:
            stop = end
        if stop - at > 4 and equal(<const uint8_t*>at, QUERY, 4):
            taken.token = part(at + 4, stop - at - 4)
            taken.rest = part(stop, 0)
            if stop < end:
                taken.rest = part(stop + 1, end - stop - 1)
                taken.front = part(target.data, at - target.data)
            else:
                taken.front = part(target.data, at - 1 - target.data)
            return True
        at = stop + 1
    return False


cdef bint clear(const char* path, const char* end) noexcept:
    """Whether no token can stand in the first segment."""
    cdef const char* stop = path + 1
    while stop < end and stop[0] != c"/" and stop[0] != c"?":
        stop += 1
    return stop - path <= BARE_SEGMENT and (end - path < 4 or memcmp(path, <const char*>PATH, 4) != 0)


cdef bint from_path(Text target, Taken* taken) noexcept:
    """`/cat:TOKEN/rest` whose rest holds none."""
    cdef const char* end = target.data + target.size
    cdef const char* stop
    if target.size < 6 or memcmp(target.data, <const char*>PATH, 5) != 0:
        return False
    stop = <const char*>memchr(target.data + 5, c"/", target.size - 5)
    if stop == NULL or not clear(stop, end):
        return False
    taken.token = part(target.data + 5, stop - target.data - 5)
    taken.front, taken.rest = part(target.data, 0), part(stop, end - stop)
    return True


cdef bint from_cookie(Text cookies, Taken* taken) noexcept:
    """The first cookie of the name, in any case."""
    cdef const char* at = cookies.data
    cdef const char* end = cookies.data + cookies.size
    cdef const char* stop
    while at < end:
        while at < end and (at[0] == c" " or at[0] == c"\t"):
            at += 1
        stop = <const char*>memchr(at, c";", end - at)
        if stop == NULL:
            stop = end
        if stop - at > 24 and equal(<const uint8_t*>at, COOKIE, 24):
            taken.token = part(at + 24, stop - at - 24)
            return True
        at = stop + 1
    return False


cdef bint take(Text target, Text* fields, Taken* taken) noexcept:
    """The preferred token of a request (CAT-90)."""
    cdef const char* mark = <const char*>memchr(target.data, c"?", target.size)
    taken.front, taken.rest = target, part(target.data, 0)
    if fields[F_TOKEN].data != NULL:
        taken.token = fields[F_TOKEN]
        return True
    if mark != NULL and from_query(target, mark, taken):
        return True
    if from_path(target, taken):
        return True
    if fields[F_COOKIE].data == NULL or not clear(target.data, target.data + target.size):
        return False
    return from_cookie(fields[F_COOKIE], taken)


cdef struct Room:
    char[URL_MAX] data
    Py_ssize_t size


cdef bint put(Room* room, const char* data, Py_ssize_t size) noexcept:
    if data == NULL or size > URL_MAX - room.size:
        return False
    memcpy(room.data + room.size, data, size)
    room.size += size
    return True


cdef bint asked(const uint8_t* data, Head* head, bint envoy, Text* fields, Room* room, Text* target) noexcept:
    """Scheme and authority of what the viewer asked for into `room`, and the rest of it."""
    cdef Text url = fields[F_URL]
    cdef Text host = fields[F_HOST]
    cdef const char* mark
    room.size = 0
    if envoy:
        target[0] = part(<const char*>data + head.path + 10, head.path_size - 10)
    elif url.data != NULL:
        mark = <const char*>memchr(url.data, c":", url.size)
        if mark == NULL or url.data + url.size - mark < 4 or memcmp(mark, b"://", 3) != 0:
            return False
        mark = <const char*>memchr(mark + 3, c"/", url.data + url.size - mark - 3)
        if mark == NULL or memchr(url.data, c"?", mark - url.data) != NULL:
            return False
        target[0] = part(mark, url.data + url.size - mark)
        return put(room, url.data, mark - url.data)
    elif fields[F_URI].size > 0 and fields[F_URI].data[0] == c"/":
        target[0] = fields[F_URI]
        if fields[F_FORWARDED_HOST].data != NULL:
            host = fields[F_FORWARDED_HOST]
    else:
        return False
    if fields[F_PROTO].data == NULL:
        fields[F_PROTO] = part(b"http", 4)
    return (
        put(room, fields[F_PROTO].data, fields[F_PROTO].size)
        and put(room, b"://", 3)
        and put(room, host.data, host.size)
    )


cdef class Porter(Desk):
    cdef Fast verifier
    cdef dict answers  # by kid
    cdef object welcome
    cdef object clock
    cdef readonly long long passed

    def __init__(self, welcome, clock):
        self.welcome, self.clock, self.answers = welcome, clock, {}

    def use(self, Fast verifier):
        self.verifier = verifier

    cdef Answer ask(self, const uint8_t* data, Head* head, Target* target, str peer):
        cdef Text[FIELDS] fields
        cdef Taken taken
        cdef Request request
        cdef Plan plan
        if self.verifier is None or not read_fields(data, head, fields):
            return None
        request = self.request(data, head, target, fields, &taken)
        if request is None:
            return None
        plan = self.verifier.accepts(taken.token, request)
        if plan is None:
            return None
        self.passed += 1
        answer = self.answers.get(plan.verdict.kid)
        if answer is None:
            answer = self.answers[plan.verdict.kid] = self.welcome(plan.verdict.kid)
        return answer

    cdef Request request(self, const uint8_t* data, Head* head, Target* target, Text* fields, Taken* taken):
        """What the viewer asked for, less its token; None for the handler."""
        cdef Room room
        cdef Text wanted
        cdef Request request
        cdef str method
        cdef bint envoy = target.path_size > 11 and memcmp(target.path, <const char*>ENVOY, 11) == 0
        if envoy:
            if head.path_size < 11 or memcmp(data + head.path, <const char*>ENVOY, 11) != 0:
                return None
            method = "HEAD" if head.method == HEAD else "GET"
        elif target.path_size != 5 or memcmp(target.path, <const char*>NGINX, 5) != 0:
            return None
        else:
            method = "GET" if fields[F_METHOD].data == NULL else text(fields[F_METHOD])
        if not asked(data, head, envoy, fields, &room, &wanted):
            return None
        if room.size + wanted.size > URL_MAX or not take(wanted, fields, taken) or not plain(taken.token):
            return None
        put(&room, taken.front.data, taken.front.size)
        put(&room, taken.rest.data, taken.rest.size)
        request = new_request(text(part(room.data, room.size)), self.clock(), method)
        request.ip, request.country = text(fields[F_IP]), text(fields[F_COUNTRY])
        request.alpn = text(fields[F_ALPN])
        request.asn = number(fields[F_ASN])
        request.system = -1 if request.asn is None else request.asn
        return request
