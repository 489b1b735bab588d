"""An aiohttp application as a part of a process: ids, access log, metrics, drain, and the admin
routes.

Wraps what a room builds as plain `web.Application`. Outermost, so the room's own middlewares run
inside: every answer has `X-Request-Id` (CTL-9), every request one JSON line and one observation,
every unexpected error is a 500 `{"error": "internal"}` with the traceback in the log only.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from typing import Protocol

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from runtime import logs, metrics, told, trace, tracing

IDLE_S = 75.0  # between requests
DRAIN_S = 7.5  # inside the process's own budget (runtime.service)
MAX_BODY_BYTES = 1 << 20

log = logs.get("web")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Factory = Callable[[], asyncio.Protocol]
Reasons = Callable[[], Mapping[str, str | None]]

LISTENER = web.AppKey("listener", str)
REQUEST_ID = web.RequestKey("request_id", str)
TRACEPARENT = web.RequestKey("traceparent", str)
BEGUN_S = web.RequestKey("begun_s", float)


class Front(Protocol):
    """What answers some connections of a listener itself and hands the others on."""

    def before(self, server: Factory) -> Factory: ...

    def close(self) -> None:
        """Close the connections that were not handed on, once what they asked is answered."""

    async def drain(self, limit_s: float) -> None:
        """Wait for those that are not answered yet, and cut them then."""


class Web:
    """One listener. Port 0 asks the system for a free one; `port` then says which. With a `path` it
    listens on that Unix socket instead. A `front` sees connections before the application does.
    """

    def __init__(
        self,
        name: str,
        app: web.Application,
        *,
        host: str = "",
        port: int = 0,
        path: Path | None = None,
        admin_routes: bool = False,
        reuse_port: bool = False,
        tls: ssl.SSLContext | None = None,
        front: Front | None = None,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self._app = app
        self._path = path
        self._reuse_port = reuse_port
        self._tls = tls
        self._front = front
        self._fronted: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None
        self._reasons: Reasons = dict
        self._listening = False
        app[LISTENER] = name
        app.middlewares.insert(0, _around)
        app.on_response_prepare.append(self._signed)
        if admin_routes:
            app.router.add_get("/healthz", self._healthz)
            app.router.add_get("/readyz", self._readyz)
            app.router.add_get("/metrics", self._metrics)

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self.host}:{self.port}"

    def answer_for(self, reasons: Reasons) -> None:
        """Let /readyz tell these reasons: part name -> None when ready, else why not."""
        self._reasons = reasons

    async def start(self) -> None:
        self._runner = web.AppRunner(
            self._app,
            handle_signals=False,
            access_log_class=_AccessLog,
            keepalive_timeout=IDLE_S,
            shutdown_timeout=DRAIN_S,
            handler_cancellation=True,
        )
        await self._runner.setup()
        if self._front is not None:
            await self._start_front(self._front)
        else:
            await self._site(self._runner).start()
            if self._path is None:
                self.port = int(self._runner.addresses[0][1])
        self._listening = True

    async def _start_front(self, front: Front) -> None:
        assert self._runner is not None and self._runner.server is not None
        self._fronted = await asyncio.get_running_loop().create_server(
            front.before(self._runner.server),
            self.host,
            self.port,
            reuse_port=self._reuse_port or None,
            ssl=self._tls,
            backlog=1024,
        )
        self.port = int(self._fronted.sockets[0].getsockname()[1])

    def _site(self, runner: web.AppRunner) -> web.BaseSite:
        if self._path is not None:
            return web.UnixSite(runner, str(self._path), backlog=1024)
        return web.TCPSite(
            runner,
            self.host,
            self.port,
            reuse_port=self._reuse_port or None,
            ssl_context=self._tls,
            backlog=1024,
        )

    def ready(self) -> str | None:
        return None if self._listening else "not listening"

    async def drain(self) -> None:
        """Close the listener and idle connections; requests in flight are answered with
        `Connection: close`.
        """
        self._listening = False
        if self._runner is None or self._runner.server is None:
            return
        for site in list(self._runner.sites):
            await site.stop()
        self._close_front()
        await asyncio.sleep(0)  # requests already read must have reached their handlers
        self._runner.server.pre_shutdown()
        drains = [self._runner.server.shutdown(DRAIN_S)]
        if self._front is not None:
            drains.append(self._front.drain(DRAIN_S))
        await asyncio.gather(*drains)

    async def stop(self) -> None:
        self._listening = False
        self._close_front()
        if self._front is not None:
            await self._front.drain(0)
        if self._runner is not None:
            await self._runner.cleanup()

    def _close_front(self) -> None:
        if self._fronted is not None and self._front is not None:
            self._fronted.close()
            self._front.close()

    async def _signed(self, request: web.Request, response: web.StreamResponse) -> None:
        """Last touch on every head, streamed ones included."""
        response.headers["Server"] = "headwater"
        if not self._listening:
            response.headers["Connection"] = "close"
        if REQUEST_ID in request:
            response.headers[trace.REQUEST_ID] = request[REQUEST_ID]

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        reasons = self._reasons()
        ready = all(reason is None for reason in reasons.values())
        body = {"ready": ready, "parts": dict(reasons)}
        return web.json_response(body, status=200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE}
        )


@web.middleware
async def _around(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ids on the way in, and no error without a code on the way out."""
    request[BEGUN_S] = perf_counter()
    request_id = request[REQUEST_ID] = trace.request_id(request.headers)
    given = request.headers.get(trace.TRACEPARENT)
    with (
        logs.bound(request_id=request_id),
        tracing.served(_method(request), _route(request), given) as noted,
    ):
        if own := trace.current():
            request[TRACEPARENT] = own
        try:
            response = await handler(request)
        except web.HTTPException as refusal:
            coded = _coded(refusal)
            if coded is None:
                raise
            response = coded
        except Exception:
            log.exception("unexpected", path=request.path)
            response = web.json_response({"error": "internal"}, status=500)
        noted.set_attribute(tracing.STATUS, response.status)
    return response


