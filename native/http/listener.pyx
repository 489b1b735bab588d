# cython: auto_pickle=False
"""The listening socket: accept what is there, within the caps (HT-127, HT-128, HT-139)."""

import socket

from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, errno
from libc.stdint cimport uint32_t

from native.http.connection cimport Connection
from native.http.kernel cimport (
    AF_INET,
    AF_INET6,
    EPOLLIN,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    accept4,
    close,
    sockaddr,
    sockaddr_in,
    sockaddr_in6,
    sockaddr_storage,
)
from native.http.port cimport Port
from native.http.worker cimport Seat, Worker

cdef enum:
    BATCH = 64
PAUSE_S = 0.5  # after EMFILE and its like
cdef bytes MAPPED = bytes(10) + b"\xff\xff"  # IPv4 on a dual-stack socket, RFC 4291 2.5.5.2


cdef class Listener(Seat):
    """Owns one listening descriptor; accepted sockets inherit its options."""

    cdef Port port

    def __init__(self, worker: Worker, port: Port, fd: int) -> None:
        self.port = port
        (<Worker>worker).admit(self, fd)

    def stop(self) -> None:
        """Close the listening socket."""
        self.leave()

    cdef int expire(self) except -1:
        return self.want(EPOLLIN)

    cdef int ready(self, uint32_t events) except -1:
        cdef sockaddr_storage peer
        cdef unsigned int size
        cdef int fd, i
        for i in range(BATCH):
            size = sizeof(peer)
            fd = accept4(self.fd, <sockaddr*>&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if fd < 0:
                if errno == EINTR or errno == ECONNABORTED:
                    continue
                if errno != EAGAIN:
                    self.want(0)
                    self.due(PAUSE_S)
                return 0
            self.take(fd, &peer)
        return 0

    cdef int take(self, int fd, sockaddr_storage* peer) except -1:
        cdef Port port = self.port
        cdef Connection connection
        name, address = peer_of(peer)
        port.accepted += 1
        if port.fronts and not port.is_front(name) or not port.admits(address):
            port.shed += 1
            close(fd)
            return 0
        if len(port.connections) >= port.connections_max:
            self.make_room()
        connection = Connection(port, name, address)
        try:
            if len(port.connections) >= port.connections_max:
                raise OSError("no room")
            self.worker.admit(connection, fd)
        except OSError:
            port.shed += 1
            port.released(connection, address)
            close(fd)
            return 0
        port.connections.add(connection)
        port.emptied.clear()
        connection.number = port.accepted
        connection.unproxied = bool(port.fronts)
        connection.due(port.proxy_s if connection.unproxied else port.first_octet_s)
        return 0

    def make_room(self) -> None:
        """Shed the connection that has been idle longest (HT-128)."""
        cdef Connection connection, oldest = None
        for connection in self.port.connections:
            if connection.is_idle() and (oldest is None or connection.deadline < oldest.deadline):
                oldest = connection
        if oldest is not None:
            self.port.shed += 1
            oldest.leave()


cdef tuple peer_of(sockaddr_storage* peer):
    """Text of the address, and the octets it is counted by: IPv4, or the /64 of IPv6."""
    cdef unsigned char* octets
    if peer.ss_family == AF_INET:
        octets = <unsigned char*>&(<sockaddr_in*>peer).sin_addr
        return socket.inet_ntop(socket.AF_INET, octets[:4]), octets[:4]
    if peer.ss_family == AF_INET6:
        octets = <unsigned char*>&(<sockaddr_in6*>peer).sin6_addr
        if octets[:12] == MAPPED:
            return socket.inet_ntop(socket.AF_INET, octets[12:16]), octets[12:16]
        return socket.inet_ntop(socket.AF_INET6, octets[:16]), octets[:8]
    return "", b""
