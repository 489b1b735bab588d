"""The demo's small CDN: one process per edge, which verifies the token and caches what the origin
says may be cached.

    player -> Guard (token out, verdict) -> Cache (hit, or one fetch) -> origin

It is not the product's edge: `edge_scripts/` holds what runs on real CDNs. It makes their behaviour
visible on a laptop, with a switch that makes it slow or dead.
"""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable, Sequence

import cat
from headwater.demo.edge_cache import Cache, Looked, Stored
from headwater.demo.edge_guard import Guard
from headwater.demo.edge_pull import Arriving, Puller
from headwater.demo.edge_switch import Mode, State, application
from native.http import Answer, Entity, Refusal, Request, Server, Stream, serve
from runtime.fetch import Fetcher, FetchError
from runtime.service import Part, Web

ORIGIN_TIMEOUT_S = 25.0  # a parked playlist request may take this long (HLS-29)
SLOW_LATENCY_S = 1.0
SLOW_BYTES_S = 40 * 1024  # below the lowest rung, so that players notice
SLOW_CHUNK_BYTES = 4 * 1024
DRAIN_S = 5.0
AGE_FROM_LIFETIME_S = 60.0  # objects kept longer change so rarely that their age matters to nobody
MIN_GZIP_BYTES = 512
_TEXTS = ("text/", "application/vnd.apple.mpegurl", "application/dash+xml", "application/json")
_pause = asyncio.sleep
_OWN_HEADERS = frozenset({"content-type", "cache-control"})  # Entity writes these itself


def parts(
    name: str,
    host: str,
    port: int,
    admin_port: int,
    origin_url: str,
    keys: cat.KeySet,
    issuers: Sequence[str],
) -> list[Part]:
    """An edge called `name` in front of `origin_url`, with its switch on `admin_port`."""
    fetcher = Fetcher(
        [origin_url], name=f"{name} to origin", timeout_s=ORIGIN_TIMEOUT_S, max_bytes=64 << 20
    )
    edge = Edge(name, host, port, origin_url, fetcher, Guard(keys, issuers))
    switch = Web(
        f"{name} switch",
        application(edge.state, edge.switch),
        host=host,
        port=admin_port,
        admin_routes=True,
    )
    return [fetcher, edge, switch]


class Edge:
    """A part: the listener, switched between its modes. Port 0 asks for a free one, kept over a
    switch.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        origin_url: str,
        fetcher: Fetcher,
        guard: Guard,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.state = State(name)
        self.cache = Cache(time.monotonic)
        self._puller = Puller(fetcher, origin_url, ORIGIN_TIMEOUT_S, self._headers("MISS"))
        self._guard = guard
        self._now = now
        self._server: Server | None = None
        self._switching = asyncio.Lock()

    async def start(self) -> None:
        await self._listen()

    def ready(self) -> str | None:
        """A switched-off edge is ready: it does what it was told."""
        return None if self._server or self.state.mode is Mode.DEAD else "not listening"

    async def drain(self) -> None:
        if self._server is not None:
            await self._server.drain(DRAIN_S)

    async def stop(self) -> None:
        await self._close()

    async def switch(self, mode: Mode) -> None:
        """Dead: the listener closes and connections are cut, until another mode opens it again."""
        async with self._switching:
            self.state.mode = mode
            if mode is Mode.DEAD:
                await self._close()
            elif self._server is None:
                await self._listen()

    async def _listen(self) -> None:
        self._server = await serve(self.answer, host=self.host, port=self.port)
        self.port = self._server.port

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.close()

    async def answer(self, request: Request) -> Answer:
        """One request from gate to bytes."""
        admitted = self._guard.admit(request, self._now())
        if isinstance(admitted, cat.Verdict):
            self.state.verdicts[admitted.reason] += 1
            return _refusal(admitted, self.name)
        self.state.verdicts["ok"] += 1
        slow = self.state.mode is Mode.SLOW
        if slow:
            await _pause(SLOW_LATENCY_S)
        try:
            target = admitted.target
            looked = await self.cache.look(target, lambda tag: self._puller.pull(target, tag))
        except FetchError as error:
            self.state.cache["ERROR"] += 1
            code = "origin_timeout" if error.code == "timeout" else "origin_unreachable"
            status = 504 if error.code == "timeout" else 502
            return Refusal(status, code, cache_control="no-store", headers=self._headers("ERROR"))
        if isinstance(looked, Arriving):
            self.state.cache["MISS"] += 1
            return looked.answer
        self.state.cache[looked.how] += 1
        self.state.bytes_sent += len(looked.stored.body) if request.method == "GET" else 0
        if slow and request.method == "GET" and len(looked.stored.body) > SLOW_CHUNK_BYTES:
            return self._stream(looked)
        return self._entity(looked)

    def _headers(self, how: str, age_s: int = 0) -> list[tuple[str, str]]:
        headers = [("X-Cache", how), ("X-CDN", self.name)]  # E-55
        return [*headers, ("Age", str(age_s))] if age_s else headers

    def _age_s(self, stored: Stored) -> int:
        old = stored.lifetime_s <= AGE_FROM_LIFETIME_S
        return int(stored.age_s(time.monotonic())) if old else 0

    def _entity(self, looked: Looked) -> Entity:
        stored = looked.stored
        return Entity(
            stored.body,
            content_type=stored.content_type,
            cache_control=stored.cache_control,
            last_modified=stored.last_modified,
            etag=stored.tag,
            gzip=_coded(stored),
            headers=self._headers(looked.how, self._age_s(stored)),
            status=stored.status,
        )

    def _stream(self, looked: Looked) -> Stream:
        stored = looked.stored
        return Stream(
            _paced(stored.body),
            content_type=stored.content_type,
            cache_control=stored.cache_control,
            headers=self._headers(looked.how),
            status=stored.status,
        )


def _coded(stored: Stored) -> bytes | None:
    worth = len(stored.body) >= MIN_GZIP_BYTES and stored.content_type.startswith(_TEXTS)
    return gzip.compress(stored.body, 1, mtime=0) if worth else None


async def _paced(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), SLOW_CHUNK_BYTES):
        chunk = body[start : start + SLOW_CHUNK_BYTES]
        yield chunk
        await _pause(len(chunk) / SLOW_BYTES_S)


def _refusal(verdict: cat.Verdict, name: str) -> Entity:
    """CAT-110; the cross-origin headers are the listener's own work."""
    answer = cat.refusal(verdict)
    headers = [
        (field, value)
        for field, value in answer.headers
        if field.lower() not in _OWN_HEADERS and not field.startswith("Access-Control-")
    ]
    return Entity(
        answer.body,
        content_type="application/json",
        cache_control="no-store",
        headers=[*headers, ("X-CDN", name)],
        status=answer.status,
    )
