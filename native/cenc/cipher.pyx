# cython: auto_pickle=False, boundscheck=False, wraparound=False
"""The ciphers of common encryption (ISO/IEC 23001-7; specs/protection.md PR-13..PR-20).

Rules of the file
1. Everything is checked before the first octet changes.
   `cenc` and `cbcs` work in place, their `_copy` on a copy that they answer, their `_fresh` on
   bytes that nobody has seen yet. CTR opens what it sealed; `cbcs_open` works on a copy.
2. One call of the library per range (cbcs) or per protected run (cenc), never per block: the blocks
   that a pattern protects are gathered, encrypted and put back.
3. The work is done without the interpreter's lock, under a twin of the key.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from native.crypto.aes cimport Aes

from native.cenc.errors import RangeError

cdef enum:
    BLOCK = 16
    PATTERN_MAX = 15  # blocks; the fields of tenc have four bits


cdef enum Way:
    SEAL
    OPEN
    LEFTOVER  # open, blocks left over at a range's end too (PR-17)


cdef struct Table:
    uint8_t* data
    Py_ssize_t samples
    const uint32_t* sizes
    const uint16_t* counts
    const uint32_t* ranges


cdef Table table(
    uint8_t* data, Py_ssize_t size, bytes sizes, bytes counts, bytes ranges
) except *:
    """The arguments side by side, found to agree."""
    cdef Table found
    cdef Py_ssize_t i, pairs = 0, wanted = PyBytes_GET_SIZE(ranges) // 8
    cdef uint64_t total = 0, span
    cdef uint32_t j
    found.data = data
    found.samples = PyBytes_GET_SIZE(sizes) // 4
    found.sizes = <const uint32_t*>PyBytes_AS_STRING(sizes)
    found.counts = <const uint16_t*>PyBytes_AS_STRING(counts)
    found.ranges = <const uint32_t*>PyBytes_AS_STRING(ranges)
    if PyBytes_GET_SIZE(counts) != 2 * found.samples or PyBytes_GET_SIZE(ranges) != 8 * wanted:
        raise RangeError("sizes, counts and ranges differ in number")
    for i in range(found.samples):
        total += found.sizes[i]
        if found.counts[i] == 0:
            continue
        if pairs + found.counts[i] > wanted:
            raise RangeError(f"sample {i}: there are not so many ranges")
        span = 0
        for j in range(2 * found.counts[i]):
            span += found.ranges[2 * pairs + j]
        if span != found.sizes[i]:
            raise RangeError(f"sample {i}: its ranges span {span} bytes of {found.sizes[i]}")
        pairs += found.counts[i]
    if pairs != wanted or total != <uint64_t>size:
        raise RangeError("the samples do not fill the data")
    return found


def cenc(
    Aes key not None,
    bytearray data not None,
    bytes sizes not None,
    bytes counts not None,
    bytes ranges not None,
    bytes ivs not None,
):
    _cenc(key, place(data), PyByteArray_GET_SIZE(data), sizes, counts, ranges, ivs)


def cenc_copy(
    Aes key not None,
    const uint8_t[::1] data not None,
    bytes sizes not None,
    bytes counts not None,
    bytes ranges not None,
    bytes ivs not None,
):
    cdef bytes copy = copied(data)
    _cenc(
        key, <uint8_t*>PyBytes_AS_STRING(copy), data.shape[0], sizes, counts, ranges, ivs
    )
    return copy


def cenc_fresh(
    Aes key not None,
    bytes data not None,
    bytes sizes not None,
    bytes counts not None,
    bytes ranges not None,
    bytes ivs not None,
):
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(data)
    _cenc(key, at, PyBytes_GET_SIZE(data), sizes, counts, ranges, ivs)


cdef inline uint8_t* place(bytearray data):
    return <uint8_t*>PyByteArray_AS_STRING(data)


cdef bytes copied(const uint8_t[::1] data):
    """Bytes that nobody else holds, not even as the interpreter's one object of their value."""
    cdef bytes copy = PyBytes_FromStringAndSize(NULL, data.shape[0])
    if data.shape[0]:
        memcpy(PyBytes_AS_STRING(copy), &data[0], data.shape[0])
    return copy


