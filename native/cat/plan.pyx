# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""A token's claims compiled to tests, for the forms that nearly all tokens have.

Rules of the file
1. A plan is made only of what is certainly well-formed (specs/cat.md step 7): shortest forms, known
   shapes, distinct labels. Whatever else stands in the payload, even if legal, makes no plan, and
   the token is judged the long way.
2. Every claim that restricts becomes a test, or there is no plan.
3. The octets that tests refer to were checked here; judging trusts them.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport INFINITY
from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from native.cat.cursor cimport ARRAY, BYTES, MAP, NINT, TAG, TEXT, UINT, Cursor, next_head, octets, whole_number
from native.cat.labels cimport (
    AT_EXTENSION,
    AUD,
    CATALPN,
    CATGEOISO3166,
    CATH,
    CATIFDATA,
    CATM,
    CATNIP,
    CATR,
    CATREPLAY,
    CATU,
    CATV,
    CONTAINS_MATCH,
    CTI,
    EXACT_MATCH,
    EXP,
    GEOHASH,
    IAT,
    ISS,
    NBF,
    SUB,
    is_contested,
)
from native.cat.labels cimport CATDPOP, CATGEOALT, CATGEOCOORD, CATIF, CATPOR, CATTPK, CNF

cdef enum:  # specs/cat.md section 12
    ARRAY_MAX = 256
    LIST_MAX = 50
    REGIONS_MAX = 250
    DEPTH_MAX = 8
    DEADLINE_S = 60  # CAT-51
    ABSOLUTE_DEADLINE = 1000000000

cdef int64_t NO_DEADLINE = INT64_MIN

cdef enum:
    IPV4 = 52  # RFC 9164
    IPV6 = 54

cdef bytes TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
cdef bytes BASE32 = b"0123456789bcdefghjkmnpqrstuvwxyz"
cdef uint8_t[256] kinds
cdef enum:
    IN_TOKEN = 1  # RFC 9110 5.6.2
    IN_GEOHASH = 2


cdef void fill_kinds():
    cdef int c
    for c in TOKEN:
        kinds[c] |= IN_TOKEN
    for c in BASE32:
        kinds[c] |= IN_GEOHASH


fill_kinds()


cdef inline bint only(Cursor* cursor, Op* op, uint8_t kind) noexcept:
    cdef uint32_t i
    for i in range(op.size):
        if not kinds[cursor.data[op.at + i]] & kind:
            return False
    return op.size > 0


cdef int listed(Cursor* cursor, int wanted, int most, Op* op, uint8_t kind) noexcept:
    """A list of strings of one type: its first item stands at `op.at`; returns their number, or 0.

    `kind`, when not 0, is what every octet must be.
    """
    cdef uint64_t count
    cdef uint64_t i
    cdef Op item
    if next_head(cursor, &count) != ARRAY or not 1 <= count <= <uint64_t>most:
        return 0
    op.at = <uint32_t>cursor.at
    for i in range(count):
        if not octets(cursor, wanted, &item.at, &item.size) or (kind and not only(cursor, &item, kind)):
            return 0
    return <int>count


cdef bint skipped(Cursor* cursor, int depth) noexcept:
    """Any item without maps, tags and simple values."""
    cdef uint64_t argument, i
    cdef Op op
    cdef Py_ssize_t at = cursor.at
    cdef int major = next_head(cursor, &argument)
    if major == UINT or major == NINT:
        return True
    if major == BYTES or major == TEXT:
        cursor.at = at
        return octets(cursor, major, &op.at, &op.size)
    if major != ARRAY or argument > ARRAY_MAX or depth == 0:
        return False
    for i in range(argument):
        if not skipped(cursor, depth - 1):
            return False
    return True


