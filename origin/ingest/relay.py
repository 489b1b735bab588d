"""Pushes among workers: a body for a channel that another worker writes goes on to that worker.

A body is handed on as it comes, so that low latency and back pressure stay what they are. A worker
that dies in the middle costs the encoder its connection: it sends again (DASH-IF Live Media Ingest
v1.2, I13), and by then some worker has claimed the channel.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType

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


Elsewhere = Callable[[str], Awaitable[str | None]]


async def nowhere(_: str) -> str | None:
    """A machine of its own: no channel is written elsewhere."""
    return None


class Relay:
    """The way of a push from where it comes in to the worker that writes the channel.

    `elsewhere` tells the URL of the machine that writes a channel, None for this one; `headers` are
    sent to it.
    """

    def __init__(
        self,
        channels: SharedChannels,
        elsewhere: Elsewhere = nowhere,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._channels = channels
        self._elsewhere = elsewhere
        self._headers = dict(headers)
        self._directory = os.open(channels.run, os.O_RDONLY | os.O_DIRECTORY)

    @property
    def socket(self) -> str:
        """Where this worker takes what others hand on; short whatever the folder (sun_path)."""
        return self._at(self._channels.owners.address)

    def outer(self, *, local: bool = False) -> Middleware:
        """For a port that workers share: written here, or handed on. `local`: to a neighbour only,
        for pushes that another machine handed on.
        """

        @web.middleware
        async def outer(request: web.Request, handler: Handler) -> web.StreamResponse:
            name = _channel(request)
            if name is None:
                return await handler(request)
            limit = time.monotonic() + PATIENCE_S
            while time.monotonic() < limit:
                try:
                    answer = await self._push(name, request, handler, local=local)
                except OriginError as error:
                    return _unavailable(error.code)
                if answer is not None:
                    return answer
                await asyncio.sleep(AGAIN_S)
            return _unavailable("no_owner")

        return outer

    @property
    def inner(self) -> Middleware:
        """For the socket of this worker: written here, or by the machine that this worker copies
        from; never handed to a neighbour again.
        """

        @web.middleware
        async def inner(request: web.Request, handler: Handler) -> web.StreamResponse:
            name = _channel(request)
            if name is None:
                return await handler(request)
            if request.method == "GET":
                return await handler(request)
            if name in self._channels.copied and (url := await self._elsewhere(name)):
                return await self._far(url, request) or _unavailable("owner_lost")
            with self._channels.writing(name) as mine:
                return await handler(request) if mine else _unavailable("not_the_owner")

        return inner

    def close(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        os.close(self._directory)

    async def _push(
        self, name: str, request: web.Request, handler: Handler, *, local: bool
    ) -> web.StreamResponse | None:
        """An answer, or None while nobody takes the push."""
        if not local and (url := await self._elsewhere(name)):
            return await self._far(url, request)
        channels = self._channels
        if request.method == "GET" and (
            name in channels.writers or not channels.owners.owner(name)
        ):
            return await handler(request)
        if request.method != "GET":
            with channels.writing(name) as mine:
                if mine:
                    return await handler(request)
        address = channels.owners.owner(name)
        if address is None or address == channels.owners.address:
            return None
        through = aiohttp.UnixConnector(self._at(address))
        return await self._hand_on("http://worker", through, {}, request)

    async def _far(self, url: str, request: web.Request) -> web.Response | None:
        return await self._hand_on(url, aiohttp.TCPConnector(), self._headers, request)

    async def _hand_on(
        self,
        url: str,
        connector: aiohttp.BaseConnector,
        said: Mapping[str, str],
        request: web.Request,
    ) -> web.Response | None:
        """The writer's answer; None when it took no byte of the body, so that another may."""
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
                    connector=connector,
                    timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
                    skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
                ) as session,
                session.request(
                    request.method,
                    URL(url + request.raw_path, encoded=True),
                    data=body(),
                    headers={**headers, **said},
                    allow_redirects=False,
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
    """The channel that a request is about; None for what the receiver refuses in any case."""
    parts = request.path.split("/", 3)
    if len(parts) < 3 or parts[1] != "ingest":
        return None
    try:
        return channel_name(parts[2])
    except OriginError:
        return None


def _unavailable(code: str) -> web.Response:
    """Our own fault (I5): the encoder sends again."""
    response = web.json_response(
        {"error": code}, status=503, headers={"Cache-Control": "no-store", "Retry-After": "1"}
    )
    response.force_close()
    return response
