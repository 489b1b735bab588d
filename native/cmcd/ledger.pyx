"""Which CDN a session used when, and what stalled on it: the attribution of stalls.

Rules
1. A stall is charged to the CDN in use when it began (CM-41), not to the one that reports it.
2. A CDN is in use from the arrival of its first media (CM-42). A player that only says that it
   turned to another host uses it from the moment it plays again, at the latest `TURN_MS` after.
3. Who reports states is charged by them. Who only reports durations, once and after the fact, is
   charged from the report before: a switch between the two follows the stall that caused it.
4. Charges are made when read, so that evidence of a late batch still counts.

Times are the player's own clock, in ms. Source: CTA-5004-B section 4.3 (bs, bsd, h, rr, sta).
"""

cimport cython
from libc.stdint cimport int64_t

TURN_MS = 10_000  # ours: longer than the buffers of low latency, shorter than an interval report
MAX_STALL_MS = 600_000  # longer is a sleeping device or a lie (CM-33)
UNKNOWN = ""

cdef enum:
    _TURN_MS = 10_000
    _MAX_STALL_MS = 600_000
    KEPT_TURNS = 16
    KEPT_STALLS = 32


@cython.final
@cython.auto_pickle(False)
cdef class Ledger:
    def __cinit__(self):
        self.used = []  # (in use from, CDN), in order
        self._turn_cdn = None  # in use from `_turn_ms` on, when nothing is heard before
        self.stalls = []  # (began, lasted)
        self._settled = {}

    cpdef void media(self, str cdn, int64_t at_ms):
        cdef Py_ssize_t at
        if self._turn_cdn is not None and at_ms >= self._turn_ms - _TURN_MS:
            self._turn_cdn = None
        if self.used_at(at_ms) == cdn:
            return
        at = len(self.used)
        while at and <int64_t>(<tuple>self.used[at - 1])[0] > at_ms:
            at -= 1
        self.used.insert(at, (at_ms, cdn))
        if len(self.used) > KEPT_TURNS:
            del self.used[0]

    cpdef void turned(self, str cdn, int64_t at_ms):
        if not self.used:
            self.media(cdn, at_ms)
        if self._turn_cdn is not None and self._turn_ms <= at_ms:
            self.media(self._turn_cdn, self._turn_ms)
        if self._turn_cdn is not None and self._turn_cdn == cdn:
            return
        self._turn_cdn = cdn if self.used_at(at_ms) != cdn else None
        self._turn_ms = at_ms + _TURN_MS

    cpdef void state(self, str state, int64_t at_ms):
        if state == "p" and self._turn_cdn is not None:
            self.media(self._turn_cdn, min(at_ms, self._turn_ms))
        if state == "r":
            if not self._stalled:
                self._by_state = True
                self._stalled = True
                self._stalled_at = at_ms
        elif self._stalled:
            self._stall(self._stalled_at, at_ms - self._stalled_at)
            self._stalled = False

    cpdef void starved(self, int64_t duration_ms, int64_t at_ms):
        cdef int64_t earliest = at_ms - duration_ms
        if not self._by_state:
            before = self._reported_ms if self._has_reported else earliest
            self._stall(min(earliest, <int64_t>before), duration_ms)

    cpdef void reported(self, int64_t at_ms):
        self._reported_ms = max(at_ms, self._reported_ms) if self._has_reported else at_ms
        self._has_reported = True

    cpdef str used_at(self, int64_t at_ms):
        cdef Py_ssize_t at = len(self.used)
        if self._turn_cdn is not None and self._turn_ms <= at_ms:
            return self._turn_cdn
        while at:
            at -= 1
            since_ms, cdn = <tuple>self.used[at]
            if <int64_t>since_ms <= at_ms:
                return cdn
        return UNKNOWN

    cpdef dict charges(self):
        cdef dict total = dict(self._settled)
        for began_ms, lasted_ms in self.stalls:
            _charge(total, self.used_at(began_ms), lasted_ms)
        return total

    cdef void _stall(self, int64_t began_ms, int64_t lasted_ms):
        if not 0 < lasted_ms <= _MAX_STALL_MS:
            return
        self.stalls.append((began_ms, lasted_ms))
        if len(self.stalls) > KEPT_STALLS:
            began_ms, lasted_ms = self.stalls.pop(0)
            _charge(self._settled, self.used_at(began_ms), lasted_ms)


cdef void _charge(dict charges, str cdn, int64_t ms):
    count, sum_ms = charges.get(cdn, (0, 0))
    charges[cdn] = (count + 1, sum_ms + ms)
