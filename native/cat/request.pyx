# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""The request that a token is judged against, with the components of its URI (CAT-41..CAT-43).

A URI that is normal as it stands is cut in place; any other is left to the rules in full, which come
with the verifier.
"""

from types import MappingProxyType

from libc.string cimport memchr, memcmp, memcpy

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    bint PyUnicode_IS_ASCII(object text)

cdef extern from "<arpa/inet.h>" nogil:
    int inet_pton(int family, const char* text, void* out)
    enum: AF_INET
    enum: AF_INET6

cdef enum:  # states of the URI
    UNREAD = 0
    READ = 1
    NONE = 2

cdef enum:  # CAT-41
    SCHEME = 0
    HOST = 1
    PORT = 2
    PATH = 3
    QUERY = 4
    PARENT = 5
    FILENAME = 6
    STEM = 7
    EXTENSION = 8

cdef enum:
    ASN_MAX = 0x7FFFFFFF  # of a plan; larger ones are judged the long way
    BARE_SEGMENT = 50  # a longer first segment may be a token (CAT-90)
    IN_HOST = 1  # kinds of octets
    IN_PATH = 2
    IN_QUERY = 4

cdef uint8_t[256] kinds
cdef object NOTHING = MappingProxyType({})
cdef bytes MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96


cdef void fill_kinds():
    cdef int c
    for c in b"abcdefghijklmnopqrstuvwxyz0123456789.-":
        kinds[c] |= IN_HOST
    for c in range(0x21, 0x7F):
        if c not in b"%#?\\":
            kinds[c] |= IN_PATH
        if c not in b"%#\\":
            kinds[c] |= IN_QUERY


fill_kinds()


cdef Text text_of(str value) noexcept:
    """The octets of an ASCII text; size -1 for any other."""
    cdef Text text
    text.data = NULL
    text.size = -1
    if value is not None and PyUnicode_IS_ASCII(value):
        text.data = PyUnicode_AsUTF8AndSize(value, &text.size)
    return text


cdef inline bint only(const char* data, Py_ssize_t size, uint8_t kind) noexcept:
    cdef Py_ssize_t i
    for i in range(size):
        if not kinds[<uint8_t>data[i]] & kind:
            return False
    return True


cdef bint is_port(const char* data, Py_ssize_t size) noexcept:
    """A number as it is normally written."""
    cdef Py_ssize_t i
    for i in range(size):
        if not c"0" <= data[i] <= c"9":
            return False
    return 1 <= size <= 5 and data[0] != c"0"


cdef bint has_token_name(const char* data, Py_ssize_t size) noexcept:
    """Whether a query may name the token's parameter, in any case."""
    cdef Py_ssize_t i
    for i in range(size - 2):
        if (
            (data[i] | 0x20) == c"c"
            and (data[i + 1] | 0x20) == c"a"
            and (data[i + 2] | 0x20) == c"t"
        ):
            return True
    return False


