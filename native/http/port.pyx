# cython: auto_pickle=False
"""One delivery port: handler, hot table, limits, ready-made refusals, counters."""

import asyncio
import ipaddress
import resource

from native.http.entity cimport queued

from native.http import errors, heads, tables
from native.http.entity import Refusal, preflight


def refusal(row: errors.Row) -> Refusal:
    """The constant answer of one row of errors.REFUSALS."""
    headers = []
    if row.status == 405:
        headers.append(("Allow", tables.ALLOW))
    if row.status == 503:
        headers.append(("Retry-After", "1"))
    lifetime = "no-store" if row.ends or row.status == 500 else "max-age=1"
    return Refusal(row.status, row.code, cache_control=lifetime, headers=headers)


cdef class Port:
    """Shared by the connections of one server; all of it on one event loop."""

    def __init__(self, loop, worker, handler, hot, limits, access_log, guard=None, desk=None):
        self.loop, self.worker, self.handler, self.hot = loop, worker, handler, hot
        self.guard, self.desk = guard, desk
        self.limits = limits
        if access_log is not None:
            self.log = worker.log = AccessLog(access_log)
        self.refusals = [refusal(row) for row in errors.REFUSALS]
        self.preflight = preflight()
        self.connections, self.addresses = set(), {}
        self.trusted = [ipaddress.ip_network(text) for text in limits.trusted]
        self.fronts = [ipaddress.ip_network(text) for text in limits.proxy_from]
        self.hosts = frozenset(host.lower().encode() for host in limits.hosts)
        self.emptied = asyncio.Event()
        self.emptied.set()
        self.image_to = limits.image_to_bytes
        self.worker_queue_bytes = limits.worker_queue_bytes
        self.sendfile_from = limits.sendfile_from_bytes
        self.sendfile_to = limits.sendfile_to_bytes
        self.queue_bytes, self.linger_bytes = limits.queue_bytes, limits.linger_bytes
        self.proxy_s = limits.proxy_s
        self.head_s, self.first_octet_s = limits.head_s, limits.first_octet_s
        self.idle_s, self.hold_s, self.gone_s = limits.idle_s, limits.hold_s, limits.gone_s
        self.stall_s, self.linger_s = limits.stall_s, limits.linger_s
        self.rate_s, self.rate_bytes = limits.rate_s, limits.rate_bytes
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files == resource.RLIM_INFINITY:
            files = 1 << 30
        self.connections_max = limits.connections or max(64, min(files - 256, 20_000))

    cdef bint admits(self, bytes address):
        """HT-127; counts the address in. A front stands for others, whose caps come later."""
        cdef int count = self.addresses.get(address, 0)
        cap = self.limits.per_address
        if cap and count >= cap and not self.fronts and not self.is_trusted(address):
            return False
        self.addresses[address] = count + 1
        return True

    def is_trusted(self, address: bytes) -> bool:
        """Whether the IPv4 address or IPv6 /64 prefix lies in a trusted range."""
        known = ipaddress.ip_address(address if len(address) == 4 else address + bytes(8))
        return any(known in network for network in self.trusted)

    def is_front(self, name: str) -> bool:
        """Whether connections from the address `name` begin with a PROXY header (HT-152)."""
        known = ipaddress.ip_address(name)
        return any(known in network for network in self.fronts)

    cdef bint move(self, bytes address, bytes known):
        """A front has told whose connection this is: count it there, if its cap allows."""
        cdef int count = self.addresses.get(known, 0)
        cap = self.limits.per_address
        if cap and count >= cap and not self.is_trusted(known):
            return False
        self.forget(address)
        self.addresses[known] = self.addresses.get(known, 0) + 1
        return True

    cdef void forget(self, bytes address):
        count = self.addresses.pop(address, 0) - 1
        if count > 0:
            self.addresses[address] = count

    cdef void released(self, object connection, bytes address):
        self.connections.discard(connection)
        self.forget(address)
        if not self.connections:
            self.emptied.set()

    def start_drain(self) -> None:
        """HT-67: idle connections close, running answers end with Connection: close."""
        self.draining = True
        for connection in list(self.connections):
            connection.drain()

    def set_dress(self, headers: Sequence[tuple[str, str]]) -> None:
        """Fields that every answer carries behind its date from now on."""
        self.dress = heads.fields(headers) if headers else None

    def load(self) -> tuple[float, float]:
        """Shares in use: of the connections by parked requests, of the queue ceiling by octets."""
        return self.waiting / self.connections_max, queued() / self.worker_queue_bytes

    def counters(self) -> dict[str, int]:
        """Everything counted since start, by flat name (HT-162)."""
        counts = {
            "connections_open": len(self.connections),
            "connections_accepted": self.accepted,
            "connections_shed": self.shed,
            "requests": self.requests,
            "hot_hits": self.hot_hits,
            "octets": self.octets,
            "aborts_client_gone": self.client_gone,
            "aborts_reset": self.resets,
            "aborts_stall": self.stalls,
            "aborts_slow_reader": self.slow_readers,
            "aborts_source_cut": self.sources_cut,
            "aborts_bad_proxy": self.proxy_faults,
            "timeouts_head": self.head_timeouts,
            "timeouts_idle": self.idle_timeouts,
            "timeouts_hold": self.holds_expired,
            "gates_parked": self.parked,
            "gates_released": self.unparked,
            "gates_late": self.late,
            "queue_octets": queued(),
            "log_lost": 0 if self.log is None else self.log.lost,
        }
        counts |= {f"state_{state}": 0 for state in tables.STATES}
        for connection in self.connections:
            counts[f"state_{connection.state()}"] += 1
        for status in range(600):
            if self.statuses[status]:
                counts[f"answers_{status}"] = self.statuses[status]
        for number, row in enumerate(errors.REFUSALS):
            if self.faults[number]:
                counts[f"refused_{row.code}"] = self.faults[number]
        return counts