cdef bint network(Cursor* cursor, Op* op) noexcept:
    """One catnip entry (CAT-45): `match` is its family, or 0 for systems `number`..`part`."""
    cdef uint64_t low, high, length
    cdef int major = next_head(cursor, &low)
    cdef int width
    cdef uint32_t i
    if major == UINT:
        op.match, op.number, op.size = 0, <int64_t>low, 0
        op.part = <int>low
        return low <= 0x7FFFFFFF
    if major == ARRAY:
        if low != 2 or next_head(cursor, &low) != UINT or next_head(cursor, &high) != UINT:
            return False
        op.match, op.number, op.part = 0, <int64_t>low, <int>high
        return low <= high <= 0x7FFFFFFF
    if major != TAG or (low != IPV4 and low != IPV6):
        return False
    op.match = 4 if low == IPV4 else 6
    width = 4 if low == IPV4 else 16
    major = next_head(cursor, &length)
    if major == BYTES:
        if length != <uint64_t>width or length > <uint64_t>(cursor.end - cursor.at):
            return False
        op.at, op.size, op.part = <uint32_t>cursor.at, <uint32_t>width, 8 * width
        cursor.at += width
        return True
    if major != ARRAY or length != 2 or next_head(cursor, &length) != UINT:
        return False
    if length > <uint64_t>(8 * width) or not octets(cursor, BYTES, &op.at, &op.size) or op.size > <uint32_t>width:
        return False
    op.part = <int>length
    for i in range(op.size):  # no bit is set beyond the length
        if 8 * (i + 1) > length:
            low = 8 * (i + 1) - length
            if low >= 8:
                low = 8
            if cursor.data[op.at + i] & ((1 << low) - 1):
                return False
    return True


cdef bint renewal(Cursor* cursor, int64_t* deadline) noexcept:
    """catr in its plain forms (CAT-50); `deadline` is changed where there is one."""
    cdef uint64_t pairs, i
    cdef int64_t key, value
    cdef int seen = 0
    cdef Op op
    if next_head(cursor, &pairs) != MAP or pairs > 8:
        return False
    for i in range(pairs):
        if not whole_number(cursor, &key) or not 0 <= key <= 4 or seen & 1 << key:
            return False
        seen |= 1 << key
        if key <= 2:
            if not whole_number(cursor, &value):
                return False
            if (key == 0 and not 0 <= value <= 3) or (key == 1 and value < 1):
                return False
            if key == 2:
                deadline[0] = value
        elif not octets(cursor, TEXT, &op.at, &op.size) or not only(cursor, &op, IN_TOKEN):
            return False
    return seen & 3 == 3


