"""Bodies of CMCD events into facts, a record at a time without a Python object for its keys."""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr

from native.cmcd.orderly cimport Orderly, Set, Slot
from native.cmcd.scan cimport Cursor, authority, integer, take
from native.cmcd.witness cimport MAX_DURATIONS, Facts, Witness

cdef enum:
    MAX_HOSTS = 4_096  # whose CDN is kept in mind
    RR = 0x7272  # codes of words
    MANIFEST = 0x6D
    KEY = 0x6B

cdef enum Wanted:
    SID, SN, TS, E, STA, RC, TTLB, TTFB, BL, MSD, MTP, BR, TB, EC, BSD, OT, URL, HOST, CMSD, WANTED

NAMES = (
    *("sid", "sn", "ts", "e", "sta", "rc", "ttlb", "ttfb", "bl", "msd", "mtp", "br", "tb", "ec"),
    *("bsd", "ot", "url", "h", "cmsdd"),
)

cdef struct Entry:
    Facts facts
    bint odd
    const char* start
    Py_ssize_t size


cdef inline bint _unreserved(char c) noexcept nogil:
    return (
        b"a" <= c <= b"z" or b"A" <= c <= b"Z" or b"0" <= c <= b"9"
        or c == b"-" or c == b"." or c == b"_" or c == b"~"
    )


