"""Limits of one delivery port (specs/http1.md section 13); the parser's own are in tables.py."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds (`_s`, in steps of 0.5), sizes in octets (`_bytes`)."""

    head_s: float = 10.0  # HT-120: a head, from its first octet, not extended by progress
    first_octet_s: float = 30.0  # HT-121: a connection that never said anything
    idle_s: float = 130.0  # HT-122: between requests
    hold_s: float = 30.0  # HT-123: an answer in the making; handlers park shorter (HLS-29)
    gone_s: float = 0.5  # HT-65: what an answer in the making still has after the client's FIN
    stall_s: float = 20.0  # HT-124: a queue of which the kernel takes nothing
    rate_s: float = 30.0  # HT-125: window in which a queue must move ...
    rate_bytes: int = 30 * 1024  # ... at least so much
    linger_s: float = 2.0  # HT-66, HT-126
    linger_bytes: int = 65536  # HT-66
    per_address: int = 256  # HT-127: connections per IPv4 address or IPv6 /64; 0 = no cap
    trusted: tuple[str, ...] = ()  # HT-127: CDN ranges without that cap, CIDR
    proxy_from: tuple[str, ...] = ()  # HT-152: fronts, which send a PROXY header; empty = off
    proxy_s: float = 5.0  # HT-126: to receive that header
    connections: int = 0  # HT-128: per worker; 0 = RLIMIT_NOFILE - 256, at most 20,000
    hosts: tuple[str, ...] = ()  # HT-42: lower-case names answered; empty = all
    queue_bytes: int = 8 << 20  # HT-115, HT-141: a stream's reader further behind is cut
    worker_queue_bytes: int = 1 << 30  # HT-141: of all objects somebody still has to take
    image_to_bytes: int = 8192  # HT-132: hot bodies up to this size leave as one buffer; 0 = never
    sendfile_from_bytes: int = 16384  # HT-130: bodies of these sizes leave by sendfile once
    sendfile_to_bytes: int = 524288  # they are hot; larger ones are faster from memory; 0 = never
