"""From a row of the route table to an answer: sign-in, validation, handler, encoding, problems.

Nothing that a client sends makes a 5xx (CTL-4); every error has a code of `problems.TABLE` (CTL-5).
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from control_api import client_address, idempotency, ids, problems
from control_api.api_keys.door import Door
from control_api.api_keys.secrets import MARK
from control_api.calls import Call, Rendered, Reply, Services, Stream
from control_api.idempotency import Answer, Claim, Claims
from control_api.issuer import BadToken, Caller
from control_api.limits import Limiter
from control_api.problems import Problem
from control_api.route import EVENT_STREAM, Route
from control_api.seen_tokens import SeenTokens
from control_api.times import now_ms
from runtime import logs, metrics, trace
from runtime.sql import SqlError
from runtime.web import REQUEST_ID

log = logs.get("control")
PROBLEMS = metrics.counter("control_problems", "answers that were problems", ("code",))

CHUNK_BYTES = 16_384
KEPT_HEADERS = ("ETag", "Location")
STATUS_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 400: "invalid"}
ALLOW_HEADERS = (
    "Authorization, Content-Type, CTA-Common-Access-Token, Idempotency-Key, If-Match,"
    " If-None-Match, Last-Event-ID, Parental-Pin, SOAPAction, traceparent, tracestate,"
    " X-Request-Timeout-Ms"
)
EXPOSE_HEADERS = "ETag, Idempotency-Replayed, Location, Retry-After, X-Request-Id"


def mount(app: web.Application, services: Services, routes: Sequence[Route]) -> None:
    """Put the table's routes on an application, with CORS and problems around everything on it."""
    app.middlewares.append(_cors(services.settings.cors_origins))
    app.middlewares.append(_problems)
    shared = _Shared(
        SeenTokens(),
        Door(services.database),
        Claims(services.database, services.secret),
        Limiter(services.settings.limits, services.playback.shelf),
        client_address.networks(services.settings.trusted_proxies),
    )
    for route in routes:
        endpoint = _Endpoint(route, services, shared)
        if route.method == "GET":
            app.router.add_get(route.path, endpoint.handle)
        else:
            app.router.add_route(route.method, route.path, endpoint.handle)


class _Shared(NamedTuple):
    """What all endpoints look at."""

    seen: SeenTokens
    keys: Door
    claims: Claims
    limiter: Limiter
    proxies: client_address.Networks


