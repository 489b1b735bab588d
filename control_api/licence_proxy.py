"""The licence proxy in front of Widevine, PlayReady and FairPlay servers (PR-130..PR-134, PR-140).

    method, size -> session, content, rights, concurrency -> rate -> breaker -> licence server

Bodies pass byte for byte, both ways, and are never looked into. Of a request's headers those on a
list pass; cookies and tokens never do. One attempt is made, and no redirect followed.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import monotonic

from aiohttp import web

from control_api.licences import REFUSALS, Gate, Standing
from control_api.problems import MEDIA_TYPE
from control_api.settings import Licences, LicenceServer
from runtime import logs, metrics
from runtime.breaker import Breaker, BreakerOpen
from runtime.fetch import Fetched, Fetcher, FetchError
from runtime.store import Limit, MemoryStore, Store, StoreError

REQUEST_BYTES = 64 * 1024  # PR-131
ANSWER_BYTES = 1 << 20
PASSING = ("Content-Type", "SOAPAction")  # PR-130
NEVER = frozenset({"cookie", "authorization", "cta-common-access-token", "host", "content-length"})
CERTIFICATE_S = 3_600
RETRY_S = 5
MINUTE_MS = 60_000
FAULTS = {"timeout": "upstream_late", "refused": "upstream_dead"}  # the rest is broken

log = logs.get("licences")
ANSWERED = metrics.counter("licence_requests", "licence requests", ("system", "verdict"))
SECONDS = metrics.histogram("licence_upstream_seconds", "licence servers' answers", ("system",))


class Declined(Exception):
    """`word` is a key of REFUSALS."""

    def __init__(self, word: str, retry_after_s: int = 0) -> None:
        super().__init__(word)
        self.word = word
        self.retry_after_s = retry_after_s


class _Broken(Exception):
    """An answer of a licence server that speaks against it."""


@dataclass(slots=True)
class _Row:
    """What the log is told of one request."""

    standing: Standing
    status: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0


class Limits:
    """PR-134, counted in the store that all nodes share; a node alone while the store is away."""

    def __init__(self, settings: Licences, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._alone = MemoryStore()

    async def pass_(self, standing: Standing) -> None:
        """Count a request; a wave of all together is slowed down before anybody is refused."""
        own = self._settings
        for key, most, burst in (
            (f"session:{standing.session_id}", own.session_per_min, own.session_burst),
            (f"device:{standing.device_id}", own.device_per_min, own.device_per_min),
        ):
            limit = await self._count(key, most, MINUTE_MS, burst)
            if not limit.allowed:
                raise Declined("rate_limited", -(-limit.retry_after_ms // 1_000))
        left_ms = own.slow_ms
        while True:
            limit = await self._count("all", own.all_per_s, 1_000, own.all_per_s)
            if limit.allowed:
                return
            if limit.retry_after_ms > left_ms:
                raise Declined("rate_limited", max(1, -(-limit.retry_after_ms // 1_000)))
            left_ms -= limit.retry_after_ms
            await asyncio.sleep(limit.retry_after_ms / 1_000)

    async def _count(self, key: str, limit: int, period_ms: int, burst: int) -> Limit:
        name = f"{{licence:{key}}}"
        try:
            return await self._store.gcra(name, limit=limit, period_ms=period_ms, burst=burst)
        except StoreError:
            return await self._alone.gcra(name, limit=limit, period_ms=period_ms, burst=burst)


class Proxy:
    """One DRM system's server."""

    def __init__(
        self, system: str, server: LicenceServer, gate: Gate, limits: Limits, fetcher: Fetcher
    ) -> None:
        self._system = system
        self._server = server
        self._gate = gate
        self._limits = limits
        self._fetcher = fetcher
        self._breaker = Breaker(f"licence-{system}", counts=(FetchError, _Broken))
        self._passing = tuple(
            name for name in (*PASSING, *server.forward) if name.lower() not in NEVER
        )
        self._certificate: tuple[float, Fetched] | None = None

    def routes(self, prefix: str = "/v1/licence") -> list[web.RouteDef]:
        found: list[web.RouteDef] = [web.post(f"{prefix}/{self._system}", self.licence)]
        if self._server.certificate_url:
            path = f"{prefix}/{self._system}/certificate"
            found.append(web.get(path, self.certificate, allow_head=False))
        return found

    async def licence(self, request: web.Request) -> web.Response:
        """POST: ask the licence server for a viewer who may."""
        return await self._answer(request, self._licence)

    async def certificate(self, request: web.Request) -> web.Response:
        """GET: the server's certificate, which is no secret and the same for all."""
        return await self._answer(request, self._certify)

    async def _answer(
        self,
        request: web.Request,
        work: Callable[[web.Request, _Row], Awaitable[web.Response]],
    ) -> web.Response:
        row, began_s, word = _Row(Standing("no_session")), monotonic(), "ok"
        try:
            response = await work(request, row)
        except Declined as declined:
            word = declined.word
            response = refusal(word, declined.retry_after_s)
        ANSWERED.labels(self._system, word).inc()
        session = row.standing.session_id
        log.info(
            "licence",
            system=self._system,
            session=hashlib.blake2s(session.encode(), digest_size=8).hexdigest() if session else "",
            content=row.standing.path,
            verdict=word,
            rule=row.standing.reason,
            upstream_status=row.status,
            received_bytes=row.received_bytes,
            sent_bytes=row.sent_bytes,
            ms=round(1_000 * (monotonic() - began_s), 1),
        )
        return response

    async def _licence(self, request: web.Request, row: _Row) -> web.Response:
        body = await _read(request)
        row.received_bytes = len(body)
        row.standing = await self._gate.standing(request)
        if row.standing.word != "ok":
            raise Declined(row.standing.word, RETRY_S)
        await self._limits.pass_(row.standing)
        headers = {n: request.headers[n] for n in self._passing if n in request.headers}
        answer = await self._ask("POST", self._server.url, headers, body, row)
        return _passed(answer, "no-store")

    async def _certify(self, request: web.Request, row: _Row) -> web.Response:
        kept = self._certificate
        if kept is None or monotonic() - kept[0] >= CERTIFICATE_S:
            answer = await self._ask("GET", self._server.certificate_url, {}, None, row)
            if answer.status != 200:
                return _passed(answer, "no-store")
            kept = self._certificate = monotonic(), answer
        return _passed(kept[1], f"public, max-age={CERTIFICATE_S}")

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, row: _Row
    ) -> Fetched:
        """The one attempt. Declined for anything but 2xx and 4xx (PR-133)."""
        own = {name: value.get_secret_value() for name, value in self._server.headers.items()}

        async def work() -> Fetched:
            with SECONDS.labels(self._system).time():
                answer = await self._fetcher.request(
                    method, url, {"Accept-Encoding": "identity", **headers, **own}, body=body
                )
            row.status = answer.status
            if answer.status >= 500 or 300 <= answer.status < 400:
                raise _Broken
            return answer

        try:
            answer = await self._breaker.call(work)
        except BreakerOpen as error:
            raise Declined("upstream_dead", int(error.retry_after_s) + 1) from None
        except FetchError as error:
            raise Declined(FAULTS.get(error.code, "upstream_broken"), RETRY_S) from None
        except _Broken:
            raise Declined("upstream_broken", RETRY_S) from None
        row.sent_bytes = len(answer.body)
        return answer


