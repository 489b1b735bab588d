# cython: auto_pickle=False
"""PES packets of a segment, cut into transport packets (ISO/IEC 13818-1, 2.4.3; TR-105..110).

Theory of operation
1. A PES packet is put together in a scrap buffer and cut into packets; where it ends, an adaptation
   field fills the packet.
2. Segments are made alone, yet continuity counters go on: the payload packets of each PID in a segment
   are a multiple of 16. The last PES of a PID is therefore spread over as many packets as that takes,
   never fewer than one byte each, so that no adaptation field is longer than 182.
3. The clock stands in the first packet of each PES of its PID, and alone in packets without payload
   where the next one is more than 100 ms away.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from native.mpegts import model
from native.mpegts.errors import MuxError

cdef extern from "Python.h":
    PyObject* PyBytes_FromStringAndSize(const char* data, Py_ssize_t size)
    char* PyBytes_AsString(PyObject* octets)
    int _PyBytes_Resize(PyObject** octets, Py_ssize_t size)
    void Py_XDECREF(PyObject* object)

PCR_LEAD = 45_000  # half a second of decoder buffer (TR-108)
AUDIO_FRAMES = 4  # of one PES packet: below 100 ms for 1,024 samples at 44.1 kHz

cdef enum:
    PACKET = 188
    ROOM = 184  # after the header
    PES_HEAD = 19  # with both time stamps
    AUD_BYTES = 6
    ROUND = 16  # TR-109
    PCR_TICKS = 9000  # 100 ms (TR-108)
    LEAD = 45000
    FRAMES = 4

cdef uint64_t CLOCK_MASK = (<uint64_t>1 << 33) - 1
cdef const uint8_t* AUD = b"\0\0\0\1\x09\xf0"  # any picture kind may follow (H.264, 7.3.2.4)


cdef class _Line:
    """One stream while it is written."""

    cdef object keep
    cdef const uint8_t* payload
    cdef const int64_t[::1] sizes, pts, dts, syncs
    cdef const uint8_t* lead
    cdef Py_ssize_t count, at, lead_bytes, payload_bytes, offset
    cdef int pid, stream_id, nal_bytes, counter
    cdef bint is_avc, is_aac, clock
    cdef uint32_t packets
    cdef int64_t shown  # newest clock

    def __init__(self, stream, clock):
        self.keep = stream
        self.payload = <const uint8_t*>PyBytes_AS_STRING(<bytes>stream.payload)
        self.payload_bytes = len(stream.payload)
        self.sizes, self.pts, self.dts = stream.sizes, stream.pts, stream.dts
        self.syncs = stream.syncs
        self.count = self.sizes.shape[0]
        if not self.count == self.pts.shape[0] == self.dts.shape[0] == self.syncs.shape[0]:
            raise MuxError("as many of each column")
        if self.count == 0:
            raise MuxError("a segment needs samples")
        self.lead = <const uint8_t*>PyBytes_AS_STRING(<bytes>stream.lead)
        self.lead_bytes = len(stream.lead)
        self.pid, self.stream_id = stream.pid, stream.coding.stream_id
        self.nal_bytes = stream.nal_bytes
        self.is_avc = stream.coding == model.AVC
        self.is_aac = stream.coding == model.AAC
        if self.is_avc and self.nal_bytes not in (1, 2, 4):
            raise MuxError(f"NAL lengths of {self.nal_bytes} bytes")
        if self.is_aac and self.lead_bytes != 7:
            raise MuxError("an ADTS header has 7 bytes")
        self.clock = clock
        cdef Py_ssize_t i
        cdef int64_t total = 0
        for i in range(self.count):
            if self.sizes[i] < 0 or self.sizes[i] > self.payload_bytes - total:
                raise MuxError("samples pass the payload")
            total += self.sizes[i]

    cdef uint64_t bound(self) noexcept:
        """Octets that its packets have at most."""
        cdef uint64_t each = PES_HEAD + AUD_BYTES + self.lead_bytes + 2 * ROOM
        cdef uint64_t widened = self.payload_bytes
        cdef int64_t gaps = (self.dts[self.count - 1] - self.dts[0]) // PCR_TICKS + 2
        if self.is_avc and self.nal_bytes < 3:  # a start code is longer than such a length
            widened = <uint64_t>self.payload_bytes * 2
        return (widened + each * self.count) // (ROOM - 8) * PACKET + (2 * ROUND + gaps) * PACKET

    cdef Py_ssize_t frame(self, uint8_t* out, Py_ssize_t i, Py_ssize_t offset) except -1:
        """Sample `i` as it goes into a PES packet; its length."""
        cdef const uint8_t* p = self.payload + offset
        cdef Py_ssize_t size = self.sizes[i], n = 0
        cdef uint32_t whole
        if self.is_avc:
            return self.picture(out, p, size, self.syncs[i] != 0)
        if self.is_aac:
            memcpy(out, self.lead, 7)
            whole = <uint32_t>size + 7
            if whole > 0x1FFF:
                raise MuxError(f"an AAC frame of {size} bytes")
            out[3] = (out[3] & 0xFC) | (whole >> 11)
            out[4] = whole >> 3 & 0xFF
            out[5] = (out[5] & 0x1F) | (whole & 7) << 5
            n = 7
        memcpy(out + n, p, size)
        return n + size

    cdef Py_ssize_t picture(self, uint8_t* out, const uint8_t* p, Py_ssize_t size, bint sync) except -1:
        """An access unit in Annex B; delimiters and parameter sets of its own are not doubled (TR-107)."""
        cdef Py_ssize_t n = AUD_BYTES, at = 0, length, i
        cdef int kind
        memcpy(out, AUD, AUD_BYTES)
        if sync:
            memcpy(out + n, self.lead, self.lead_bytes)
            n += self.lead_bytes
        while at < size:
            if self.nal_bytes > size - at:
                raise MuxError("a NAL length is cut")
            length = 0
            for i in range(self.nal_bytes):
                length = length << 8 | p[at + i]
            at += self.nal_bytes
            if length > size - at:
                raise MuxError(f"a NAL of {length} bytes where {size - at} are left")
            if length == 0:
                continue
            kind = p[at] & 31
            if kind != 9 and not (sync and kind in (7, 8)):
                out[n], out[n + 1], out[n + 2] = 0, 0, 1
                memcpy(out + n + 3, p + at, length)
                n += 3 + length
            at += length
        return n


cdef inline uint8_t* _stamp(uint8_t* p, int mark, int64_t time) noexcept:
    """PTS or DTS (2.4.3.7)."""
    cdef uint64_t t = <uint64_t>time & CLOCK_MASK
    p[0] = mark << 4 | (t >> 30 & 7) << 1 | 1
    p[1] = t >> 22 & 0xFF
    p[2] = (t >> 15 & 0x7F) << 1 | 1
    p[3] = t >> 7 & 0xFF
    p[4] = (t & 0x7F) << 1 | 1
    return p + 5


cdef inline uint8_t* _clock(uint8_t* p, int64_t time) noexcept:
    """PCR (2.4.3.5), its extension 0."""
    cdef uint64_t t = <uint64_t>time & CLOCK_MASK
    p[0], p[1], p[2], p[3] = t >> 25 & 0xFF, t >> 17 & 0xFF, t >> 9 & 0xFF, t >> 1 & 0xFF
    p[4], p[5] = (t & 1) << 7 | 0x7E, 0
    return p + 6


cdef uint8_t* _alone(uint8_t* p, _Line line, int64_t time) noexcept:
    """A packet with nothing but the clock: its counter does not move."""
    p[0], p[1], p[2] = 0x47, line.pid >> 8, line.pid & 0xFF
    p[3] = 0x20 | (line.counter + 15 & 15)
    p[4], p[5] = 183, 0x10
    _clock(p + 6, time)
    memset(p + 12, 0xFF, PACKET - 12)
    return p + PACKET


cdef uint8_t* _cut(
    uint8_t* p, _Line line, const uint8_t* pes, Py_ssize_t size, bint entry, int64_t clock, bint last
) noexcept:
    """Packets of one PES packet. `entry`: a random access; `clock` < 0: no PCR."""
    cdef Py_ssize_t first = ROOM - (8 if clock >= 0 else 2 if entry else 0)
    cdef Py_ssize_t count = 1 if size <= first else 1 + (size - first + ROOM - 1) // ROOM
    cdef Py_ssize_t i, field, take, filled
    cdef uint8_t* at
    if last:
        count += (ROUND - (line.packets + count) % ROUND) % ROUND
    line.packets += count
    for i in range(count):
        field = (8 if clock >= 0 else 2 if entry else 0) if i == 0 else 0
        take = min(ROOM - field, size - (count - i - 1))
        filled = ROOM - take
        p[0], p[1], p[2] = 0x47, (0x40 if i == 0 else 0) | line.pid >> 8, line.pid & 0xFF
        p[3] = (0x30 if filled else 0x10) | line.counter
        line.counter = line.counter + 1 & 15
        at = p + 4
        if filled:
            at[0] = filled - 1
            if filled > 1:
                at[1] = (0x40 if field and entry else 0) | (0x10 if field and clock >= 0 else 0)
                if field and clock >= 0:
                    _clock(at + 2, clock)
                if not field:
                    memset(at + 2, 0xFF, filled - 2)
                elif filled > field:
                    memset(at + field, 0xFF, filled - field)
            at += filled
        memcpy(at, pes, take)
        pes += take
        size -= take
        p += PACKET
    return p


cdef uint8_t* _pes(uint8_t* p, uint8_t* scrap, _Line line) except NULL:
    """The next PES packet of a stream: a picture, or a few frames of sound."""
    cdef Py_ssize_t i = line.at, n, begun = line.at, length
    cdef int64_t dts = line.dts[i], pts = line.pts[i], clock = -1
    cdef bint both = pts != dts and line.is_avc, entry = line.syncs[i] != 0
    cdef uint8_t* q
    if line.clock:
        clock = dts - LEAD
        while line.shown and clock - line.shown > PCR_TICKS:
            line.shown += PCR_TICKS
            p = _alone(p, line, line.shown)
        line.shown = clock
    memcpy(scrap, b"\0\0\1", 3)
    scrap[3] = line.stream_id
    scrap[6] = 0x84  # data alignment
    scrap[7] = 0xC0 if both else 0x80
    scrap[8] = 10 if both else 5
    q = _stamp(scrap + 9, 3 if both else 2, pts)
    if both:
        q = _stamp(q, 1, dts)
    n = q - scrap
    while line.at < line.count and line.at - begun < (1 if line.is_avc else FRAMES):
        if n + line.sizes[line.at] > 0xFF00 and line.at > begun:
            break
        n += line.frame(scrap + n, line.at, line.offset)
        line.offset += line.sizes[line.at]
        line.at += 1
    length = n - 6
    if line.is_avc or length > 0xFFFF:
        length = 0  # unbounded: for video only (TR-110)
        if not line.is_avc:
            raise MuxError(f"a frame of {n} bytes")
    scrap[4], scrap[5] = length >> 8, length & 0xFF
    return _cut(p, line, scrap, n, entry, clock, line.at == line.count)


def mux(bytes tables not None, streams):
    cdef list lines = [_Line(stream, number == 0) for number, stream in enumerate(streams)]
    cdef uint64_t most = len(tables)
    cdef uint64_t scrap_bytes = 0
    cdef _Line line, chosen
    cdef PyObject* made = NULL
    cdef uint8_t* out
    cdef uint8_t* scrap
    cdef uint8_t* p
    cdef Py_ssize_t i
    for line in lines:
        most += line.bound()
        for i in range(line.count):
            scrap_bytes = max(scrap_bytes, <uint64_t>line.sizes[i])
    scrap_bytes = (scrap_bytes + 64) * 4 * FRAMES
    for line in lines:
        scrap_bytes += line.lead_bytes
    scrap = <uint8_t*>malloc(scrap_bytes)
    if scrap == NULL:
        raise MemoryError()
    try:
        made = PyBytes_FromStringAndSize(NULL, most)
        if made == NULL:
            raise MemoryError()
        out = <uint8_t*>PyBytes_AsString(made)
        memcpy(out, PyBytes_AS_STRING(tables), PyBytes_GET_SIZE(tables))
        p = out + len(tables)
        while True:
            chosen = None
            for line in lines:
                if line.at < line.count and (
                    chosen is None or line.dts[line.at] < chosen.dts[chosen.at]
                ):
                    chosen = line
            if chosen is None:
                break
            p = _pes(p, scrap, chosen)
        if _PyBytes_Resize(&made, p - out) < 0:
            raise MemoryError()
        return <bytes>made
    finally:
        free(scrap)
        Py_XDECREF(made)