cdef int _cenc(
    Aes key, uint8_t* data, Py_ssize_t size, bytes sizes, bytes counts, bytes ranges, bytes ivs
) except -1:
    cdef Table given = table(data, size, sizes, counts, ranges)
    cdef Py_ssize_t width = PyBytes_GET_SIZE(ivs) // given.samples if given.samples else 8
    cdef const uint8_t* iv = <const uint8_t*>PyBytes_AS_STRING(ivs)
    cdef Aes own = key.twin()
    if (width != 8 and width != BLOCK) or PyBytes_GET_SIZE(ivs) != width * given.samples:
        raise RangeError("an IV has 8 or 16 bytes")
    with nogil:
        return _streams(own, &given, iv, width)


cdef int _streams(Aes key, Table* given, const uint8_t* iv, Py_ssize_t width) except -1 nogil:
    """One key stream a sample, over its protected bytes."""
    cdef uint8_t* at = given.data
    cdef const uint32_t* pair = given.ranges
    cdef Stream stream
    cdef Py_ssize_t i
    cdef int j
    for i in range(given.samples):
        start(key, &stream, iv, width)
        iv += width
        if given.counts[i] == 0:
            run(key, &stream, at, given.sizes[i])
            at += given.sizes[i]
        for j in range(given.counts[i]):
            run(key, &stream, at + pair[0], pair[1])
            at += <Py_ssize_t>pair[0] + pair[1]
            pair += 2
    return 0


cdef struct Stream:  # of one sample
    uint8_t[BLOCK] block
    uint64_t before_wrap  # octets until the counter is 0 again; 0: out of reach


cdef int start(Aes key, Stream* stream, const uint8_t* iv, Py_ssize_t width) except -1 nogil:
    cdef uint64_t counter = 0
    cdef int i
    memset(stream.block, 0, BLOCK)
    memcpy(stream.block, iv, width)
    for i in range(8, BLOCK):
        counter = counter << 8 | stream.block[i]
    counter = 0 - counter
    stream.before_wrap = counter * BLOCK if counter < <uint64_t>1 << 40 else 0
    return key.start_ctr(stream.block)


cdef int run(Aes key, Stream* stream, uint8_t* data, uint64_t size) except -1 nogil:
    """The counter is the low half of the block, without carry into the high half (PR-13)."""
    if stream.before_wrap and size >= stream.before_wrap:
        key.run_ctr(data, <Py_ssize_t>stream.before_wrap)
        data += stream.before_wrap
        size -= stream.before_wrap
        stream.before_wrap = 0
        memset(stream.block + 8, 0, 8)
        key.start_ctr(stream.block)
    elif stream.before_wrap:
        stream.before_wrap -= size
    return key.run_ctr(data, <Py_ssize_t>size)


def cbcs(
    Aes key not None,
    bytearray data not None,
    bytes sizes not None,
    bytes counts not None,
    bytes ranges not None,
    bytes iv not None,
    int crypt,
    int skip,
):
    _cbcs(
        key, place(data), PyByteArray_GET_SIZE(data), sizes, counts, ranges, iv, crypt, skip
    )


def cbcs_copy(
    Aes key not None,
    const uint8_t[::1] data not None,
    bytes sizes not None,
    bytes counts not None,
    bytes ranges not None,
    bytes iv not None,
    int crypt,
    int skip,
):
    cdef bytes copy = copied(data)
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(copy)
    _cbcs(key, at, data.shape[0], sizes, counts, ranges, iv, crypt, skip)
    return copy


def cbcs_fresh(
    Aes key not None,
    bytes data not None,
    bytes sizes not None,
    bytes counts not None,
    bytes ranges not None,
    bytes iv not None,
    int crypt,
    int skip,
):
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(data)
    _cbcs(key, at, PyBytes_GET_SIZE(data), sizes, counts, ranges, iv, crypt, skip)


