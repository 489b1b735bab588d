# cython: auto_pickle=False
"""Which bytes of each sample are protected (specs/protection.md PR-23..PR-34).

Rules of the file
1. A unit is clear bytes, then protected ones that end with it. In cenc what is over a multiple of
   16 joins the clear bytes in front (PR-24), so that both schemes follow from one walk (PR-25).
2. Nothing is guessed: a unit that cannot be read refuses the fragment.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from native.cenc.av1 cimport Frames
from native.cenc.avc cimport AvcSets
from native.cenc.bits cimport Bits, bit, bits, open_bits
from native.cenc.hevc cimport HevcSets
from native.cenc.nal cimport Sets

from native.cenc.errors import RangeError, SampleError

cdef enum:
    BLOCK = 16
    CLEAR_MOST = 65535  # a range counts its clear bytes in 16 bits (PR-23)
    RANGES_MOST = 65535  # of one sample, before the limit is applied

_CODECS = {"avcC": AvcSets, "hvcC": HevcSets}


cdef struct Rows:
    uint32_t* pairs
    Py_ssize_t used  # pairs
    Py_ssize_t room
    uint64_t clear  # bytes that wait for the next protected ones


cdef int _push(Rows* rows, uint32_t clear, uint32_t protected) except -1:
    cdef uint32_t* grown
    if rows.used == rows.room:
        grown = <uint32_t*>realloc(rows.pairs, 2 * (rows.room + 1) * 8)
        if grown == NULL:
            raise MemoryError
        rows.pairs = grown
        rows.room = 2 * (rows.room + 1)
    rows.pairs[2 * rows.used] = clear
    rows.pairs[2 * rows.used + 1] = protected
    rows.used += 1
    return 0


cdef int _emit(Rows* rows, uint32_t protected) except -1:
    """The clear bytes that wait, and what follows them."""
    while rows.clear > CLEAR_MOST:
        _push(rows, CLEAR_MOST, 0)
        rows.clear -= CLEAR_MOST
    if rows.clear or protected:
        _push(rows, <uint32_t>rows.clear, protected)
    rows.clear = 0
    return 0


cdef int _unit(Rows* rows, uint32_t clear, uint32_t protected, bint whole_blocks) except -1:
    """One unit: `clear` bytes and the protected ones behind."""
    rows.clear += clear
    if whole_blocks:
        rows.clear += protected % BLOCK
        protected -= protected % BLOCK
    if protected:
        _emit(rows, protected)
    return 0


cdef int _clear_smallest(Rows* rows, Py_ssize_t first, Py_ssize_t limit) except -1:
    """Take protection from the smallest ranges of a sample until it has `limit` ranges (PR-34)."""
    cdef list pairs
    cdef int taken = 0
    pairs = [(rows.pairs[2 * i], rows.pairs[2 * i + 1]) for i in range(first, rows.used)]
    while rows.used - first > limit:
        smallest = min((p for _, p in pairs if p), default=0)
        if not smallest:
            raise SampleError("slice_header", -1, "clear runs alone exceed the table")
        at = next(i for i, pair in enumerate(pairs) if pair[1] == smallest)
        pairs[at] = (pairs[at][0] + pairs[at][1], 0)
        taken += 1
        rows.used = first
        rows.clear = 0
        for clear, protected in pairs:
            rows.clear += <uint64_t>clear
            if protected:
                _emit(rows, protected)
        _emit(rows, 0)
        pairs = [(rows.pairs[2 * i], rows.pairs[2 * i + 1]) for i in range(first, rows.used)]
    return taken


cdef class State:
    cdef Sets sets
    cdef Frames frames


cdef class Finder:
    cdef Sets sets  # None for AV1
    cdef Frames frames
    cdef int width  # of a NAL length field
    cdef bint whole_blocks

    def __init__(self, str config_kind, bytes config not None, str scheme):
        if config_kind not in _CODECS and config_kind != "av1C":
            raise ValueError(f"no rule for {config_kind}")
        if scheme not in ("cenc", "cbcs"):
            raise ValueError(f"no rule for the scheme {scheme}")
        self.whole_blocks = scheme == "cenc"
        if config_kind == "av1C":
            self.frames = Frames()
            self.frames.configure(
                <const uint8_t*>PyBytes_AS_STRING(config), PyBytes_GET_SIZE(config)
            )
            return
        self.sets = _CODECS[config_kind]()
        self.width = self.sets.configure(
            <const uint8_t*>PyBytes_AS_STRING(config), PyBytes_GET_SIZE(config)
        )
        if self.width == 3:
            raise SampleError("config", -1, "NAL length fields of 3 bytes (PR-28)")

    def begin(self):
        cdef State state = State.__new__(State)
        state.sets, state.frames = self.sets, self.frames
        return state

    def find(
        self,
        const uint8_t[::1] data not None,
        Py_ssize_t start,
        bytes sizes not None,
        Py_ssize_t limit,
        State state=None,
    ):
        cdef Py_ssize_t samples = PyBytes_GET_SIZE(sizes) // 4, i, first
        cdef const uint32_t* size = <const uint32_t*>PyBytes_AS_STRING(sizes)
        cdef bytes counts = PyBytes_FromStringAndSize(NULL, 2 * samples)
        cdef uint16_t* count = <uint16_t*>PyBytes_AS_STRING(counts)
        cdef Rows rows
        cdef Sets sets = self.sets if state is None else state.sets
        cdef Frames frames = self.frames if state is None else state.frames
        cdef int spared = 0
        cdef Py_ssize_t at = start, left = data.shape[0] - start
        if (sets is None) != (self.sets is None) or (frames is None) != (self.frames is None):
            raise ValueError("a state of another codec")
        sets = sets.branch() if sets is not None else None
        frames = frames.branch() if frames is not None else None
        rows.pairs = NULL
        rows.used = rows.room = 0
        if start < 0 or left < 0 or not 0 < limit <= 255:
            raise RangeError("the samples lie outside of the data")
        try:
            for i in range(samples):
                if size[i] > left:
                    raise RangeError(f"sample {i} leaves the data")
                first = rows.used
                rows.clear = 0
                if size[i]:
                    try:
                        if sets is not None:
                            self._sample(sets, &data[at], size[i], &rows)
                        else:
                            self._temporal_unit(frames, &data[at], size[i], &rows)
                        spared += _clear_smallest(&rows, first, limit)
                    except SampleError as error:
                        raise SampleError(error.code, i, error.detail) from None
                count[i] = <uint16_t>(rows.used - first)
                at += size[i]
                left -= size[i]
            found = PyBytes_FromStringAndSize(<const char*>rows.pairs, 8 * rows.used)
        finally:
            free(rows.pairs)
        if state is not None:
            state.sets, state.frames = sets, frames
        return counts, found, spared

    cdef int _sample(
        self, Sets sets, const uint8_t* sample, Py_ssize_t size, Rows* rows
    ) except -1:
        cdef Py_ssize_t at = 0, first = rows.used, length, head
        cdef int i
        while at < size:
            if size - at < self.width:
                rows.clear += size - at  # trailing bytes (PR-28)
                break
            length = 0
            for i in range(self.width):
                length = length << 8 | sample[at + i]
            at += self.width
            if length > size - at:
                raise SampleError("nal_length", -1, f"a unit of {length} bytes in {size - at}")
            head = sets.head(sample + at, length)
            if head < 0:
                rows.clear += self.width + length
            else:
                _unit(rows, self.width + head, length - head, self.whole_blocks)
            at += length
            if rows.used - first > RANGES_MOST:
                raise SampleError("nal_length", -1, f"more than {RANGES_MOST} ranges")
        return _emit(rows, 0)

    cdef int _temporal_unit(
        self, Frames frames, const uint8_t* sample, Py_ssize_t size, Rows* rows
    ) except -1:
        """OBUs (AV1, 5.3): everything but tiles is clear (PR-30)."""
        cdef Py_ssize_t at = 0, start, length, head
        cdef uint32_t temporal, spatial, shift, byte
        cdef int kind
        while at < size:
            start = at
            kind = sample[at] >> 3 & 15
            temporal = spatial = 0
            at += 1
            if sample[start] & 4:
                temporal, spatial = (
                    (sample[at] >> 5, sample[at] >> 3 & 3) if at < size else (0, 0)
                )
                at += 1
            length = size - at
            if sample[start] & 2:
                length, shift, byte = 0, 0, 128
                while byte & 128 and at < size and shift < 32:
                    byte = sample[at]
                    length |= <Py_ssize_t>(byte & 127) << shift
                    shift += 7
                    at += 1
            if length < 0 or length > size - at:
                raise SampleError("obu", -1, "a unit leaves its sample")
            head = frames.unit(kind, temporal, spatial, sample + at, length)
            rows.clear += at - start
            if head < 0:
                rows.clear += length
            else:
                rows.clear += head
                self._tiles(frames, sample + at + head, length - head, rows)
            at += length
        return _emit(rows, 0)

    cdef int _tiles(
        self, Frames frames, const uint8_t* data, Py_ssize_t size, Rows* rows
    ) except -1:
        """tile_group_obu (5.11.1)."""
        cdef Bits b = open_bits(data, 0, size)
        cdef uint32_t first = 0, last = frames.tiles.count - 1, i
        cdef Py_ssize_t at, length
        cdef uint32_t j
        b.plain = True
        if not frames.tiles.known:
            raise SampleError("obu", -1, "tiles without a frame header")
        if frames.tiles.count > 1 and bit(&b):
            first = bits(&b, frames.tiles.bits)
            last = bits(&b, frames.tiles.bits)
        if b.cut or first > last or last >= frames.tiles.count:
            raise SampleError("obu", -1, "tiles that the frame does not have")
        at = b.at
        rows.clear += at
        for i in range(first, last + 1):
            length = size - at
            if i < last:
                length = 0
                if <Py_ssize_t>frames.tiles.size_bytes > size - at:
                    raise SampleError("obu", -1, "a tile leaves its unit")
                for j in range(frames.tiles.size_bytes):
                    length |= <Py_ssize_t>data[at + <Py_ssize_t>j] << (8 * j)
                length += 1
                at += frames.tiles.size_bytes
                rows.clear += frames.tiles.size_bytes
            if length > size - at:
                raise SampleError("obu", -1, "a tile leaves its unit")
            _unit(rows, 0, <uint32_t>length, self.whole_blocks)
            at += length
        if last + 1 == frames.tiles.count:
            frames.tiles.known = False
        return 0


def auxiliary(
    bytes counts not None, bytes ranges not None, bytes ivs not None, Py_ssize_t samples
):
    cdef const uint16_t* count = <const uint16_t*>PyBytes_AS_STRING(counts)
    cdef const uint32_t* pair = <const uint32_t*>PyBytes_AS_STRING(ranges)
    cdef const uint8_t* iv = <const uint8_t*>PyBytes_AS_STRING(ivs)
    cdef Py_ssize_t width = PyBytes_GET_SIZE(ivs) // samples if samples else 0
    cdef Py_ssize_t i, j, total = 0, wide, pairs = 0
    if PyBytes_GET_SIZE(ivs) != width * samples or PyBytes_GET_SIZE(counts) not in (0, 2 * samples):
        raise RangeError("counts and IVs differ in number")
    cdef bint listed = PyBytes_GET_SIZE(counts) > 0
    cdef bytes sizes = PyBytes_FromStringAndSize(NULL, samples)
    cdef uint8_t* size = <uint8_t*>PyBytes_AS_STRING(sizes)
    for i in range(samples):
        wide = width + (2 + 6 * count[i] if listed else 0)
        if wide > 255:
            raise RangeError(f"sample {i}: {count[i]} ranges (PR-6)")
        size[i] = <uint8_t>wide
        total += wide
        pairs += count[i] if listed else 0
    if PyBytes_GET_SIZE(ranges) != 8 * pairs:
        raise RangeError("counts and ranges differ in number")
    cdef bytes rows = PyBytes_FromStringAndSize(NULL, total)
    cdef uint8_t* p = <uint8_t*>PyBytes_AS_STRING(rows)
    for i in range(samples):
        memcpy(p, iv, width)
        p += width
        iv += width
        if not listed:
            continue
        p[0], p[1] = count[i] >> 8, count[i] & 255
        p += 2
        for j in range(count[i]):
            if pair[0] > CLEAR_MOST:
                raise RangeError(f"sample {i}: a range of {pair[0]} clear bytes")
            p[0], p[1] = pair[0] >> 8, pair[0] & 255
            p[2], p[3], p[4], p[5] = (
                pair[1] >> 24, pair[1] >> 16 & 255, pair[1] >> 8 & 255, pair[1] & 255
            )
            p += 6
            pair += 2
    return sizes, rows
