# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""The quick yes: a token in its common form, from text to judgement, without Python objects but the
plan that is kept (specs/cat.md sections 1, 2 and 10).

Rules of the file
1. It answers "accepted" only where every step of the long way would; any doubt is None.
2. Nothing of a claim is looked at before the seal holds (CAT-27).
3. Only tokens whose seal held are remembered; the clock, the request, the lists and the key's own
   life are judged each time.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy

from native.cat.cursor cimport ARRAY, BYTES, MAP, NINT, TAG, TEXT, UINT, Cursor, next_head
from native.cat.epoch cimport Epoch
from native.cat.judge cimport Rules
from native.cat.namer cimport TOKEN_MAX, Namer
from native.cat.plan cimport Plan
from native.cat.request cimport Request, Text, text_of
from native.cat.verdict cimport Verdict
from native.crypto.mac cimport Mac

cdef enum:
    ACCEPTED_STEP = 18  # every step of specs/cat.md section 10 passed
    DECODED_MAX = 3072
    PAYLOAD_MAX = 1900  # no payload of this size holds more items than CAT section 12 allows
    KEY_BYTES = 32
    KID_MAX = 256
    CWT = 61  # RFC 8392 6
    MAC0 = 17  # RFC 9052 2
    SIGN1 = 18
    ALG = 1  # RFC 9052 3.1
    KID = 4
    HS256 = 5  # RFC 9053

cdef bytes MAC_HEAD = b"\x84\x64MAC0"  # RFC 9052 6.3
cdef bytes SIGN_HEAD = b"\x84\x6aSignature1"  # RFC 9052 4.4
cdef uint8_t[256] sextets  # value of each letter of base64url; 64: none


