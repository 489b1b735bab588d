"""The short way for steering polls and reports: answered before aiohttp sees them.

Rules of the file
1. Only a whole, well-formed HTTP/1.1 GET of a steering URL without a body is answered here (RFC
   9112 section 2.1), or a plain report (`inlet`), whose body may come in pieces. With the first
   octets that are anything else the connection is aiohttp's for good, and those octets with it: one
   public port, and one judge of everything unusual.
2. A connection that sends nothing for `IDLE_S`, or takes no answers, is closed.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from email.utils import formatdate
from types import MappingProxyType
from typing import cast

from . import inlet
from .errors import RouterError
from .intake import MAX_BODY_BYTES

IDLE_S = 75.0
MAX_HEAD_BYTES = 8192

POLL = re.compile(
    rb"GET /steer/(hls|dash)(?:\?([!-~]*))? HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)+)\r\n"
)
UNUSUAL = re.compile(
    rb"^(?:content-length|transfer-encoding|expect|upgrade"
    rb"|connection(?!:[\t ]*keep-alive[\t ]*\r)):?",
    re.IGNORECASE | re.MULTILINE,
)
HOST = re.compile(rb"^host:", re.IGNORECASE | re.MULTILINE)

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/json\r\n"
    b"Server: headwater\r\n"
    b"%s"
    b"Date: %s\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
TAKEN = b"HTTP/1.1 204 No Content\r\nServer: headwater\r\n%sDate: %s\r\n\r\n"
REFUSED = (
    b"HTTP/1.1 %d %s\r\n"
    b"Content-Type: application/json; charset=utf-8\r\n"
    b"Server: headwater\r\n"
    b"%s%s"
    b"Date: %s\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)

Answerer = Callable[[str, str], bytes]  # protocol and raw query to a steering manifest
Factory = Callable[[], asyncio.Protocol]


class Front:
    """What the connections of one listener share."""

    def __init__(
        self,
        answer: Answerer,
        headers: dict[str, str],
        seconds: Callable[[], int],
        take: inlet.Take | None = None,
        report_headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.connections: set[Polling] = set()
        self.server: Factory = asyncio.Protocol
        self._answer = answer
        self.take = take
        self._fields, self._report_fields = (
            "".join(f"{name}: {value}\r\n" for name, value in each.items()).encode()
            for each in (headers, report_headers)
        )
        self._seconds = seconds
        self._second, self._date = -1, b""

    def before(self, server: Factory) -> Factory:
        """The protocols of a listener whose unusual connections are the `server`'s."""
        self.server = server
        return lambda: Polling(self)

    def reply(self, protocol: bytes, query: bytes) -> bytes:
        """Head and body of one answer."""
        body = self._answer(protocol.decode(), query.decode())
        return HEAD % (self._fields, self._now(), len(body), body)

    def taken(self, take: inlet.Take, body: bytes, peer: str) -> bytes:
        """The answer to a report (CM-31)."""
        try:
            take(body, peer)
        except RouterError as error:
            status, more, said = inlet.refusal(error)
            phrase, fields = status.phrase.encode(), self._report_fields
            return REFUSED % (status, phrase, fields, more, self._now(), len(said), said)
        return TAKEN % (self._report_fields, self._now())

    def _now(self) -> bytes:
        second = self._seconds()
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True).encode()
        return self._date

    def close(self) -> None:
        """Every answer has left for the transport when this is called: nothing is lost."""
        for connection in list(self.connections):
            connection.close()


class Polling(asyncio.Protocol):
    """One connection, for as long as it only polls."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._transport: asyncio.Transport | None = None
        self._heard = False
        self._timer: asyncio.TimerHandle | None = None
        self._parts: list[bytes] = []  # of a report that has not come whole
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._front.connections.add(self)
        self._watch()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._missing:
            self._parts.append(data)
            self._missing = max(0, self._missing - len(data))
            if self._missing:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        at, replies = 0, []
        while at < len(data):
            report = inlet.read(data, at, MAX_HEAD_BYTES, MAX_BODY_BYTES)
            if report is not None and self._front.take is not None:
                if report.end > len(data):
                    self._parts, self._missing = [data[at:]], report.end - len(data)
                    at = len(data)
                    break
                body = data[report.start : report.end]
                replies.append(self._front.taken(self._front.take, body, self._peer()))
                at = report.end
                continue
            head = POLL.match(data, at, at + MAX_HEAD_BYTES)
            if head is None or UNUSUAL.search(head[3]) or len(HOST.findall(head[3])) != 1:
                break
            replies.append(self._front.reply(head[1], head[2] or b""))
            at = head.end()
        assert self._transport is not None
        if replies:
            self._transport.write(b"".join(replies))
        if at < len(data):
            self._hand_over(data[at:])

    def _peer(self) -> str:
        address = self._transport.get_extra_info("peername") if self._transport else None
        return str(address[0]) if isinstance(address, tuple) else ""

    def _hand_over(self, rest: bytes) -> None:
        transport = self._transport
        assert transport is not None
        self.connection_lost(None)
        heir = self._front.server()
        transport.set_protocol(heir)
        heir.connection_made(transport)
        heir.data_received(rest)

    def pause_writing(self) -> None:
        """A peer that sends polls and takes no answers."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.connections.discard(self)
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(IDLE_S, self._looked)

    def _looked(self) -> None:
        if not self._heard:
            self.close()
            return
        self._heard = False
        self._watch()
