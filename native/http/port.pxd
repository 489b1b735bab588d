"""What all connections of one server share."""

from libc.stdint cimport uint8_t, uint64_t

from native.http.accesslog cimport AccessLog
from native.http.desk cimport Desk
from native.http.hot cimport Hot
from native.http.worker cimport Worker

cdef class Port:
    cdef readonly object handler, guard, limits, loop
    cdef AccessLog log
    cdef Hot hot
    cdef Desk desk
    cdef Worker worker
    cdef list refusals  # by row of errors.REFUSALS
    cdef object preflight
    cdef bytes dress  # field lines of every answer, behind its date
    cdef readonly bint draining
    cdef readonly set connections
    cdef dict addresses
    cdef list trusted, fronts
    cdef frozenset hosts
    cdef readonly object emptied  # asyncio.Event: no connection is left
    cdef size_t worker_queue_bytes, image_to, sendfile_from, sendfile_to, queue_bytes, linger_bytes
    cdef uint64_t rate_bytes
    cdef double head_s, proxy_s, first_octet_s, idle_s, hold_s, gone_s, stall_s, rate_s, linger_s
    cdef int connections_max
    cdef uint64_t accepted, shed, requests, hot_hits, octets, client_gone, resets
    cdef uint64_t proxy_faults
    cdef uint64_t parked, unparked, late, waiting
    cdef uint64_t head_timeouts, idle_timeouts, holds_expired, stalls, slow_readers, sources_cut
    cdef uint64_t statuses[600]
    cdef uint64_t faults[64]
    cdef uint8_t input[32768]  # where reads land
    cdef uint8_t path[8192]  # where paths are decoded
    cdef bint admits(self, bytes address)
    cdef void forget(self, bytes address)
    cdef bint move(self, bytes address, bytes known)
    cdef void released(self, object connection, bytes address)
