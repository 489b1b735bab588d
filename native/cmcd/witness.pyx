"""What the reports of one session add up to (CM-22, CM-32, CM-41..CM-43)."""

cimport cython
from libc.stdint cimport int64_t, uint64_t

from native.cmcd.ledger cimport Ledger

cdef enum:
    WINDOW = 64  # sequence numbers that may still arrive late
    MAX_GAP = 1_000  # a longer gap is a jump, not a loss


@cython.auto_pickle(False)
cdef class Witness:
    def __cinit__(self):
        self.state = ""
        self.failures = {}
        self.ledger = Ledger()
        self._pending = {}
        self._top = -1

    cpdef bint fresh(self, int64_t number):
        cdef int64_t ahead = number - self._top
        if ahead <= -WINDOW:
            self._top, self._seen = number, 1
            return True
        if ahead > 0:
            if self._top >= 0:
                self.lost += min(ahead - 1, MAX_GAP)
            self._seen = (self._seen << ahead | 1) if ahead < WINDOW else 1
            self._top = number
            return True
        if self._seen >> -ahead & 1:
            return False
        self._seen |= <uint64_t>1 << -ahead
        self.lost = max(0, self.lost - 1)
        return True

    def observe_report(
        self,
        int64_t number,
        int64_t at_ms,
        int64_t status,
        int64_t took_ms,
        int64_t buffer_ms,
        int64_t delay_ms,
        int64_t rate_kbps,
        int64_t bitrate_kbps,
        int64_t top_kbps,
        int errors,
        bint responded,
        bint media,
        list durations_ms not None,
        str host not None,
        str source not None,
        str state not None,
    ):
        cdef Facts facts
        facts.number, facts.at_ms, facts.status, facts.took_ms = number, at_ms, status, took_ms
        facts.buffer_ms, facts.delay_ms, facts.rate_kbps = buffer_ms, delay_ms, rate_kbps
        facts.bitrate_kbps, facts.top_kbps, facts.errors = bitrate_kbps, top_kbps, errors
        facts.responded, facts.media, facts.duration_count = responded, media, 0
        for duration_ms in durations_ms[:MAX_DURATIONS]:
            facts.durations_ms[facts.duration_count] = duration_ms
            facts.duration_count += 1
        return self.observe_facts(&facts, host, source, state)

    cdef int64_t observe_facts(self, Facts* facts, str host, str source, str state):
        """Take a report in: -1 for a double, else the throughput that it shows in kbps."""
        cdef int at
        if facts.number >= 0 and not self.fresh(facts.number):
            self.doubles += 1
            return -1
        self.reports += 1
        self.last_ms = max(self.last_ms, facts.at_ms)
        if host:
            self.ledger.turned(host, facts.at_ms)
        if facts.responded and source and facts.status >= 0:
            if facts.status == 0 or facts.status >= 400:
                self.failures[source] = self.failures.get(source, 0) + 1
                self._outcome(source, False)
            else:
                self._outcome(source, True)
                if facts.media:
                    self.ledger.media(source, facts.at_ms + facts.took_ms)
        if facts.buffer_ms >= 0:
            self.buffer_ms = facts.buffer_ms
        if facts.delay_ms >= 0 and self.start_delay_ms is None:
            self.start_delay_ms = facts.delay_ms
        self.errors += facts.errors
        for at in range(facts.duration_count):
            self.ledger.starved(facts.durations_ms[at], facts.at_ms)
        if state:
            if state == "f" and self.state != "f":
                self._outcome(self.ledger.used_at(facts.at_ms), False)
            self.state = state
            self.ledger.state(state, facts.at_ms)
        self.ledger.reported(facts.at_ms)
        if facts.bitrate_kbps > 0:
            self.bitrate_kbps = facts.bitrate_kbps
        self.top_kbps = max(self.top_kbps, facts.top_kbps)
        self.access_kbps = max(self.access_kbps, facts.rate_kbps)
        return facts.rate_kbps

    def outcomes(self):
        found = self._pending
        if found:
            self._pending = {}
        return found

    cdef void _outcome(self, str cdn, bint good):
        if cdn:
            well, badly = self._pending.get(cdn, (0, 0))
            self._pending[cdn] = (well + good, badly + (not good))