@cython.no_gc  # plans refer to nothing that refers to them
cdef class Plan:
    def __dealloc__(self):
        PyMem_Free(self.ops)

    cdef Op* room(self, int kind) noexcept:
        """A new test, or NULL when there are too many."""
        cdef Op* op
        if self.count == OPS_MAX:
            return NULL
        op = &self.ops[self.count]
        self.count += 1
        op.kind = kind
        op.part = op.match = 0
        op.at = op.size = 0
        op.number = 0
        return op

    cdef bint compile(self, const uint8_t* data, Py_ssize_t size) except -1:
        """Whether these claims have a plan; it is then in this object, at its own size."""
        cdef Op[OPS_MAX] ops
        cdef int[CLAIMS_MAX] labels
        cdef char* kept = NULL
        cdef size_t tests
        cdef bint made
        self.ops, self.labels = ops, labels
        try:
            made = self.read(data, size)
            tests = self.count * sizeof(Op)
            if made:
                kept = <char*>PyMem_Malloc(tests + self.claims * sizeof(int))
                if kept == NULL:
                    raise MemoryError
                memcpy(kept, ops, tests)
                memcpy(kept + tests, labels, self.claims * sizeof(int))
        finally:
            self.ops, self.labels = <Op*>kept, NULL
        if made:
            self.labels = <int*>(kept + tests)
        return made

    cdef bint read(self, const uint8_t* data, Py_ssize_t size) except -1:
        cdef Cursor cursor
        cdef uint64_t pairs
        cdef int64_t label
        cdef uint64_t i
        cdef int j
        cursor.data, cursor.at, cursor.end = data, 0, size
        self.count = self.claims = 0
        self.deadline, self.exp, self.renew_at = NO_DEADLINE, INFINITY, INFINITY
        if next_head(&cursor, &pairs) != MAP or pairs > CLAIMS_MAX:
            return False
        for i in range(pairs):
            if not whole_number(&cursor, &label) or is_contested(label) or not 0 <= label < 1 << 30:
                return False
            for j in range(self.claims):
                if self.labels[j] == label:
                    return False
            self.labels[self.claims] = <int>label
            self.claims += 1
            if not self.claim(&cursor, <int>label):
                return False
        if self.deadline > ABSOLUTE_DEADLINE:
            self.renew_at = <double>self.deadline
        elif self.deadline != NO_DEADLINE:
            self.renew_at = self.exp - <double>self.deadline
        return cursor.at == size

    cdef bint claim(self, Cursor* cursor, int label) except -1:
        cdef Op* op
        cdef Op none
        cdef int64_t number
        if label == CATV:
            return whole_number(cursor, &number) and number == 1
        if label == IAT:
            return whole_number(cursor, &number)
        if label == CATREPLAY:
            return whole_number(cursor, &number) and number == 0
        if label == CTI:
            return octets(cursor, BYTES, &none.at, &none.size)
        if label == CATR:
            self.deadline = DEADLINE_S
            return renewal(cursor, &self.deadline)
        if label == CATIFDATA:
            return self.texts(cursor, label, &none)
        if label == CATU or label == CATH:
            return self.matches(cursor, label)
        if label == CATNIP:
            return self.networks(cursor)
        op = self.room(label)
        if op == NULL:
            return False
        if label == EXP or label == NBF:
            if not whole_number(cursor, &op.number):
                return False
            if label == EXP:
                self.exp = <double>op.number
            return True
        if label == ISS or label == SUB:
            return octets(cursor, TEXT, &op.at, &op.size)
        if label == AUD:
            return self.texts(cursor, label, op)
        if label == CATM:
            op.part = listed(cursor, TEXT, LIST_MAX, op, IN_TOKEN)
            return op.part > 0
        if label == CATALPN:
            op.part = listed(cursor, BYTES, LIST_MAX, op, 0)
            return op.part > 0
        if label == CATGEOISO3166:
            op.part = listed(cursor, TEXT, REGIONS_MAX, op, 0)
            return op.part > 0
        if label == GEOHASH:
            return self.geohashes(cursor, op)
        self.count -= 1
        if (
            label == CNF or label == CATDPOP or label == CATPOR or label == CATIF
            or label == CATGEOCOORD or label == CATGEOALT or label == CATTPK
        ):
            return False
        return skipped(cursor, DEPTH_MAX)  # no meaning here: ignored (RFC 8392, CAT-64)

    cdef bint texts(self, Cursor* cursor, int label, Op* op) noexcept:
        """A text, or a list of texts, which `op` then refers to as a list of `part`."""
        cdef Py_ssize_t at = cursor.at
        op.part = listed(cursor, TEXT, ARRAY_MAX, op, 0)
        if op.part:
            return True
        cursor.at = at
        if not octets(cursor, TEXT, &op.at, &op.size):
            return False
        op.part, op.at = 1, <uint32_t>at
        return True

    cdef bint geohashes(self, Cursor* cursor, Op* op) noexcept:
        cdef Cursor items
        cdef Op item
        cdef int i
        if not self.texts(cursor, GEOHASH, op) or op.part > LIST_MAX:
            return False
        items.data, items.at, items.end = cursor.data, op.at, cursor.at
        for i in range(op.part):
            if not octets(&items, TEXT, &item.at, &item.size) or item.size > 12 or not only(&items, &item, IN_GEOHASH):
                return False
        return True

    cdef bint networks(self, Cursor* cursor) noexcept:
        """One test per entry; any of them suffices."""
        cdef uint64_t count, i
        cdef Op* op
        if next_head(cursor, &count) != ARRAY or not 1 <= count <= ARRAY_MAX:
            return False
        for i in range(count):
            op = self.room(CATNIP)
            if op == NULL or not network(cursor, op):
                return False
        return True

    cdef bint matches(self, Cursor* cursor, int label) except -1:
        """catu by component, cath by header name: one test per match."""
        cdef uint64_t parts, i, count, j
        cdef int64_t number
        cdef int part, seen, parts_seen = 0
        cdef Op* op
        cdef Op name
        if next_head(cursor, &parts) != MAP or not 1 <= parts <= NAMES_MAX:
            return False
        for i in range(parts):
            if label == CATU:
                if not whole_number(cursor, &number) or not 0 <= number <= AT_EXTENSION:
                    return False
                part = <int>number
                if parts_seen & 1 << part:
                    return False
                parts_seen |= 1 << part
            else:
                if not octets(cursor, TEXT, &name.at, &name.size) or not only(cursor, &name, IN_TOKEN):
                    return False
                text = cursor.data[name.at : name.at + name.size].decode("ascii").lower()
                if self.names is None:
                    self.names = []
                if text in self.names:
                    return False
                part = len(self.names)
                self.names.append(text)
            if next_head(cursor, &count) != MAP or not 1 <= count <= 4:
                return False
            seen = 0
            for j in range(count):
                op = self.room(label)
                if op == NULL or not whole_number(cursor, &number):
                    return False
                if not EXACT_MATCH <= number <= CONTAINS_MATCH or seen & 1 << number:
                    return False
                seen |= 1 << number
                op.part, op.match = part, <int>number
                if not octets(cursor, TEXT, &op.at, &op.size) or (number != EXACT_MATCH and op.size == 0):
                    return False
        return True