def _method(request: web.BaseRequest) -> str:
    return request.method if request.method in METHODS else "other"


def _route(request: web.BaseRequest) -> str:
    """The pattern that matched, never what a client wrote."""
    match = _match(request)
    resource = match.route.resource if match is not None else None
    return resource.canonical if resource is not None else "none"


def _match(request: web.BaseRequest) -> web.UrlMappingMatchInfo | None:
    """None for octets that aiohttp refused before there was a route."""
    return request.match_info if isinstance(request, web.Request) and BEGUN_S in request else None


def _coded(refusal: web.HTTPException) -> web.Response | None:
    """Give aiohttp's own plain-text refusals a code; a room's refusals stay as they are."""
    if refusal.status < 400 or refusal.content_type != "text/plain":
        return None
    code = re.sub(r"[^a-z]+", "_", HTTPStatus(refusal.status).phrase.lower())
    response = web.json_response({"error": code}, status=refusal.status)
    for name in ("Allow", "Retry-After", "Location"):
        if name in refusal.headers:
            response.headers[name] = refusal.headers[name]
    return response


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a fault that aiohttp tells of is not its peer's: those have their line already."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


logging.getLogger("aiohttp.server").addFilter(_is_ours)


class _AccessLog(AbstractAccessLogger):
    """One line a request, after its last byte was handed to the socket."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        match = _match(request)
        told.request(
            match.apps[0][LISTENER] if match is not None and match.apps else "none",
            _method(request),
            _route(request),
            request.path_qs,
            status=response.status,
            sent_bytes=response.body_length,
            begun_s=request.get(BEGUN_S, perf_counter() - time),
            peer=request.remote,
            ids={
                name: request[key]
                for name, key in (("request_id", REQUEST_ID), ("traceparent", TRACEPARENT))
                if key in request
            },
        )