cdef class Request:
    def __init__(
        self,
        str uri not None,
        double now,
        str method not None="GET",
        str ip=None,
        asn=None,
        str country=None,
        lat=None,
        lon=None,
        str alpn=None,
        bytes client_spki=None,
        headers=None,
        client_prints=None,
        alt=None,
    ):
        self.uri, self.now, self.method, self.ip, self.asn = uri, now, method, ip, asn
        self.system = asn if asn is not None and 0 <= asn <= ASN_MAX else -1
        self.country, self.lat, self.lon, self.alpn = country, lat, lon, alpn
        self.client_spki, self.alt = client_spki, alt
        self.headers = {} if headers is None else headers
        self.client_prints = {} if client_prints is None else client_prints
        self.uri_state = UNREAD
        self.family = -1

    cdef bint has_uri(self, object normalise) except -1:
        """Fill `components`; false when the URI has no normal form."""
        if self.uri_state == UNREAD:
            self.uri_state = READ if self.split() or self.adopt(normalise) else NONE
        return self.uri_state == READ

    cdef bint split(self) noexcept:
        """Cut a URI that is normal and holds no token; false for any other."""
        cdef Text text = text_of(self.uri)
        cdef const char* at = text.data
        cdef const char* end
        cdef const char* stop
        cdef const char* colon
        cdef Text* parts = self.components
        if text.size < 8:
            return False
        end = at + text.size
        if memcmp(at, b"https://", 8) == 0:
            parts[SCHEME].data, parts[SCHEME].size = at, 5
            parts[PORT].data, parts[PORT].size = b"443", 3
            at += 8
        elif memcmp(at, b"http://", 7) == 0:
            parts[SCHEME].data, parts[SCHEME].size = at, 4
            parts[PORT].data, parts[PORT].size = b"80", 2
            at += 7
        else:
            return False
        self.default_port = True
        stop = <const char*>memchr(at, c"/", end - at)
        if stop == NULL or stop == at:
            return False
        colon = <const char*>memchr(at, c":", stop - at)
        if colon != NULL:
            if not is_port(colon + 1, stop - colon - 1):
                return False
            self.default_port = (
                stop - colon - 1 == parts[PORT].size
                and memcmp(colon + 1, parts[PORT].data, parts[PORT].size) == 0
            )
            parts[PORT].data, parts[PORT].size = colon + 1, stop - colon - 1
        else:
            colon = stop
        parts[HOST].data, parts[HOST].size = at, colon - at
        if colon == at or (colon - 1)[0] == c"." or not only(at, colon - at, IN_HOST):
            return False
        at = stop
        stop = <const char*>memchr(at, c"?", end - at)
        if stop == NULL:
            stop = end
        parts[PATH].data, parts[PATH].size = at, stop - at
        if not only(at, stop - at, IN_PATH) or not plain_path(at, stop - at):
            return False
        if stop < end:
            stop += 1
        parts[QUERY].data, parts[QUERY].size = stop, end - stop
        if not only(stop, end - stop, IN_QUERY) or has_token_name(stop, end - stop):
            return False
        self.derive()
        return True

    cdef bint adopt(self, object normalise) except -1:
        """Take the parts that the rules in full find."""
        cdef Text text
        cdef int i
        cdef tuple parts = normalise(self)
        if parts is None:
            return False
        self.kept = parts
        for i in range(5):
            text = text_of(parts[i])
            if text.size < 0:
                return False
            self.components[i] = text
        scheme, port = parts[SCHEME], parts[PORT]
        self.default_port = (scheme == "http" and port == "80") or (scheme == "https" and port == "443")
        self.derive()
        return True

    cdef void derive(self) noexcept:
        """Parent path, filename, stem and extension; CAT-43."""
        cdef Text* parts = self.components
        cdef const char* path = parts[PATH].data
        cdef Py_ssize_t size = parts[PATH].size, slash = size - 1, dot
        while slash > 0 and path[slash] != c"/":
            slash -= 1
        parts[PARENT].data, parts[PARENT].size = path, slash
        parts[FILENAME].data, parts[FILENAME].size = path + slash + 1, size - slash - 1
        dot = size - 1
        while dot > slash and path[dot] != c".":
            dot -= 1
        if dot == slash:
            dot = size
        parts[STEM].data, parts[STEM].size = path + slash + 1, dot - slash - 1
        parts[EXTENSION].data, parts[EXTENSION].size = path + dot, size - dot

    cdef int read_address(self) noexcept:
        """4, 6 or 0: the family of the client's address, which is left in `address`."""
        cdef Text text
        cdef uint8_t[16] wide
        if self.family >= 0:
            return self.family
        self.family = 0
        text = text_of(self.ip)
        if text.size > 0:
            if inet_pton(AF_INET, text.data, self.address) == 1:
                self.family = 4
            elif inet_pton(AF_INET6, text.data, wide) == 1:
                if memcmp(wide, <const char*>MAPPED, 12) == 0:
                    memcpy(self.address, wide + 12, 4)
                    self.family = 4
                else:
                    memcpy(self.address, wide, 16)
                    self.family = 6
        return self.family


cdef bint plain_path(const char* data, Py_ssize_t size) noexcept:
    """No dot segment, and no first segment that may be a token."""
    cdef Py_ssize_t i = 1
    while i < size and data[i] != c"/":
        i += 1
    if i > BARE_SEGMENT or (size >= 4 and memcmp(data, b"/cat", 4) == 0):
        return False
    for i in range(size - 1):
        if data[i] == c"/" and data[i + 1] == c".":
            return False
    return True


cdef Request new_request(str uri, double now, str method):
    """A request of which nothing else is known yet."""
    cdef Request request = <Request>Request.__new__(Request)
    request.uri, request.now, request.method = uri, now, method
    request.headers = request.client_prints = NOTHING
    request.system = request.family = -1
    return request
