"""Plain requests over HTTP/1.1: a `shortway.Reader` that answers by `plain.Ways`.

Only a well-formed request of one of the ways is plain: each field once, one Host, a body (if any)
of a told length (RFC 9112 sections 3, 5, 6.2).
"""

import re
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from time import perf_counter, time
from typing import NamedTuple

from multidict import CIMultiDict

from runtime import logs, told, trace, tracing
from runtime.plain import Answer, Plain, Way, Ways
from runtime.shortway import MAX_HEAD_BYTES, Taken, date

MAX_BODY_BYTES = 262_144  # larger ones are read piece by piece, by aiohttp

REQUEST = re.compile(
    rb"(GET|POST|PUT|PATCH|DELETE|OPTIONS) (/[!$&-.0-;=@-Z_a-z~/]*)(?:\?([!\"$-~]*))? HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)+)\r\n"
)
UNUSUAL = frozenset({"transfer-encoding", "content-encoding", "expect", "upgrade"})
FIELD = re.compile(r"([^:]+):[\t ]*((?:[!-~]+(?:[\t ]+[!-~]+)*)?)[\t ]*\r\n")
LENGTH = re.compile(r"[0-9]{1,9}")
REASONS = {status.value: status.phrase for status in HTTPStatus}
INTERNAL = Answer(500, "application/json", {}, b'{"error": "internal"}')

log = logs.get("web")


class _Head(NamedTuple):
    """One that was read, and whose it is."""

    way: Way
    names: Mapping[str, str]
    method: str
    path: str
    query: str
    headers: CIMultiDict[str]


class PlainHttp:
    """The ways of one listener."""

    def __init__(self, listener: str, ways: Ways) -> None:
        self._listener = listener
        self._ways = ways
        self._ending = False

    def end(self) -> None:
        self._ending = True

    def answer(self, data: bytes, at: int, peer: str) -> Taken | None:
        head = REQUEST.match(data, at, at + MAX_HEAD_BYTES)
        if head is None:
            return None
        method, path = head[1].decode(), head[2].decode()
        found = self._ways.find(method, path)
        if found is None:
            return None
        fields = FIELD.findall(head[4].decode())
        seen = {name.lower() for name, _ in fields}
        headers = CIMultiDict(fields)
        if len(seen) != len(fields) or "host" not in seen or not seen.isdisjoint(UNUSUAL):
            return None
        if headers.get("Connection", "keep-alive").lower() != "keep-alive":
            return None
        length = headers.get("Content-Length", "0")
        way, names = found
        if not LENGTH.fullmatch(length) or int(length) > min(way.max_bytes, MAX_BODY_BYTES):
            return None
        query = (head[3] or b"").decode()
        asked = _Head(way, names, method, path, query, headers)
        start, end = head.end(), head.end() + int(length)
        if end > len(data):
            return None, end
        return partial(self._made, asked, data[start:end], peer), end

    async def _made(self, asked: _Head, body: bytes, peer: str) -> bytes:
        """Octets of the answer; what is told of it is told."""
        begun_s = perf_counter()
        request_id = trace.request_id(asked.headers)
        logs.bind(request_id=request_id)
        ids = {"request_id": request_id}
        plain = Plain(
            asked.method,
            asked.path,
            asked.query,
            asked.names,
            asked.headers,
            peer,
            request_id,
            partial(_whole, body),
        )
        given = asked.headers.get(trace.TRACEPARENT)
        with tracing.served(asked.method, asked.way.pattern, given) as noted:
            if (given or tracing.on()) and (own := trace.current()):
                ids[trace.TRACEPARENT] = own
            try:
                answer = await asked.way.answer(plain)
                octets = self._head(answer, request_id) + answer.body
            except Exception:
                log.exception("unexpected", path=asked.path)
                answer = INTERNAL
                octets = self._head(INTERNAL, request_id) + INTERNAL.body
            noted.set_attribute(tracing.STATUS, answer.status)
        told.request(
            self._listener,
            asked.method,
            asked.way.pattern,
            f"{asked.path}?{asked.query}" if asked.query else asked.path,
            status=answer.status,
            sent_bytes=len(answer.body),
            begun_s=begun_s,
            peer=peer,
            ids=ids,
        )
        return octets

    def _head(self, answer: Answer, request_id: str) -> bytes:
        """ValueError for a field that would break out of its line."""
        lines = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, '')}"]
        for name, value in answer.headers.items():
            if not value.isprintable():
                raise ValueError(f"header {name} holds a control character")
            lines.append(f"{name}: {value}")
        if answer.media_type:
            lines.append(f"Content-Type: {answer.media_type}")
            lines.append(f"Content-Length: {len(answer.body)}")
        if self._ending:
            lines.append("Connection: close")
        lines.append(f"Server: headwater\r\n{trace.REQUEST_ID}: {request_id}\r\nDate: ")
        return "\r\n".join(lines).encode() + date(int(time())) + b"\r\n\r\n"


async def _whole(body: bytes, _limit_bytes: int) -> bytes:
    """A body that was found short enough."""
    return body