def cbcs_open(
    Aes key not None,
    const uint8_t[::1] data not None,
    bytes sizes not None,
    bytes counts not None,
    bytes ranges not None,
    bytes iv not None,
    int crypt,
    int skip,
    bint leftover=False,
):
    cdef bytes copy = copied(data)
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(copy)
    cdef Way way = LEFTOVER if leftover else OPEN
    _cbcs(key, at, data.shape[0], sizes, counts, ranges, iv, crypt, skip, way)
    return copy


cdef int _cbcs(
    Aes key,
    uint8_t* data,
    Py_ssize_t size,
    bytes sizes,
    bytes counts,
    bytes ranges,
    bytes iv,
    int crypt,
    int skip,
    Way way=SEAL,
) except -1:
    cdef Table given = table(data, size, sizes, counts, ranges)
    cdef const uint8_t* first = <const uint8_t*>PyBytes_AS_STRING(iv)
    cdef uint8_t* scratch
    cdef uint32_t most = 0
    cdef Py_ssize_t i
    cdef Aes own = key.twin() if way == SEAL else key.opener()
    if PyBytes_GET_SIZE(iv) != BLOCK:
        raise RangeError("a constant IV has 16 bytes")
    if not (0 <= crypt <= PATTERN_MAX and 0 <= skip <= PATTERN_MAX) or (skip and not crypt):
        raise RangeError("a pattern has 1..15 blocks of each kind, or 0 to skip")
    for i in range(given.samples):
        most = max(most, given.sizes[i])
    scratch = <uint8_t*>malloc(most + 1)
    if scratch == NULL:
        raise MemoryError
    try:
        with nogil:
            return _chains(own, &given, first, crypt, skip, way, scratch)
    finally:
        free(scratch)


cdef int _chains(
    Aes key, Table* given, const uint8_t* iv, int crypt, int skip, Way way, uint8_t* scratch
) except -1 nogil:
    """One chain a range."""
    cdef uint8_t* at = given.data
    cdef const uint32_t* pair = given.ranges
    cdef Py_ssize_t i
    cdef int j
    for i in range(given.samples):
        if given.counts[i] == 0:
            protect(key, iv, at, given.sizes[i], crypt, skip, way, scratch)
            at += given.sizes[i]
        for j in range(given.counts[i]):
            protect(key, iv, at + pair[0], pair[1], crypt, skip, way, scratch)
            at += <Py_ssize_t>pair[0] + pair[1]
            pair += 2
    return 0


cdef inline void blocks(uint8_t* to, const uint8_t* data, int count) noexcept nogil:
    """A copy whose length the compiler knows."""
    cdef int i
    for i in range(count):
        memcpy(to + BLOCK * i, data + BLOCK * i, BLOCK)


cdef int protect(
    Aes key,
    const uint8_t* iv,
    uint8_t* data,
    Py_ssize_t size,
    int crypt,
    int skip,
    Way way,
    uint8_t* scratch,
) except -1 nogil:
    """One range: its protected blocks as one chain."""
    cdef Py_ssize_t step = BLOCK * (crypt + skip), run = BLOCK * crypt, at = 0, held = 0
    cdef int rest = 0
    if size < BLOCK:
        return 0
    if skip == 0:
        return chain(key, iv, data, size - size % BLOCK, way)
    while size - at >= run:
        blocks(scratch + held, data + at, crypt)
        held += run
        at += step
    if way == LEFTOVER and at < size:
        rest = <int>((size - at) // BLOCK)
        blocks(scratch + held, data + at, rest)
    if held == 0 and rest == 0:
        return 0
    chain(key, iv, scratch, held + BLOCK * rest, way)
    at = held = 0
    while size - at >= run:
        blocks(data + at, scratch + held, crypt)
        held += run
        at += step
    blocks(data + at, scratch + held, rest)
    return 0


cdef inline int chain(
    Aes key, const uint8_t* iv, uint8_t* data, Py_ssize_t size, Way way
) except -1 nogil:
    return key.cbc(iv, data, size) if way == SEAL else key.cbc_open(iv, data, size)
