"""The probe's only socket: bounded requests, hop by hop, with the time of the first byte.

Unlike the services' client it follows redirects, as players do, and sees coded bodies before they
are decoded. The token goes to the host of the first URL alone.
"""

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from headwater.probe.model import Evidence, Exchange, Role

TOKEN_HEADER = "CTA-Common-Access-Token"
HOPS = 5
REDIRECTS = (301, 302, 303, 307, 308)
ANSWER_S = 20.0
CONNECT_S = 5.0
ANSWER_BYTES = 64 << 20


class ProbeError(Exception):
    """`code`: bad_url, unreachable, status, not_a_manifest."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class BudgetSpent(Exception):
    """A limit was reached: what was seen so far is judged."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one probe may cost: wall time on top of watching, bytes, requests, playlists, tracks."""

    seconds: float = 120.0
    bytes: int = 512 << 20
    requests: int = 5000
    playlists: int = 64
    tracks: int = 12


class Client:
    """Asks, records every answer in the evidence, and counts what is left of the budget."""

    def __init__(
        self,
        seen: Evidence,
        start: str,
        *,
        limits: Limits,
        watch_s: float,
        token: str | None,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        tell: Callable[[str], None],
    ) -> None:
        try:
            self._home = URL(start).origin()
        except ValueError:
            raise ProbeError("bad_url", "an absolute http or https URL is needed") from None
        self.limits = limits
        self.now = now
        self.sleep = sleep
        self._seen = seen
        self._token = token
        self._tell = tell
        self._left_bytes = limits.bytes
        self._left_requests = limits.requests
        self._end = time.monotonic() + limits.seconds + watch_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Client":
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=16),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(
        self,
        url: str,
        role: Role,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        wait_s: float = ANSWER_S,
    ) -> Exchange:
        """Ask, follow redirects, record. Status 0 when nobody answers. Raises BudgetSpent."""
        answer = await self._once(url, role, headers or {}, method, wait_s)
        for _ in range(HOPS):
            target = answer.headers.get("location")
            if answer.status not in REDIRECTS or not target:
                break
            try:
                following = urljoin(answer.url, target)
            except ValueError:
                break
            answer = await self._once(following, role, headers or {}, method, wait_s)
        self._seen.exchanges.append(answer)
        return answer

    async def _once(
        self, url: str, role: Role, headers: Mapping[str, str], method: str, wait_s: float
    ) -> Exchange:
        self._left_requests -= 1
        left_s = self._end - time.monotonic()
        if self._left_requests < 0 or left_s <= 0 or self._left_bytes <= 0:
            raise BudgetSpent("the limit of requests, bytes or time is reached")
        self._tell(url)
        started = time.monotonic()
        try:
            target = URL(url, encoded=url.isascii() and " " not in url)
            if target.scheme not in ("http", "https") or not target.host:
                raise ValueError
            async with asyncio.timeout(min(wait_s, left_s)):
                return await self._ask(target, role, headers, method, started)
        except (ValueError, TimeoutError, aiohttp.ClientError, OSError):
            return Exchange(url, role, 0, {}, b"", self.now(), method=method)

    async def _ask(
        self, target: URL, role: Role, headers: Mapping[str, str], method: str, started: float
    ) -> Exchange:
        assert self._session is not None
        sent = {"Accept-Encoding": "gzip" if role in ("manifest", "patch") else "identity"}
        if self._token is not None and target.origin() == self._home:
            sent[TOKEN_HEADER] = self._token
        async with self._session.request(
            method,
            target,
            headers={**sent, **headers},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
        ) as response:
            first_s = time.monotonic() - started
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                self._left_bytes -= len(piece)
                if len(body) > ANSWER_BYTES or self._left_bytes < 0:
                    raise BudgetSpent(f"an answer of more than {len(body)} bytes")
            named: dict[str, str] = {}
            for name, value in response.headers.items():
                key = name.lower()
                named[key] = f"{named[key]}, {value}" if key in named else value
            coded = named.get("content-encoding") == "gzip"
            return Exchange(
                str(target),
                role,
                response.status,
                named,
                _inflated(bytes(body)) if coded else bytes(body),
                self.now(),
                first_s,
                method,
                coded,
            )


def _inflated(body: bytes) -> bytes:
    """A gzip body decoded up to the limit; what cannot be decoded stays as it is."""
    decoder = zlib.decompressobj(wbits=31)
    try:
        return decoder.decompress(body, ANSWER_BYTES)
    except zlib.error:
        return body