@dataclass(frozen=True, slots=True)
class _Endpoint:
    route: Route
    services: Services
    shared: _Shared

    async def handle(self, request: web.Request) -> web.StreamResponse:
        call = Call(
            services=self.services,
            now_ms=now_ms(),
            caller=await self._caller(request),
            path=_path(request),
            query=_query(request, self.route.query),
            body=await self._body(request),
            headers=request.headers,
            address=client_address.client(
                request.remote or "",
                request.headers.getall("X-Forwarded-For", ()),
                self.shared.proxies,
            ),
        )
        by_key = ("key",) if call.caller is not None and call.caller.key_id else ()
        await self.shared.limiter.admit((*by_key, *self.route.limited), call)
        claim = await self._claim(request, call)
        if claim is None:
            return await self._asked(request, call)
        return await self._once(request, replace(call, claim=claim), claim)

    async def _claim(self, request: web.Request, call: Call[Any]) -> Claim | None:
        """The request's idempotency key (CTL-156). Without a database a start goes without: it is
        such as may be repeated.
        """
        if not self.route.idempotent:
            return None
        key = idempotency.read_key(request.headers.get(idempotency.HEADER))
        if key is None:
            if self.route.keyed:
                raise Problem("idempotency_required")
            return None
        claims = self.shared.claims
        said = claims.fingerprint(request.method, request.path, call.query, call.body)
        try:
            return await claims.begin(call.caller.account_id, key, said, call.now_ms)
        except SqlError as error:
            log.warning("key_unread", path=self.route.path, error=str(error))
            if self.route.decides_access:
                return None
            raise Problem("unavailable", headers={"Retry-After": "1"}) from None

    async def _once(
        self, request: web.Request, call: Call[Any], claim: Claim
    ) -> web.StreamResponse:
        """The answer of an earlier request, or this one's, which is kept unless it may change."""
        if claim.replay is not None:
            return _replayed(claim.replay)
        answer: Answer | None = None
        answered = False
        try:
            response = await self._asked(request, call)
            answered = claim.settled
            if not answered:
                answer = _kept(response)
        except Problem as problem:
            if problem.status < 500 and problem.code != "rate_limited":
                said = msgspec.json.encode(problem.body(request.get(REQUEST_ID, "")))
                answer = Answer(problem.status, problems.MEDIA_TYPE, problem.headers, said)
            raise
        finally:
            try:
                if answer is not None:
                    await self.shared.claims.keep(claim, answer)
                elif not answered:  # settled or not: the commit may have failed
                    await self.shared.claims.release(claim)
            except (SqlError, Problem) as error:
                log.warning("answer_unkept", path=self.route.path, error=str(error))
        return response

    async def _asked(self, request: web.Request, call: Call[Any]) -> web.StreamResponse:
        try:
            async with asyncio.timeout(self._budget_s(request)):
                result = await self.route.handler(call)
        except (TimeoutError, SqlError) as error:
            code = "entitlement_unavailable" if self.route.decides_access else "unavailable"
            log.warning("late", path=self.route.path, error=str(error) or "request timeout")
            raise Problem(code, headers={"Retry-After": "1"}) from None
        await self.shared.limiter.forgive(self.route.limits, call)
        if isinstance(result, Stream):
            return await self._stream(request, result)
        return self._answer(request, result)

    async def _stream(self, request: web.Request, stream: Stream) -> web.StreamResponse:
        """Piece by piece; what a client that left behind is closed at once."""
        response = web.StreamResponse(headers={"Cache-Control": "no-store", **stream.headers})
        response.content_type = self.route.produces
        if self.route.produces == EVENT_STREAM:
            response.headers["X-Accel-Buffering"] = "no"
        await response.prepare(request)
        async with contextlib.aclosing(stream.pieces) as pieces:
            async for piece in pieces:
                await response.write(piece)
        return response

    def _budget_s(self, request: web.Request) -> float:
        """The setting, or less if the caller has less time (CTL-188)."""
        limit_ms = self.services.settings.timeouts.request_ms
        text = request.headers.get("X-Request-Timeout-Ms", "")
        if text.isascii() and text.isdigit() and len(text) < 10:
            limit_ms = min(limit_ms, max(int(text), 1))
        return limit_ms / 1_000

    async def _caller(self, request: web.Request) -> Caller | None:
        if self.route.scope is None:
            return None
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        challenge = {"WWW-Authenticate": "Bearer"}  # RFC 6750 section 3
        if scheme.lower() != "bearer" or not token:
            raise Problem("unauthenticated", headers=challenge)
        try:
            caller = await self._known(token.strip())
        except BadToken as error:
            log.info("bad_token", reason=str(error))
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Problem("unauthenticated", headers=challenge) from None
        if not self.route.open_to(caller.scopes):
            raise Problem("forbidden_scope", scope=self.route.scope)
        return replace(caller, country=self._country(request))

    def _country(self, request: web.Request) -> str:
        """Where the caller is: a listed proxy's word, else the setting's (CTL-10)."""
        settings = self.services.settings
        told = request.headers.get(settings.country_header, "") if settings.country_header else ""
        found = client_address.country(request.remote or "", told, self.shared.proxies)
        return found or settings.default_country

    async def _known(self, token: str) -> Caller:
        """Whose token this is, an API key or an access token; raises BadToken."""
        if token.startswith(MARK):
            try:
                return await self.shared.keys.find(token, now_ms())
            except SqlError:
                raise Problem("unavailable", headers={"Retry-After": "1"}) from None
        now_s = now_ms() // 1_000
        caller = self.shared.seen.find(token, now_s)
        if caller is None:
            caller = self.services.issuer.verify(token, now_s)
            self.shared.seen.keep(token, caller, now_s)
        return caller

    async def _body(self, request: web.Request) -> Any:
        if self.route.body is None:
            return None
        if request.content_type not in self.route.media:
            raise Problem("unsupported_media_type")
        limit_bytes = self.route.max_bytes or self.services.settings.max_body_bytes
        raw = await _read(request, limit_bytes)
        if self.route.body is bytes:
            return raw
        try:
            return msgspec.json.decode(raw, type=self.route.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Problem("invalid", str(error)) from None

    def _answer(self, request: web.Request, result: Any) -> web.Response:
        reply = result if isinstance(result, Reply) else Reply(result)
        headers = dict(reply.headers)
        if self.route.deprecated is not None:
            headers |= self.route.deprecated.headers
        if reply.value is None:
            return web.Response(status=204, headers=headers | {"Cache-Control": "no-store"})
        raw, tag = _rendered(request, reply.value, headers)
        if self.route.cache_s is None:
            headers["Cache-Control"] = "private, no-store"  # CTL-7
        else:
            headers |= {
                "Cache-Control": f"public, max-age={self.route.cache_s}",
                "Vary": "Accept-Encoding, Accept-Language",
                "ETag": f'"{tag or hashlib.blake2b(raw, digest_size=12).hexdigest()}"',
            }
            if headers["ETag"] in _tags(request):
                return web.Response(status=304, headers=headers)
        status = reply.status or self.route.status
        return web.Response(
            body=raw, status=status, content_type="application/json", headers=headers
        )


def _kept(response: web.StreamResponse) -> Answer:
    """An answer as it is kept."""
    assert isinstance(response, web.Response) and isinstance(response.body, bytes)
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return Answer(response.status, response.content_type, headers, response.body)


def _replayed(answer: Answer) -> web.Response:
    """An answer that was given before."""
    headers = {"Cache-Control": "private, no-store", **answer.headers, idempotency.REPLAYED: "true"}
    return web.Response(
        body=answer.body, status=answer.status, content_type=answer.media_type, headers=headers
    )


def _rendered(request: web.Request, value: Any, headers: dict[str, str]) -> tuple[bytes, str]:
    """The body, and its tag where it is known: each coding has one (RFC 9110 section 8.8.3.3)."""
    if not isinstance(value, Rendered):
        return msgspec.json.encode(value), ""
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return value.raw, value.tag
    headers["Content-Encoding"] = "gzip"
    return value.gzipped, f"{value.tag}-gzip"


def _path(request: web.Request) -> Mapping[str, str]:
    if not all(ids.VALID.fullmatch(value) for value in request.match_info.values()):
        raise Problem("not_found")
    return request.match_info


def _query(request: web.Request, shape: type[msgspec.Struct] | None) -> Any:
    """The query as the route's type; a name given twice or unknown is refused."""
    if shape is None:
        return None
    pairs = request.query
    if len(pairs) != len(set(pairs)):
        raise Problem("invalid", "a parameter is given twice")
    try:
        return msgspec.convert(dict(pairs), shape, strict=False)
    except msgspec.ValidationError as error:
        raise Problem("invalid", str(error)) from None


async def _read(request: web.Request, limit_bytes: int) -> bytes:
    """The body, never holding more than one chunk beyond the limit."""
    if (request.content_length or 0) > limit_bytes:
        raise Problem("too_large")
    body = bytearray()
    while chunk := await request.content.read(CHUNK_BYTES):
        body += chunk
        if len(body) > limit_bytes:
            raise Problem("too_large")
    return bytes(body)


def _tags(request: web.Request) -> list[str]:
    """If-None-Match by weak comparison (RFC 9110 section 13.1.2); `*` gets the full answer."""
    text = request.headers.get("If-None-Match", "")
    return [tag.strip().removeprefix("W/") for tag in text.split(",")]


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as problem details; pages (no code of ours) keep their redirects."""
    try:
        return await handler(request)
    except Problem as problem:
        return _problem(request, problem)
    except web.HTTPException as refusal:
        if refusal.status not in STATUS_CODES:
            raise
        allow = {name: refusal.headers[name] for name in ("Allow",) if name in refusal.headers}
        return _problem(request, Problem(STATUS_CODES[refusal.status], headers=allow))
    except Exception:
        log.exception("unexpected", path=request.path)
        return _problem(request, Problem("internal"))


def _problem(request: web.Request, problem: Problem) -> web.Response:
    PROBLEMS.labels(problem.code).inc()
    log.info("problem", code=problem.code, status=problem.status)
    body = problem.body(request.get(REQUEST_ID, ""))
    if trace_id := trace.trace_id():
        body["trace_id"] = trace_id
    return web.Response(
        body=msgspec.json.encode(body),
        status=problem.status,
        content_type=problems.MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **problem.headers},
    )


def _cors(origins: Sequence[str]) -> Any:
    """Fetch standard, section 3.2: bearer tokens only, never credentials, so `*` is safe."""

    @web.middleware
    async def cors(request: web.Request, handler: Handler) -> web.StreamResponse:
        preflight = (
            request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        )
        response = web.Response(status=204) if preflight else await handler(request)
        origin = request.headers.get("Origin")
        if origin is None or response.prepared:
            return response
        if "*" not in origins:
            response.headers.add("Vary", "Origin")
            if origin not in origins:
                return response
        response.headers["Access-Control-Allow-Origin"] = "*" if "*" in origins else origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSE_HEADERS
        if preflight:
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
            response.headers["Access-Control-Allow-Headers"] = ALLOW_HEADERS
            response.headers["Access-Control-Max-Age"] = "7200"
        return response

    return cors
