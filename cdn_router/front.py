"""Steering polls and reports by the short way (`runtime.shortway`).

Only a well-formed HTTP/1.1 GET of a steering URL without a body is plain (RFC 9112 section 2.1),
or a report as `inlet` reads it.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from native.router import asked
from runtime import logs
from runtime.shortway import MAX_HEAD_BYTES, Taken, date

from . import inlet
from .errors import RouterError
from .intake import MAX_BODY_BYTES

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/json\r\n"
    b"Server: headwater\r\n"
    b"%s%s"
    b"Date: %s\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
TAKEN = b"HTTP/1.1 204 No Content\r\nServer: headwater\r\n%s%sDate: %s\r\n\r\n"
REFUSED = (
    b"HTTP/1.1 %d %s\r\n"
    b"Content-Type: application/json; charset=utf-8\r\n"
    b"Server: headwater\r\n"
    b"%s%s%s"
    b"Date: %s\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
LAST = b"Connection: close\r\n"
FAULT = HTTPStatus.INTERNAL_SERVER_ERROR, b"", b'{"error": "internal"}'

log = logs.get("cdn_router")

Answerer = Callable[[str, str], bytes]  # protocol and raw query to a steering manifest


class Front:
    """The `Reader` of the router's listener."""

    def __init__(
        self,
        answer: Answerer,
        headers: Mapping[str, str],
        seconds: Callable[[], int],
        take: inlet.Take | None = None,
        report_headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._answer = answer
        self._take = take
        self._fields, self._report_fields = (
            "".join(f"{name}: {value}\r\n" for name, value in each.items()).encode()
            for each in (headers, report_headers)
        )
        self._seconds = seconds
        self._last = b""

    def answer(self, data: bytes, at: int, peer: str) -> Taken | None:
        poll = asked.head(data, at, MAX_HEAD_BYTES)
        if poll is not None:
            protocol, query, end = poll
            return self._polled(protocol, query), end
        if self._take is None:
            return None
        report = inlet.read(data, at, MAX_HEAD_BYTES, MAX_BODY_BYTES)
        if report is None:
            return None
        start, end = report
        if end > len(data):
            return None, end
        return self._taken(self._take, data[start:end], peer), end

    def end(self) -> None:
        self._last = LAST

    def _polled(self, protocol: str, query: str) -> bytes:
        """The answer to a poll; never 404 or 410 by accident (ST-20, ST-21)."""
        fields, dated = self._fields, date(self._seconds())
        try:
            body = self._answer(protocol, query)
        except RouterError as error:
            return self._refused(*inlet.refusal(error), fields)
        except Exception:
            log.exception("unexpected", path=f"/steer/{protocol}")
            return self._refused(*FAULT, fields)
        return HEAD % (fields, self._last, dated, len(body), body)

    def _taken(self, take: inlet.Take, body: bytes, peer: str) -> bytes:
        """The answer to a report (CM-31)."""
        fields = self._report_fields
        try:
            take(body, peer)
        except RouterError as error:
            return self._refused(*inlet.refusal(error), fields)
        except Exception:
            log.exception("unexpected", path="/cmcd")
            return self._refused(*FAULT, fields)
        return TAKEN % (fields, self._last, date(self._seconds()))

    def _refused(self, status: HTTPStatus, more: bytes, body: bytes, fields: bytes) -> bytes:
        phrase, dated = status.phrase.encode(), date(self._seconds())
        return REFUSED % (status, phrase, fields, more, self._last, dated, len(body), body)
