"""HTTP client for the calls between services: one session, every call bounded in time, size and
destination.

Redirects are never followed: a redirect would leave the allow-list. Errors are `FetchError` with a
code; no message contains the query, which may carry a token.
"""

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.helpers import is_ip_address
from yarl import URL

from runtime import redact, trace, tracing
from runtime.guard import AddressRefused, GuardedResolver, Network, permitted

MAX_BYTES = 16 << 20
DNS_TTL_S = 30


class FetchError(Exception):
    """`code`: bad_url, not_allowed, address_refused, refused (nothing sent), unreachable, timeout,
    too_large.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete answer, its body decoded and its header names lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer whose body is still on its way."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Fetcher:
    """A part: start it before use (or `async with`).

    `bases` is the allow-list, each an origin and optional path prefix; None allows any http(s) URL.
    With `private` names resolve to public addresses and to those of its networks only; an address
    written in a URL of the allow-list is itself configured, any other is judged alike.
    """

    def __init__(
        self,
        bases: Sequence[str] | None,
        *,
        name: str = "fetch",
        timeout_s: float = 5.0,
        connect_timeout_s: float = 2.0,
        max_bytes: int = MAX_BYTES,
        max_connections: int = 256,
        tls: ssl.SSLContext | None = None,
        private: Iterable[Network] | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.name = name
        self._bases = None if bases is None else [URL(base) for base in bases]
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._max_bytes = max_bytes
        self._max_connections = max_connections
        self._tls = tls
        self._private = None if private is None else tuple(private)
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        resolver = self._resolver
        if self._private is not None:
            asked = resolver or aiohttp.ThreadedResolver()
            configured = self._bases is not None
            resolver = GuardedResolver(asked, self._private, localhost=configured)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._max_connections,
                ttl_dns_cache=DNS_TTL_S,
                ssl=self._tls or True,
                resolver=resolver,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
        )

    def ready(self) -> str | None:
        return None if self._session is not None else "not started"

    async def drain(self) -> None:
        """Stays usable: requests in flight above may still need an answer."""

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> "Fetcher":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def allowed(self, url: str) -> URL:
        """The parsed URL. Raises `bad_url`, `not_allowed` or `address_refused`."""
        try:
            parsed = URL(url)
            parts = parsed.scheme, parsed.host, parsed.port
        except ValueError:
            raise FetchError("bad_url", "not a URL") from None
        if parts[0] not in ("http", "https") or not parts[1] or parsed.user is not None:
            raise FetchError("bad_url", "http or https, with a host and without credentials")
        if self._bases is not None and not any(_below(parsed, base) for base in self._bases):
            raise FetchError(
                "not_allowed", f"{parts[0]}://{parts[1]}:{parts[2]} is not on the list"
            )
        judged = self._bases is None and is_ip_address(parts[1])
        if judged and self._private is not None and not permitted(parts[1], self._private):
            raise FetchError("address_refused", "a private address")
        return parsed

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float | None = None,
        max_bytes: int | None = None,
    ) -> Fetched:
        """GET a whole body."""
        return await self.request("GET", url, headers, timeout_s=timeout_s, max_bytes=max_bytes)

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float | None = None,
        max_bytes: int | None = None,
    ) -> Fetched:
        """POST a body; JSON unless the headers say otherwise."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        return await self.request(
            "POST", url, headers, body=body, timeout_s=timeout_s, max_bytes=max_bytes
        )

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        timeout_s: float | None = None,
        max_bytes: int | None = None,
    ) -> Fetched:
        """Any method, whole body."""
        async with self.open(
            url, headers, method=method, body=body, timeout_s=timeout_s, max_bytes=max_bytes
        ) as opened:
            parts = [chunk async for chunk in opened.chunks]
            return Fetched(opened.status, opened.headers, b"".join(parts))

    @asynccontextmanager
    async def open(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
        timeout_s: float | None = None,
        max_bytes: int | None = None,
        idle_timeout_s: float | None = None,
    ) -> AsyncIterator[Opened]:
        """Stream a body. With `idle_timeout_s` the time limit is per read instead of for the whole
        answer.
        """
        if self._session is None:
            raise RuntimeError("Fetcher.start() comes first")
        target = self.allowed(url)
        where = f"{target.host}:{target.port}{redact.text(target.path)}"
        total_s = None if idle_timeout_s else timeout_s or self._timeout_s
        timeout = aiohttp.ClientTimeout(
            total=total_s, sock_connect=self._connect_timeout_s, sock_read=idle_timeout_s
        )
        told = {"server.address": f"{target.host}", "url.path": redact.text(target.path)}
        try:
            with tracing.call(method, told) as noted:
                async with self._session.request(
                    method,
                    target,
                    headers={**trace.outgoing(), **tracing.handed(noted), **(headers or {})},
                    data=body,
                    timeout=timeout,
                    allow_redirects=False,
                ) as response:
                    noted.set_attribute(tracing.STATUS, response.status)
                    named = _named(response.headers.items())
                    limit = self._max_bytes if max_bytes is None else max_bytes
                    yield Opened(response.status, named, _capped(response, limit, where))
        except TimeoutError:
            raise FetchError("timeout", where) from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, AddressRefused):
                raise FetchError("address_refused", "a private address") from None
            raise FetchError("refused", f"{where} ({error.os_error.strerror})") from None
        except aiohttp.ClientError as error:
            raise FetchError("unreachable", f"{where} ({type(error).__name__})") from None


def _named(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Lower-case names, repeated fields joined by comma (RFC 9110, 5.3).

    A coded body is decoded before it gets here, so the fields that describe the coded one go.
    """
    named: dict[str, str] = {}
    for name, value in ((name.lower(), value) for name, value in fields):
        named[name] = f"{named[name]}, {value}" if name in named else value
    if "content-encoding" in named:
        del named["content-encoding"]
        named.pop("content-length", None)
    return named


def _below(url: URL, base: URL) -> bool:
    """Same scheme, host and port, and the path at or below the base's folder."""
    folder = base.path if base.path.endswith("/") else base.path + "/"
    return url.origin() == base.origin() and (url.path + "/").startswith(folder)


async def _capped(
    response: aiohttp.ClientResponse, max_bytes: int, where: str
) -> AsyncIterator[bytes]:
    """The body's chunks; the cap holds after decompression."""
    if (response.content_length or 0) > max_bytes:
        raise FetchError("too_large", f"{where} announces more than {max_bytes} bytes")
    seen = 0
    async for chunk in response.content.iter_any():
        seen += len(chunk)
        if seen > max_bytes:
            raise FetchError("too_large", f"{where} exceeds {max_bytes} bytes")
        yield chunk