cdef void fill_sextets():
    cdef int i, c
    for i in range(256):
        sextets[i] = 64
    for i, c in enumerate(bytearray(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")):
        sextets[c] = <uint8_t>i


fill_sextets()


cdef Py_ssize_t decode(const uint8_t* text, Py_ssize_t size, uint8_t* out) noexcept:
    """Unpadded base64url with zero trailing bits; the number of octets, or -1."""
    cdef Py_ssize_t i = 0, made = 0
    cdef uint8_t a, b, c, d
    while size - i >= 4:
        a, b = sextets[text[i]], sextets[text[i + 1]]
        c, d = sextets[text[i + 2]], sextets[text[i + 3]]
        if (a | b | c | d) & 64:
            return -1
        out[made] = <uint8_t>(a << 2 | b >> 4)
        out[made + 1] = <uint8_t>(b << 4 | c >> 2)
        out[made + 2] = <uint8_t>(c << 6 | d)
        i += 4
        made += 3
    if size - i == 1:
        return -1
    if size - i >= 2:
        a, b = sextets[text[i]], sextets[text[i + 1]]
        c = sextets[text[i + 2]] if size - i == 3 else 0
        if (a | b | c) & 64:
            return -1
        out[made] = <uint8_t>(a << 2 | b >> 4)
        made += 1
        if size - i == 3:
            out[made] = <uint8_t>(b << 4 | c >> 2)
            made += 1
            return made if c & 3 == 0 else -1
        return made if b & 15 == 0 else -1
    return made


cdef struct Span:
    const uint8_t* data
    Py_ssize_t size


cdef struct Parts:
    int tag
    int64_t algorithm
    Span kid  # data is NULL when there is none
    Span protected  # with its head
    Span payload  # without
    Span payload_item  # with its head
    Span seal


cdef bint string(Cursor* cursor, int wanted, Span* span) noexcept:
    cdef uint64_t size
    if next_head(cursor, &size) != wanted or size > <uint64_t>(cursor.end - cursor.at):
        return False
    span.data, span.size = cursor.data + cursor.at, <Py_ssize_t>size
    cursor.at += <Py_ssize_t>size
    return True


cdef bint kid_of(Cursor* cursor, Parts* parts) noexcept:
    """A key id as bytes or ASCII text (CAT-8), met once."""
    cdef Py_ssize_t at = cursor.at, i
    if parts.kid.data != NULL:
        return False
    if not string(cursor, BYTES, &parts.kid):
        cursor.at = at
        if not string(cursor, TEXT, &parts.kid):
            return False
        for i in range(parts.kid.size):
            if parts.kid.data[i] & 0x80:
                return False
    return parts.kid.size <= KID_MAX


cdef bint headers(Cursor* cursor, Parts* parts, bint protected) noexcept:
    """alg, protected, and kid in either bucket; nothing else."""
    cdef uint64_t pairs, label, argument, i
    cdef int major
    if next_head(cursor, &pairs) != MAP or pairs > 2:
        return False
    for i in range(pairs):
        if next_head(cursor, &label) != UINT:
            return False
        if label == KID:
            if not kid_of(cursor, parts):
                return False
        elif label == ALG and protected and parts.algorithm == 0:
            major = next_head(cursor, &argument)
            if (major != UINT and major != NINT) or argument > 64:
                return False
            parts.algorithm = <int64_t>argument if major == UINT else -1 - <int64_t>argument
        else:
            return False
    return True


cdef bint envelope(Cursor* cursor, Parts* parts) noexcept:
    """COSE_Mac0 or COSE_Sign1, optionally inside tag 61 (CAT-1, CAT-2)."""
    cdef uint64_t number
    cdef Py_ssize_t at
    cdef Span span
    cdef Cursor inner
    parts.algorithm, parts.kid.data = 0, NULL
    if next_head(cursor, &number) != TAG:
        return False
    if number == CWT and next_head(cursor, &number) != TAG:
        return False
    if number != MAC0 and number != SIGN1:
        return False
    parts.tag = <int>number
    if next_head(cursor, &number) != ARRAY or number != 4:
        return False
    at = cursor.at
    if not string(cursor, BYTES, &span):
        return False
    parts.protected.data, parts.protected.size = cursor.data + at, cursor.at - at
    inner.data, inner.at, inner.end = span.data, 0, span.size
    if not headers(&inner, parts, True) or inner.at != inner.end:
        return False
    if not headers(cursor, parts, False):
        return False
    at = cursor.at
    if not string(cursor, BYTES, &parts.payload):
        return False
    parts.payload_item.data, parts.payload_item.size = cursor.data + at, cursor.at - at
    return string(cursor, BYTES, &parts.seal) and cursor.at == cursor.end


cdef Py_ssize_t sealed(const Parts* parts, uint8_t* out) noexcept:
    """What the seal covers (CAT-3)."""
    cdef bytes head = MAC_HEAD if parts.tag == MAC0 else SIGN_HEAD
    cdef Py_ssize_t size = PyBytes_GET_SIZE(head)
    memcpy(out, PyBytes_AS_STRING(head), size)
    memcpy(out + size, parts.protected.data, parts.protected.size)
    size += parts.protected.size
    out[size] = BYTES << 5  # no external data
    size += 1
    memcpy(out + size, parts.payload_item.data, parts.payload_item.size)
    return size + parts.payload_item.size


cdef class Sealer:
    cdef bytes kid
    cdef int algorithm
    cdef str name
    cdef Mac mac
    cdef object holds
    cdef double not_before
    cdef double not_after

    def __init__(
        self,
        bytes kid not None,
        int algorithm,
        str name not None,
        bytes secret=None,
        holds=None,
        not_before=None,
        not_after=None,
    ):
        if (secret is None) == (algorithm == HS256) or (holds is None) == (secret is None):
            raise ValueError("HS256 takes a secret, the others a call")
        self.kid, self.algorithm, self.name, self.holds = kid, algorithm, name, holds
        self.mac = None if secret is None else Mac(secret)
        self.not_before = -INFINITY if not_before is None else not_before
        self.not_after = INFINITY if not_after is None else not_after

    cdef bint believes(self, const Parts* parts) except -1:
        cdef uint8_t[DECODED_MAX + 64] data
        cdef Py_ssize_t size = sealed(parts, data)
        if self.mac is not None:
            return parts.seal.size == KEY_BYTES and self.mac.holds_at(data, size, parts.seal.data)
        return self.holds(
            PyBytes_FromStringAndSize(<const char*>data, size),
            PyBytes_FromStringAndSize(<const char*>parts.seal.data, parts.seal.size),
        )


cdef Sealer sealer_of(tuple sealers, const Parts* parts):
    """The only key that can have sealed this; None when there is none or a choice."""
    cdef Sealer found = None
    cdef Sealer sealer
    for item in sealers:
        sealer = <Sealer>item
        if parts.kid.data == NULL:
            if sealer.algorithm != parts.algorithm:
                continue
        elif (
            PyBytes_GET_SIZE(sealer.kid) != parts.kid.size
            or memcmp(PyBytes_AS_STRING(sealer.kid), parts.kid.data, parts.kid.size) != 0
        ):
            continue
        if found is not None:
            return None
        found = sealer
    return found if found is not None and found.algorithm == parts.algorithm else None


cdef class Fast:
    def __init__(
        self,
        type kind not None,
        decode not None,
        sealers,
        Rules rules not None,
        Namer namer not None,
        Py_ssize_t most,
        Epoch epoch=None,
        bint renews=False,
    ):
        self.kind, self.decode = kind, decode
        self.sealers, self.rules, self.namer, self.most = tuple(sealers), rules, namer, most
        self.epoch, self.renews = epoch, renews
        self.young, self.old = {}, {}

    def __len__(self):
        return len(self.young) + len(self.old)

    def __class_getitem__(cls, verdict):
        return cls

    def cleared(self, Plan plan not None, double now):
        raise NotImplementedError

    def otherwise(self, str token not None, Request request not None):
        raise NotImplementedError

    def verify(self, str token not None, Request request not None):
        cdef Plan plan = self.accepts(text_of(token), request)
        return self.otherwise(token, request) if plan is None else plan.verdict

    cdef Plan accepts(self, Text text, Request request):
        cdef bytes name
        cdef Plan plan
        if not 0 < text.size <= TOKEN_MAX:
            return None
        name = self.namer.name(text)
        plan = self.young.get(name)
        if plan is None:
            plan = self.old.get(name)
            if plan is None:
                plan = self.read(text, request.now)
                if plan is None:
                    return None
            self.keep(name, plan)
        if not plan.not_before <= request.now < plan.not_after:
            return None
        if self.renews and request.now >= plan.renew_at:
            return None
        if self.epoch is not None and not self.passes(plan, request.now):
            return None
        return plan if self.rules.hold(plan, request) else None

    cdef bint passes(self, Plan plan, double now) except -1:
        """Whether the lists let this token pass, asked once per state of theirs."""
        if now >= self.epoch.fresh_until:
            return False
        if plan.epoch != self.epoch.number:
            number = self.epoch.number
            if not self.cleared(plan, now):
                return False
            plan.epoch = number
        return True

    cdef int keep(self, bytes name, Plan plan) except -1:
        if len(self.young) >= self.most:
            self.young, self.old = {}, self.young
        self.young[name] = plan
        return 0

    cdef Plan read(self, Text text, double now):
        """Steps 1 to 7: the plan of a token whose seal holds."""
        cdef uint8_t[DECODED_MAX] data
        cdef Cursor cursor
        cdef Parts parts
        cdef Sealer sealer
        cdef Plan plan
        cursor.data, cursor.at = data, 0
        cursor.end = decode(<const uint8_t*>text.data, text.size, data)
        if cursor.end < 0 or not envelope(&cursor, &parts) or parts.payload.size > PAYLOAD_MAX:
            return None
        if (parts.tag == MAC0) != (parts.algorithm == HS256):
            return None
        sealer = sealer_of(self.sealers, &parts)
        if sealer is None or not sealer.not_before <= now < sealer.not_after:
            return None
        if not sealer.believes(&parts):
            return None
        plan = Plan.__new__(Plan)
        if not plan.compile(parts.payload.data, parts.payload.size):
            return None
        plan.payload = PyBytes_FromStringAndSize(<const char*>parts.payload.data, parts.payload.size)
        if not self.rules.present(plan):
            return None
        plan.verdict = self.accepted(plan.payload, sealer.name)
        plan.not_before, plan.not_after = sealer.not_before, sealer.not_after
        return plan

    cdef Verdict accepted(self, bytes payload, str kid):
        cdef Verdict verdict = <Verdict>self.kind.__new__(self.kind)
        verdict.accept, verdict.reason, verdict.kid, verdict.step = True, "ok", kid, ACCEPTED_STEP
        verdict.found, verdict.read = payload, self.decode
        return verdict