def proxies(settings: Licences, gate: Gate, store: Store) -> tuple[list[Fetcher], list[Proxy]]:
    """A proxy for each server that is configured, and the fetchers to be started for them."""
    limits = Limits(settings, store)
    fetchers, found = [], []
    for system, server in settings.servers.items():
        fetcher = Fetcher(
            [url for url in (server.url, server.certificate_url) if url],
            name=f"licence-{system}",
            timeout_s=settings.answer_ms / 1_000,
            connect_timeout_s=settings.connect_ms / 1_000,
            max_bytes=ANSWER_BYTES,
        )
        fetchers.append(fetcher)
        found.append(Proxy(system, server, gate, limits, fetcher))
    return fetchers, found


def refusal(word: str, retry_after_s: int = 0) -> web.Response:
    """RFC 9457, with Retry-After where another try makes sense."""
    status, kind, title = REFUSALS[word]
    headers = {"Cache-Control": "no-store"}
    if status in (429, 503):
        headers["Retry-After"] = str(max(1, retry_after_s))
    return web.json_response(
        {"type": kind, "title": title, "status": status, "code": word},
        status=status,
        content_type=MEDIA_TYPE,
        headers=headers,
    )


def _passed(answer: Fetched, caching: str) -> web.Response:
    headers = {"Cache-Control": caching}
    if kind := answer.headers.get("content-type"):
        headers["Content-Type"] = kind
    return web.Response(body=answer.body, status=answer.status, headers=headers)


async def _read(request: web.Request) -> bytes:
    """The body, never holding more than a chunk beyond the limit."""
    if (request.content_length or 0) > REQUEST_BYTES:
        raise Declined("too_large")
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > REQUEST_BYTES:
            raise Declined("too_large")
    return bytes(body)
