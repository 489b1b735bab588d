"""The route table on a listener: plain requests by the short way, the rest on aiohttp.

Both ask the same endpoints (`control_api.endpoint`); CORS and problems are around whatever else is
mounted on the application.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from control_api import endpoint
from control_api.api_keys.door import Door
from control_api.calls import Services, Stream
from control_api.cors import ASKS_FIRST, Cors
from control_api.endpoint import Endpoint, Shared
from control_api.idempotency import Claims
from control_api.limits import Limiter
from control_api.problems import Problem
from control_api.route import EVENT_STREAM, JSON, Route
from control_api.seen_tokens import SeenTokens
from runtime import client_address, logs
from runtime.deadlines import Deadlines
from runtime.plain import Answer, Plain, Way, Ways
from runtime.web import REQUEST_ID

log = logs.get("control")

CHUNK_BYTES = 16_384
BODY_S = 30.0  # for any body, and what a slow line needs on top
BODY_BYTES_PER_S = 100_000
STATUS_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 400: "invalid"}


def mount(app: web.Application, services: Services, routes: Sequence[Route]) -> Ways:
    """Put the table's routes on an application; what a short way may answer of them."""
    settings = services.settings
    cors = Cors(settings.cors_origins)
    app.middlewares.append(_cors(cors))
    app.middlewares.append(_problems)
    shared = Shared(
        SeenTokens(),
        Door(services.database),
        Claims(services.database, services.secret),
        Limiter(settings.limits, services.playback.shelf),
        client_address.networks(settings.trusted_proxies),
        Deadlines(),
    )
    mounted = [_Mounted(Endpoint(route, services, shared), cors) for route in routes]
    for each in mounted:
        route = each.endpoint.route
        if route.method == "GET":
            app.router.add_get(route.path, each.handle)
        else:
            app.router.add_route(route.method, route.path, each.handle)
    paths: defaultdict[str, set[str]] = defaultdict(set)
    for route in routes:
        paths[route.path] |= {"GET", "HEAD"} if route.method == "GET" else {route.method}
    ways = [way for each in mounted for way in each.ways()]
    return Ways(ways + [_Preflight(*each, cors).way() for each in paths.items()])


@dataclass(frozen=True, slots=True)
class _Mounted:
    """An endpoint as both servers ask it."""

    endpoint: Endpoint
    cors: Cors

    def ways(self) -> Iterator[Way]:
        """None to what streams."""
        route = self.endpoint.route
        if route.produces == JSON:
            yield Way(route.method, route.path, self.endpoint.max_bytes, self.answer)

    async def answer(self, request: Plain) -> Answer:
        """By the short way."""
        answer = await self.endpoint.answer(request)
        assert isinstance(answer, Answer), "its media type tells a stream"
        return self.cors.on(request.headers.get("Origin"), answer)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """By aiohttp."""
        plain = Plain(
            request.method,
            request.path,
            request.rel_url.raw_query_string,
            request.match_info,
            request.headers,
            request.remote or "",
            request.get(REQUEST_ID, ""),
            partial(_read, request),
        )
        answer = await self.endpoint.answer(plain)
        if isinstance(answer, Stream):
            return await _stream(request, answer, self.endpoint.route.produces)
        return _response(answer)


@dataclass(frozen=True, slots=True)
class _Preflight:
    """OPTIONS by the short way: a browser's question keeps its connection there."""

    path: str
    methods: Set[str]
    cors: Cors

    def way(self) -> Way:
        return Way("OPTIONS", self.path, 0, self.answer)

    async def answer(self, request: Plain) -> Answer:
        origin = request.headers.get("Origin")
        if ASKS_FIRST in request.headers:
            return self.cors.preflight(origin)
        refusal = Problem("method_not_allowed", headers={"Allow": ",".join(sorted(self.methods))})
        return self.cors.on(origin, endpoint.told(refusal, request.request_id))


async def _read(request: web.Request, limit_bytes: int) -> bytes:
    """The body, never holding more than one chunk beyond the limit, nor waiting for ever."""
    if (request.content_length or 0) > limit_bytes:
        raise Problem("too_large")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S + limit_bytes / BODY_BYTES_PER_S):
            while chunk := await request.content.read(CHUNK_BYTES):
                body += chunk
                if len(body) > limit_bytes:
                    raise Problem("too_large")
    except TimeoutError:
        raise Problem("too_slow", headers={"Connection": "close"}) from None
    return bytes(body)


def _response(answer: Answer) -> web.Response:
    if not answer.media_type:
        return web.Response(status=answer.status, headers=answer.headers)
    return web.Response(
        body=answer.body,
        status=answer.status,
        content_type=answer.media_type,
        headers=answer.headers,
    )


async def _stream(request: web.Request, stream: Stream, media_type: str) -> web.StreamResponse:
    """Piece by piece; what a client that left behind is closed at once."""
    response = web.StreamResponse(headers={"Cache-Control": "no-store", **stream.headers})
    response.content_type = media_type
    if media_type == EVENT_STREAM:
        response.headers["X-Accel-Buffering"] = "no"
    async with contextlib.aclosing(stream.pieces) as pieces:
        await response.prepare(request)
        async for piece in pieces:
            await response.write(piece)
    return response


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
    return _response(endpoint.told(problem, request.get(REQUEST_ID, "")))


def _cors(cors: Cors) -> Any:
    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if request.method == "OPTIONS" and ASKS_FIRST in request.headers:
            return _response(cors.preflight(origin))
        response = await handler(request)
        if not response.prepared:
            response.headers.update(cors.fields(origin, response.headers.get("Vary")))
        return response

    return around
