"""The C face of Witness: one report as facts."""

from libc.stdint cimport int64_t, uint64_t

from native.cmcd.ledger cimport Ledger

cdef enum:
    MAX_DURATIONS = 8

cdef struct Facts:
    int64_t number  # -1: none, as below
    int64_t at_ms
    int64_t status
    int64_t took_ms
    int64_t buffer_ms
    int64_t delay_ms
    int64_t rate_kbps  # 0: none
    int64_t bitrate_kbps
    int64_t top_kbps
    int errors
    bint responded
    bint media
    int duration_count
    int64_t durations_ms[MAX_DURATIONS]


cdef class Witness:
    cdef readonly int64_t reports
    cdef readonly int64_t doubles
    cdef readonly int64_t lost
    cdef readonly int64_t errors
    cdef readonly str state
    cdef readonly object buffer_ms
    cdef readonly object start_delay_ms
    cdef readonly dict failures
    cdef readonly Ledger ledger
    cdef readonly int64_t bitrate_kbps
    cdef readonly int64_t top_kbps
    cdef readonly int64_t access_kbps
    cdef readonly int64_t last_ms
    cdef dict _pending
    cdef int64_t _top
    cdef uint64_t _seen

    cpdef bint fresh(self, int64_t number)
    cdef int64_t observe_facts(self, Facts* facts, str host, str source, str state)
    cdef void _outcome(self, str cdn, bint good)