@cython.final
@cython.auto_pickle(False)
cdef class Batch:
    cdef Orderly _orderly
    cdef object _cdns
    cdef dict _hosts
    cdef int _rows[WANTED]
    cdef Entry* _entries
    cdef Set _set
    cdef Py_ssize_t _room
    cdef Py_ssize_t _count
    cdef int64_t _max_kbps
    cdef int64_t _max_buffer_ms
    cdef int64_t _max_start_ms
    cdef Py_ssize_t _max_sid
    cdef bytes _body
    cdef list _sids
    cdef list _texts  # CDN of the host, CDN of the response, state
    cdef readonly list cmsd

    def __cinit__(self, Orderly orderly not None, cdns, *, Py_ssize_t room, int64_t max_kbps,
                  int64_t max_buffer_ms, int64_t max_start_ms, Py_ssize_t max_sid):
        cdef Py_ssize_t at
        self._orderly, self._cdns, self._hosts = orderly, cdns, {}
        self._max_kbps, self._max_buffer_ms = max_kbps, max_buffer_ms
        self._max_start_ms, self._max_sid = max_start_ms, max_sid
        for at in range(WANTED):
            self._rows[at] = orderly.row(NAMES[at])
        self._entries = <Entry*>PyMem_Malloc(room * sizeof(Entry))
        if self._entries == NULL:
            raise MemoryError
        self._room = room

    def __dealloc__(self):
        PyMem_Free(self._entries)

    def read(self, bytes body not None):
        """Read a body's lines; the places of those that are left to the caller."""
        cdef const char* at = body
        cdef const char* end = at + len(body)
        cdef const char* stop
        cdef Entry* entry
        cdef list odd = []
        self._body, self._count, self._sids, self._texts, self.cmsd = body, 0, [], [], []
        while at < end:
            stop = <const char*>memchr(at, b"\n", end - at)
            if stop == NULL:
                stop = end
            if self._count == self._room:
                raise ValueError("more records than there is room for")
            entry = &self._entries[self._count]
            entry.start, entry.size = at, stop - at
            at = stop + 1
            while entry.size and entry.start[0] in b" \t\r":
                entry.start += 1
                entry.size -= 1
            while entry.size and entry.start[entry.size - 1] in b" \t\r":
                entry.size -= 1
            if not entry.size:
                continue
            entry.odd = not self._orderly.capture(entry.start, entry.size, True, &self._set)
            if entry.odd or not self._fill(entry):
                entry.odd = True
                odd.append(self._count)
                self._sids.append(None)
                self._texts.append(None)
            self._count += 1
        return odd

    def __len__(self):
        return self._count

    def line(self, Py_ssize_t place):
        if not 0 <= place < self._count:
            raise IndexError(place)
        return self._entries[place].start[:self._entries[place].size]

    def put(self, Py_ssize_t place, str sid, tuple report not None):
        cdef Facts* facts
        if not 0 <= place < self._count:
            raise IndexError(place)
        facts = &self._entries[place].facts
        (
            facts.number, facts.at_ms, facts.status, facts.took_ms, facts.buffer_ms,
            facts.delay_ms, facts.rate_kbps, facts.bitrate_kbps, facts.top_kbps, facts.errors,
            facts.responded, facts.media, durations_ms, host, source, state,
        ) = report
        facts.duration_count = 0
        for duration_ms in (<list?>durations_ms)[:MAX_DURATIONS]:
            facts.durations_ms[facts.duration_count] = duration_ms
            facts.duration_count += 1
        self._entries[place].odd = False
        self._sids[place] = sid
        self._texts[place] = (host, source, state)

    cdef Slot* _slot(self, Wanted which) noexcept:
        """A key's slot, NULL when the set has no such key."""
        cdef int row = self._rows[<int>which]
        return &self._set.slots[row] if self._set.present >> row & 1 else NULL

    cdef int64_t _most(self, Wanted which) noexcept:
        cdef Slot* slot = self._slot(which)
        return -1 if slot == NULL else slot.most

    cdef bint _fill(self, Entry* entry) except -1:
        """The facts of the captured set; False when a range is left, which is the caller's then."""
        cdef Facts* facts = &entry.facts
        cdef Slot* slot
        facts.number, facts.at_ms = self._most(SN), max(0, self._most(TS))
        facts.responded = self._most(E) == RR
        facts.status, facts.took_ms = self._most(RC), self._most(TTLB)
        if facts.took_ms <= 0:
            facts.took_ms = max(0, self._most(TTFB))
        facts.media = self._most(OT) != MANIFEST and self._most(OT) != KEY
        slot = self._slot(BL)
        facts.buffer_ms = -1 if slot == NULL else slot.least
        facts.delay_ms = self._most(MSD)
        facts.rate_kbps = max(0, self._most(MTP))
        facts.bitrate_kbps, facts.top_kbps = self._most(BR), self._most(TB)
        slot = self._slot(EC)
        facts.errors = 0 if slot == NULL else slot.count
        if (
            max(facts.rate_kbps, facts.bitrate_kbps, facts.top_kbps) > self._max_kbps
            or (self._slot(BL) != NULL and self._slot(BL).most > self._max_buffer_ms)
            or facts.delay_ms > self._max_start_ms
            or not self._durations(facts)
        ):
            return False
        self._sids.append(self._sid())
        slot = self._slot(STA)
        state = "" if slot == NULL else chr(slot.most)
        self._texts.append((self._cdn(self._slot(HOST), False), self._cdn(self._slot(URL), True), state))
        slot = self._slot(CMSD)
        if slot != NULL:
            self.cmsd.append((self._count, slot.start[:slot.length]))
        return True

    cdef bint _durations(self, Facts* facts) noexcept:
        cdef Slot* slot = self._slot(BSD)
        cdef Cursor cursor
        facts.duration_count = 0
        if slot == NULL:
            return True
        cursor.at, cursor.end = slot.start, slot.start + slot.length
        while cursor.at < cursor.end:
            if facts.duration_count == MAX_DURATIONS:
                return False
            facts.durations_ms[facts.duration_count] = integer(&cursor)
            facts.duration_count += 1
            while cursor.at < cursor.end and not b"0" <= cursor.at[0] <= b"9":
                cursor.at += 1
        return True

    cdef str _sid(self):
        """The session's id, None when it has none that is fit."""
        cdef Slot* slot = self._slot(SID)
        cdef Py_ssize_t at
        if slot == NULL or slot.length > self._max_sid:
            return None
        for at in range(slot.length):
            if not _unreserved(slot.start[at]):
                return None
        return PyUnicode_DecodeASCII(slot.start, slot.length, NULL)

    cdef str _cdn(self, Slot* slot, bint url):
        """The CDN of a host, or of a URL's."""
        cdef const char* start
        cdef Py_ssize_t length
        if slot == NULL:
            return ""
        start, length = slot.start, slot.length
        if url:
            start = authority(start, start + length, &length)
            if not length:
                return ""
        name = start[:length]
        cdn = self._hosts.get(name)
        if cdn is None:
            cdn = self._cdns(name.decode())
            if len(self._hosts) < MAX_HOSTS:
                self._hosts[name] = cdn
        return cdn

    def of(self, Py_ssize_t place):
        if not 0 <= place < self._count or self._entries[place].odd:
            raise IndexError(place)
        return self._sids[place], (<tuple>self._texts[place])[1]

    def groups(self):
        """The places of the records of each session, in the order in which things happened; those
        of no session under None. Records left out with neither `put` are in no group.
        """
        cdef dict found = {}
        cdef list order = [at for at in range(self._count) if not self._entries[at].odd]
        cdef Py_ssize_t at
        for at in range(1, len(order)):
            if self._after(order[at - 1], order[at]):
                order.sort(key=self._when)
                break
        for place in order:
            sid = self._sids[place]
            places = found.get(sid)
            if places is None:
                found[sid] = [place]
            else:
                (<list>places).append(place)
        return found

    cdef bint _after(self, Py_ssize_t a, Py_ssize_t b) noexcept:
        cdef Facts* one = &self._entries[a].facts
        cdef Facts* two = &self._entries[b].facts
        return one.at_ms > two.at_ms or (
            one.at_ms == two.at_ms and max(0, one.number) > max(0, two.number)
        )

    def _when(self, Py_ssize_t place):
        cdef Facts* facts = &self._entries[place].facts
        return facts.at_ms, max(0, facts.number)

    def observe(self, Witness witness not None, list places not None, int64_t now_ms):
        """Show records to the witness; how many were new, and the last throughput told in kbps."""
        cdef int64_t rate, last = 0
        cdef int taken = 0
        cdef Py_ssize_t place
        for place in places:
            if not 0 <= place < self._count or self._entries[place].odd:
                raise IndexError(place)
            if not self._entries[place].facts.at_ms:
                self._entries[place].facts.at_ms = now_ms
            host, source, state = <tuple>self._texts[place]
            rate = witness.observe_facts(&self._entries[place].facts, host, source, state)
            if rate >= 0:
                taken += 1
                last = rate or last
        return taken, last
