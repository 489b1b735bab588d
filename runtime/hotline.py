"""Questions to one service that is asked often: short ones, over connections that are kept.

`Fetcher` is for any destination, coding and size; of a short question its generality is most of the
cost.

Rules of the file
1. One question at a time goes over a connection; the one that was used last is taken again. Those
   idle for `IDLE_S` are closed with the next question or answer. What comes unasked ends a
   connection.
2. Nothing is sent twice. `refused` is a question that was not sent; whoever asks may ask again.
3. A caller that leaves, or whose time is up, takes its connection along.
4. Answers are read by llhttp, in strict mode; redirects are answers. One that only the end of its
   connection would end is none.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from typing import Any, cast

import httptools
from yarl import URL

from runtime import redact, trace, tracing
from runtime.fetch import Fetched, FetchError

IDLE_S = 15.0
CONNECT_S = 2.0


class Hotline:
    """A part: start it before use (or `async with`). `base` is the service's URL; raises FetchError
    as `Fetcher` does.
    """

    def __init__(self, base: str, *, name: str) -> None:
        self.name = name
        self._base = URL(base)
        host, port = self._base.host, self._base.port
        if self._base.scheme not in ("http", "https") or not host or not port:
            raise FetchError("bad_url", "http or https, with a host")
        self._host, self._port = host, port
        self._where = f"{host}:{port}"
        self._tls = ssl.create_default_context() if self._base.scheme == "https" else None
        self._idle: deque[_Wire] = deque()  # answered last is rightmost
        self._started = False

    async def start(self) -> None:
        self._started = True

    def ready(self) -> str | None:
        return None if self._started else "not started"

    async def drain(self) -> None:
        """Stays usable: requests in flight above may still need an answer."""

    async def stop(self) -> None:
        self._started = False
        while self._idle:
            self._idle.pop().abort()

    async def __aenter__(self) -> "Hotline":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def post(self, path: str, body: bytes, *, timeout_s: float, max_bytes: int) -> Fetched:
        """POST JSON to a path below the base; the whole answer."""
        if not self._started:
            raise RuntimeError("Hotline.start() comes first")
        path = self._base.raw_path.rstrip("/") + path
        told = {"server.address": self._host, "url.path": redact.text(path)}
        with tracing.call("POST", told) as noted:
            headers = {**trace.outgoing(), **tracing.handed(noted)}
            question = self._written(path, headers, body)
            try:
                async with asyncio.timeout(timeout_s):
                    answer = await self._asked(question, max_bytes)
            except TimeoutError:
                raise FetchError("timeout", self._where) from None
            noted.set_attribute(tracing.STATUS, answer.status)
        return answer

    def _written(self, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (
            f"POST {path} HTTP/1.1\r\nHost: {self._base.authority}\r\n{more}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def _asked(self, question: bytes, max_bytes: int) -> Fetched:
        wire = self._kept() or await self._connected()
        try:
            answer = await wire.ask(question, max_bytes)
        except BaseException:
            wire.abort()
            raise
        if wire.fit and self._started:
            self._drop_stale()
            self._idle.append(wire)
        else:
            wire.abort()
        return answer

    def _kept(self) -> "_Wire | None":
        self._drop_stale()
        while self._idle:
            wire = self._idle.pop()
            if wire.fit:
                return wire
        return None

    def _drop_stale(self) -> None:
        stale_s = asyncio.get_running_loop().time() - IDLE_S
        while self._idle and (self._idle[0].answered_s <= stale_s or not self._idle[0].fit):
            self._idle.popleft().abort()

    async def _connected(self) -> "_Wire":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, wire = await loop.create_connection(
                    lambda: _Wire(self._where), self._host, self._port, ssl=self._tls
                )
        except TimeoutError:
            raise FetchError("refused", f"{self._where} (no connection in time)") from None
        except OSError as error:
            raise FetchError("refused", f"{self._where} ({error.strerror})") from None
        return wire


class _Wire(asyncio.Protocol):
    """A connection. `fit`: the next question may go over it."""

    def __init__(self, where: str) -> None:
        self.fit = True
        self.answered_s = 0.0
        self._where = where
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Fetched] | None = None
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._room = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, question: bytes, max_bytes: int) -> "asyncio.Future[Fetched]":
        """The answer to come, of so many octets at most."""
        self._answer = answer = self._loop.create_future()
        self._headers, self._parts, self._room = {}, [], max_bytes
        self._transport.write(question)
        return answer

    def abort(self) -> None:
        self.fit = False
        self._transport.abort()

    @property
    def _asked(self) -> bool:
        return self._answer is not None and not self._answer.done()

    def data_received(self, data: bytes) -> None:
        if not self._asked:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._failed("unreachable", type(error).__name__)

    def connection_lost(self, error: Exception | None) -> None:
        self._failed("unreachable", "closed")

    def _failed(self, code: str, detail: str) -> None:
        self.abort()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(FetchError(code, f"{self._where} ({detail})"))

    # -- what llhttp tells

    def on_message_begin(self) -> None:
        if not self._asked:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        spelled, text = name.decode("latin-1").lower(), value.decode("latin-1")
        before = self._headers.get(spelled)
        self._headers[spelled] = text if before is None else f"{before}, {text}"

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)
        self._room -= len(part)
        if self._room < 0:
            self._failed("too_large", "more than asked for")

    def on_message_complete(self) -> None:
        parser: Any = self._parser
        if self._answer is None or self._answer.done():
            return
        if parser.get_status_code() < 200:  # RFC 9110 section 15.2: another one follows
            self._headers, self._parts = {}, []
            return
        self.answered_s = self._loop.time()
        self.fit = self.fit and parser.should_keep_alive()
        body = b"".join(self._parts)
        self._answer.set_result(Fetched(parser.get_status_code(), self._headers, body))
