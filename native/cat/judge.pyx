# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""Whether a request passes a plan: certain yes, or anything else (specs/cat.md steps 8 to 17).

A "no" here is no verdict: the caller judges the long way and finds the reason.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from native.cat.cursor cimport Cursor, next_head
from native.cat.labels cimport (
    AT_HOST,
    AT_PARENT_PATH,
    AT_PORT,
    AUD,
    CATALPN,
    CATGEOISO3166,
    CATH,
    CATM,
    CATNIP,
    CATU,
    CONTAINS_MATCH,
    EXACT_MATCH,
    EXP,
    GEOHASH,
    ISS,
    NBF,
    PREFIX_MATCH,
    SUB,
    SUFFIX_MATCH,
)
from native.cat.plan cimport Op, Plan
from native.cat.request cimport Request, Text, text_of

cdef enum:
    SUBJECT_MAX = 8192  # specs/cat.md section 12
    GEOHASH_CHARS = 12
    LAST_CELL = (1 << 30) - 1

cdef bytes BASE32 = b"0123456789bcdefghjkmnpqrstuvwxyz"

cdef extern from "<string.h>" nogil:
    void* memmem(const void* hay, size_t hay_size, const void* needle, size_t needle_size)


cdef inline uint8_t lower(uint8_t c) noexcept:
    return c | 0x20 if c"A" <= c <= c"Z" else c


cdef inline bint same(const char* a, Py_ssize_t a_size, const char* b, Py_ssize_t b_size) noexcept:
    return a_size == b_size and memcmp(a, b, a_size) == 0


cdef bint same_folded(const char* a, const char* b, Py_ssize_t size) noexcept:
    cdef Py_ssize_t i
    for i in range(size):
        if lower(<uint8_t>a[i]) != lower(<uint8_t>b[i]):
            return False
    return True


cdef bint fits(int match, const char* value, Py_ssize_t size, Text text, bint fold) noexcept:
    """One match of CAT-40; `fold` compares without ASCII case."""
    cdef Py_ssize_t i
    if text.size > SUBJECT_MAX or size > text.size:
        return False
    if match == EXACT_MATCH and size != text.size:
        return False
    if match == CONTAINS_MATCH:
        if not fold:
            return memmem(text.data, text.size, value, size) != NULL
        for i in range(text.size - size + 1):
            if same_folded(text.data + i, value, size):
                return True
        return False
    i = text.size - size if match == SUFFIX_MATCH else 0
    if fold:
        return same_folded(text.data + i, value, size)
    return memcmp(text.data + i, value, size) == 0


cdef bint in_texts(tuple texts, const char* data, Py_ssize_t size) noexcept:
    cdef bytes text
    for item in texts:
        text = <bytes>item
        if same(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), data, size):
            return True
    return False


cdef uint64_t cell(double value, double half) noexcept:
    """The index of `value` among the 2**30 equal parts of [-half, half); every bound is exact."""
    cdef double part = half / (1 << 29)
    cdef int64_t index
    if not value >= -half:
        return 0
    if value >= half:
        return LAST_CELL
    index = <int64_t>((value + half) / part)
    while index > 0 and value < index * part - half:
        index -= 1
    while index < LAST_CELL and value >= (index + 1) * part - half:
        index += 1
    return <uint64_t>index


cdef inline uint64_t spread(uint64_t bits) noexcept:
    """A zero before each of 32 bits (Morton 1966)."""
    bits = (bits | bits << 16) & <uint64_t>0x0000FFFF0000FFFF
    bits = (bits | bits << 8) & <uint64_t>0x00FF00FF00FF00FF
    bits = (bits | bits << 4) & <uint64_t>0x0F0F0F0F0F0F0F0F
    bits = (bits | bits << 2) & <uint64_t>0x3333333333333333
    return (bits | bits << 1) & <uint64_t>0x5555555555555555


cdef void write_geohash(double lat, double lon, char* out) noexcept:
    """GEOHASH_CHARS characters, as `cat.geo.geohash` has them."""
    cdef uint64_t bits = spread(cell(lon, 180.0)) << 1 | spread(cell(lat, 90.0))
    cdef int i
    for i in range(GEOHASH_CHARS):
        out[i] = PyBytes_AS_STRING(BASE32)[bits >> (5 * (GEOHASH_CHARS - 1 - i)) & 31]


cdef bint in_network(const Op* op, const uint8_t* data, Request request) noexcept:
    """One catnip entry (CAT-45)."""
    cdef uint8_t[16] network
    cdef int whole, rest
    if request.read_address() != op.match:
        return False
    memset(network, 0, 16)
    memcpy(network, data + op.at, op.size)
    whole, rest = op.part >> 3, op.part & 7
    if memcmp(network, request.address, whole) != 0:
        return False
    return rest == 0 or (network[whole] ^ request.address[whole]) >> (8 - rest) == 0


