"""Pushes among workers: a body for a channel that another worker writes goes on to that worker.

A body is handed on as it comes, so that low latency and back pressure stay what they are. A worker
that dies in the middle costs the encoder its connection: it sends again (DASH-IF Live Media Ingest
v1.2, I13), and by then some worker has claimed the channel.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from origin import metrics
from origin.errors import OriginError
from origin.ingest.names import channel_name
from origin.live.shared import SharedChannels

SOCKET = ".sock"
PATIENCE_S = 8.0  # a worker that drains finishes its bodies first
AGAIN_S = 0.05
CONNECT_S = 2.0
ANSWERED = frozenset(["content-type", "cache-control"])
HOP = frozenset(  # RFC 9110 section 7.6.1, and what the body's new framing replaces
    [
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
        *("content-encoding", "content-length", "expect", "host"),
    ]
)


class Relay:
    """The way from the shared ingest port to the worker that writes the channel."""

    def __init__(self, channels: SharedChannels) -> None:
        self._channels = channels
        self._directory = os.open(channels.run, os.O_RDONLY | os.O_DIRECTORY)

    @property
    def socket(self) -> str:
        """Where this worker takes what others hand on; short whatever the folder (sun_path)."""
        return self._at(self._channels.owners.address)

    @property
    def outer(self) -> Middleware:
        """For the shared port: written here, or handed on."""

        @web.middleware
        async def outer(request: web.Request, handler: Handler) -> web.StreamResponse:
            name = _channel(request)
            return await (handler(request) if name is None else self._push(name, request, handler))

        return outer

    @property
    def inner(self) -> Middleware:
        """For the socket of this worker: written here, or refused, never handed on again."""

        @web.middleware
        async def inner(request: web.Request, handler: Handler) -> web.StreamResponse:
            name = _channel(request)
            if name is None:
                return await handler(request)
            with self._channels.writing(name) as mine:
                return await handler(request) if mine else _unavailable("not_the_owner")

        return inner

    def close(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        os.close(self._directory)

    async def _push(self, name: str, request: web.Request, handler: Handler) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        limit = loop.time() + PATIENCE_S
        while loop.time() < limit:
            with self._channels.writing(name) as mine:
                if mine:
                    return await handler(request)
            address = self._channels.owners.owner(name)
            if address is not None and (answer := await self._hand_on(address, request)):
                return answer
            await asyncio.sleep(AGAIN_S)
        return _unavailable("no_owner")

    async def _hand_on(self, address: str, request: web.Request) -> web.Response | None:
        """The owner's answer; None when it took no byte of the body, so that another may."""
        taken = False

        async def body() -> AsyncIterator[bytes]:
            nonlocal taken
            async for piece in request.content.iter_any():
                taken = True
                yield piece

        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP}
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.UnixConnector(self._at(address)),
                    timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
                    skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
                ) as session,
                session.request(
                    request.method,
                    URL(f"http://worker{request.raw_path}", encoded=True),
                    data=body(),
                    headers=headers,
                ) as answer,
            ):
                text = await answer.read()
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            if not taken:
                return None
            metrics.RELAYED.labels("lost").inc()
            return _unavailable("owner_lost")
        metrics.RELAYED.labels("answered").inc()
        response = web.Response(
            status=answer.status,
            body=text,
            headers={k: v for k, v in answer.headers.items() if k.lower() in ANSWERED},
        )
        if not request.content.at_eof():
            response.force_close()
        return response

    def _at(self, address: str) -> str:
        return f"/proc/self/fd/{self._directory}/{address}{SOCKET}"


def _channel(request: web.Request) -> str | None:
    """The channel of a push; None for what is no publishing point, which the receiver refuses."""
    parts = request.match_info["rest"].split("/", 2)
    if len(parts) != 3 or parts[0] != "ingest":
        return None
    try:
        return channel_name(parts[1])
    except OriginError:
        return None


def _unavailable(code: str) -> web.Response:
    """Our own fault (I5): the encoder sends again."""
    response = web.json_response(
        {"error": code}, status=503, headers={"Cache-Control": "no-store", "Retry-After": "1"}
    )
    response.force_close()
    return response
