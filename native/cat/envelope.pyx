# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""The COSE envelope of a token (RFC 9052; specs/cat.md CAT-1..CAT-8).

The outer array is read in place: of the envelope itself no Python object is made but its parts.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from native.cat.errors import CborError

from native.cat.cbor cimport Decoder, Reader, ended, head

cdef enum:
    BYTES = 2  # major types, RFC 8949 3.1
    ARRAY = 4
    MAP = 5
    TAG = 6
    ALG = 1  # header labels, RFC 9052 3.1
    CRIT = 2
    KID = 4
    IV = 5
    ENCRYPT0 = 16  # tags, RFC 9052 2
    MAC0 = 17
    SIGN1 = 18
    CWT = 61  # RFC 8392 6

_CONTEXTS = {MAC0: b"\x84\x64MAC0", SIGN1: b"\x84\x6aSignature1"}  # head of the array, first text


cdef class Envelope:
    cdef readonly int tag
    cdef readonly bytes protected
    cdef readonly object alg
    cdef readonly bint names_alg
    cdef readonly bytes kid
    cdef readonly bytes iv
    cdef readonly tuple critical
    cdef readonly bytes payload
    cdef readonly dict claims
    cdef readonly bytes seal

    def signed_bytes(self):
        return sealed_structure(self.tag, self.protected, self.payload)

    cdef int read_headers(self, dict headers, dict unprotected) except -1:
        """A label stands in one bucket only, critical ones are protected (CAT-7); CAT-8."""
        for label in headers:
            if label in unprotected:
                raise CborError("a header is doubled")
        if CRIT in unprotected:
            raise CborError("critical headers are unprotected")
        critical = headers.get(CRIT, ())
        if type(critical) is not tuple or (CRIT in headers and not critical):
            raise CborError("crit is not a list of labels")
        kid = headers[KID] if KID in headers else unprotected.get(KID)
        if type(kid) is str:
            kid = (<str>kid).encode()
        if kid is not None and type(kid) is not bytes:
            raise CborError("kid is neither bytes nor text")
        iv = headers[IV] if IV in headers else unprotected.get(IV)
        self.iv = iv if type(iv) is bytes else None
        self.alg = headers.get(ALG)
        self.names_alg = ALG in headers or ALG in unprotected
        self.critical = critical
        self.kid = kid
        return 0


cdef uint64_t part(Decoder decoder, Reader* reader, int depth, int wanted) except? 0:
    """The argument of the next item, which must be of the wanted major type."""
    cdef uint64_t argument
    decoder.count(reader, depth)
    if head(reader, &argument) != wanted:
        raise CborError("wrong kind of part")
    return argument


cdef bytes string(Decoder decoder, Reader* reader, int depth):
    cdef uint64_t size = part(decoder, reader, depth, BYTES)
    return decoder.octets(reader, size, depth)


cdef dict claims_map(Decoder decoder, bytes data):
    value = decoder.whole(data)
    if type(value) is not dict:
        raise CborError("not a map")
    return <dict>value


def parse(bytes data not None, Decoder decoder not None):
    cdef Envelope envelope = Envelope.__new__(Envelope)
    cdef Reader reader
    cdef uint64_t tag, parts
    cdef int depth = 1
    cdef bint open
    cdef dict unprotected
    reader.data = data
    reader.at = 0
    reader.end = len(data)
    reader.items, reader.lenient = 0, decoder.lenient
    tag = part(decoder, &reader, 0, TAG)
    if tag == CWT:
        tag = part(decoder, &reader, depth, TAG)
        depth += 1
    if not ENCRYPT0 <= tag <= SIGN1:
        raise CborError("not a tagged COSE message")
    parts = part(decoder, &reader, depth, ARRAY)
    open = reader.open
    if not open and parts != (3 if tag == ENCRYPT0 else 4):
        raise CborError("wrong number of parts")
    depth += 1
    envelope.tag = <int>tag
    envelope.protected = string(decoder, &reader, depth)
    unprotected = decoder.pairs(&reader, part(decoder, &reader, depth, MAP), depth)
    envelope.payload = string(decoder, &reader, depth)
    envelope.seal = b"" if tag == ENCRYPT0 else string(decoder, &reader, depth)
    if open and not ended(&reader):
        raise CborError("wrong number of parts")
    if reader.at != reader.end:
        raise CborError("trailing bytes")
    headers = claims_map(decoder, envelope.protected) if envelope.protected else {}
    envelope.read_headers(headers, unprotected)
    envelope.claims = {} if tag == ENCRYPT0 else claims_map(decoder, envelope.payload)
    return envelope


cdef Py_ssize_t put_head(uint8_t* out, uint64_t size) noexcept:
    """The head of a byte string, shortest form; returns its length."""
    cdef int info = 0, i
    if size < 24:
        out[0] = <uint8_t>(BYTES << 5 | size)
        return 1
    while info < 3 and size >> (8 << info):
        info += 1
    out[0] = <uint8_t>(BYTES << 5 | (24 + info))
    for i in range(1 << info):
        out[1 + i] = <uint8_t>(size >> (8 * ((1 << info) - 1 - i)))
    return 1 + (1 << info)


def sealed_structure(int tag, bytes protected not None, bytes payload not None):
    cdef bytes context = _CONTEXTS[tag]
    cdef uint8_t[9] protected_head
    cdef uint8_t[9] payload_head
    cdef Py_ssize_t a = put_head(protected_head, len(protected))
    cdef Py_ssize_t b = put_head(payload_head, len(payload))
    cdef bytes whole = PyBytes_FromStringAndSize(
        NULL, len(context) + a + len(protected) + 1 + b + len(payload)
    )
    cdef uint8_t* out = whole
    memcpy(out, <const uint8_t*>context, len(context))
    out += len(context)
    memcpy(out, protected_head, a)
    memcpy(out + a, <const uint8_t*>protected, len(protected))
    out += a + len(protected)
    out[0] = BYTES << 5  # no external data
    memcpy(out + 1, payload_head, b)
    memcpy(out + 1 + b, <const uint8_t*>payload, len(payload))
    return whole