cdef class Rules:
    def __init__(self, issuers=(), audiences=(), subject=None, double skew_s=0, required=(), normalise=lambda request: None):
        self.issuers = tuple([text.encode() for text in issuers])
        self.audiences = tuple([text.encode() for text in audiences])
        self.subject = None if subject is None else subject.encode()
        self.skew_s = skew_s
        self.required = tuple(required)
        self.normalise = normalise

    cdef bint present(self, Plan plan) except -1:
        cdef int i, label
        cdef bint found
        for item in self.required:
            label = item
            found = False
            for i in range(plan.claims):
                found |= plan.labels[i] == label
            if not found:
                return False
        return True

    cdef bint hold(self, Plan plan, Request request) except -1:
        """Whether every test holds."""
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(plan.payload)
        cdef const char* text
        cdef Op* op
        cdef int i, kind
        cdef bint networks = False, inside = False
        for i in range(plan.count):
            op = &plan.ops[i]
            kind = op.kind
            text = <const char*>data + op.at
            if kind == CATU:
                if not self.uri(op, text, request):
                    return False
            elif kind == CATNIP:
                networks = True
                if not inside:
                    if op.match:
                        inside = in_network(op, data, request)
                    else:
                        inside = op.number <= request.system <= op.part
            elif kind == EXP:
                if request.now - self.skew_s >= op.number:
                    return False
            elif kind == NBF:
                if request.now + self.skew_s < op.number:
                    return False
            elif kind == ISS:
                if self.issuers and not in_texts(self.issuers, text, op.size):
                    return False
            elif kind == SUB:
                if self.subject is not None and not in_texts((self.subject,), text, op.size):
                    return False
            elif kind == CATH:
                if not self.header(op, text, plan, request):
                    return False
            elif not self.listed(op, plan, request):
                return False
        return inside or not networks

    cdef bint uri(self, const Op* op, const char* value, Request request) except -1:
        cdef Text text
        if not request.has_uri(self.normalise):
            return False
        text = request.components[op.part]
        if fits(op.match, value, op.size, text, op.part == AT_HOST):
            return True
        if op.match != EXACT_MATCH:
            return False
        if op.part == AT_PORT:
            return op.size == 0 and request.default_port
        return op.part == AT_PARENT_PATH and text.size == 0 and same(value, op.size, b"/", 1)

    cdef bint header(self, const Op* op, const char* value, Plan plan, Request request) except -1:
        cdef Text text
        field = request.headers.get(plan.names[op.part])
        if type(field) is not str:
            return False
        text = text_of(field)
        while text.size > 0 and (text.data[0] == c" " or text.data[0] == c"\t"):
            text.data += 1
            text.size -= 1
        while text.size > 0 and (text.data[text.size - 1] == c" " or text.data[text.size - 1] == c"\t"):
            text.size -= 1
        return text.size >= 0 and fits(op.match, value, op.size, text, False)

    cdef bint listed(self, const Op* op, Plan plan, Request request) except -1:
        """Claims of which one item must agree."""
        cdef Cursor items
        cdef uint64_t size
        cdef const char* item
        cdef Text text
        cdef char[GEOHASH_CHARS] place
        cdef const char* dash
        cdef int i, kind = op.kind
        text.data, text.size = NULL, 0
        if kind == CATM:
            text = text_of(request.method)
        elif kind == CATALPN:
            text = text_of(request.alpn)
        elif kind == CATGEOISO3166:
            text = text_of(request.country)
        elif kind == GEOHASH:
            if request.lat is None or request.lon is None:
                return False
            write_geohash(request.lat, request.lon, place)
            text.data, text.size = place, GEOHASH_CHARS
        elif kind != AUD:
            return False
        if text.size < 0:
            return False
        items.data = <const uint8_t*>PyBytes_AS_STRING(plan.payload)
        items.at, items.end = op.at, PyBytes_GET_SIZE(plan.payload)
        for i in range(op.part):
            next_head(&items, &size)
            item = <const char*>items.data + items.at
            items.at += <Py_ssize_t>size
            if kind == AUD:
                if in_texts(self.audiences, item, <Py_ssize_t>size):
                    return True
            elif kind == GEOHASH:
                if memcmp(item, place, size) == 0:
                    return True
            elif kind == CATGEOISO3166:
                dash = <const char*>memchr(text.data, c"-", text.size)
                if fits(EXACT_MATCH, item, <Py_ssize_t>size, text, True):
                    return True
                if (
                    dash != NULL
                    and dash - text.data == <Py_ssize_t>size
                    and same_folded(item, text.data, <Py_ssize_t>size)
                ):
                    return True
            elif same(item, <Py_ssize_t>size, text.data, text.size):
                return True
        return False
