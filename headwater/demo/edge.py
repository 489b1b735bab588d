"""The demo's small CDN: one process per edge, which runs a real CDN's script and caches what the
origin says may be cached.

    player -> script, request (verdict, token out) -> Cache (hit, or one fetch) -> origin
           <- script, response (renewal, marks) <-

The script decides as it does on CloudFront or Akamai; listener, cache and the switch that makes it
slow or dead are what those platforms bring themselves.
"""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from headwater.demo.edge_cache import Cache, Looked, Stored
from headwater.demo.edge_pull import Arriving, Puller
from headwater.demo.edge_script import Script, ScriptError, Told, fields
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
_PATH_SAFE = "/:;@!$&'()*+,=~%"
# What the distribution's cache policy lets into key and origin request (E-43).
KNOWN_PARAMETERS = ("start", "end")  # CONTRACT: no other query parameter changes bytes
KNOWN_PREFIX = "_HLS_"


def parts(
    name: str,
    host: str,
    port: int,
    admin_port: int,
    origin_url: str,
    keys: Iterable[Mapping[str, Any]],
    issuers: Sequence[str],
    platform: str,
    settings: Mapping[str, Any] | None = None,
) -> list[Part]:
    """An edge called `name` in front of `origin_url`, with its switch on `admin_port`; `settings`
    are those of edge.json beyond name and issuers, `keys` are JWK.
    """
    policy = {"name": name, "issuers": list(issuers), "blackout_segment": 0, **(settings or {})}
    script = Script(platform, policy, keys)
    fetcher = Fetcher(
        [origin_url], name=f"{name} to origin", timeout_s=ORIGIN_TIMEOUT_S, max_bytes=64 << 20
    )
    edge = Edge(name, host, port, origin_url, fetcher, script)
    switch = Web(
        f"{name} switch",
        application(edge.state, edge.switch),
        host=host,
        port=admin_port,
        admin_routes=True,
    )
    return [fetcher, script, edge, switch]


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
        script: Script,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.state = State(name, script.platform)
        self.cache = Cache(time.monotonic)
        self._puller = Puller(fetcher, origin_url, ORIGIN_TIMEOUT_S, self._headers("MISS"))
        self._script = script
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
        try:
            told = await self._script.request(_asked(request))
            if told.status is not None:
                self.state.verdicts[told.headers.get("cat-reason", "ok")] += 1
                return _said(told, told.status)
            self.state.verdicts["ok"] += 1
            return await self._serve(request, told)
        except ScriptError:
            self.state.verdicts["store"] += 1
            return Refusal(503, "edge_script", cache_control="no-store")

    async def _serve(self, request: Request, told: Told) -> Answer:
        slow = self.state.mode is Mode.SLOW
        if slow:
            await _pause(SLOW_LATENCY_S)
        try:
            target = _key(told)
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
        headers = await self._script.response(told, looked.stored.marks)
        headers += self._cached(looked)
        if slow and request.method == "GET" and len(looked.stored.body) > SLOW_CHUNK_BYTES:
            return _stream(looked.stored, headers)
        return _entity(looked.stored, headers)

    def _headers(self, how: str) -> list[tuple[str, str]]:
        return [("X-Cache", how), ("X-CDN", self.name)]  # E-55

    def _cached(self, looked: Looked) -> list[tuple[str, str]]:
        stored = looked.stored
        old = stored.lifetime_s <= AGE_FROM_LIFETIME_S
        age_s = int(stored.age_s(time.monotonic())) if old else 0
        return [("X-Cache", looked.how), *([("Age", str(age_s))] if age_s else [])]


def _asked(request: Request) -> dict[str, Any]:
    """A request as scripts' stand-ins take it (E-29)."""
    path = request.target.partition("?")[0]
    return {
        "method": request.method,
        "scheme": "http",
        "host": request.headers.get("host", "localhost"),
        "path": quote(path if path.startswith("/") else request.path, safe=_PATH_SAFE),
        "query": request.query,
        "headers": request.headers,
        "ip": request.peer,
    }


def _key(told: Told) -> str:
    known = sorted(pair for pair in told.query.split("&") if _is_known(pair))
    return told.path + ("?" + "&".join(known) if known else "")


def _is_known(pair: str) -> bool:
    name = pair.partition("=")[0]
    return name in KNOWN_PARAMETERS or name.startswith(KNOWN_PREFIX)


def _said(told: Told, status: int) -> Entity:
    """The script's own answer."""
    return Entity(
        told.body,
        content_type=told.headers.get("content-type", "text/plain"),
        cache_control=told.headers.get("cache-control", "no-store"),
        headers=[pair for pair in fields(told.headers) if pair[0] not in _OWN_HEADERS],
        status=status,
    )


def _entity(stored: Stored, headers: Sequence[tuple[str, str]]) -> Entity:
    return Entity(
        stored.body,
        content_type=stored.content_type,
        cache_control=stored.cache_control,
        last_modified=stored.last_modified,
        etag=stored.tag,
        gzip=_coded(stored),
        headers=headers,
        status=stored.status,
    )


def _stream(stored: Stored, headers: Sequence[tuple[str, str]]) -> Stream:
    return Stream(
        _paced(stored.body),
        content_type=stored.content_type,
        cache_control=stored.cache_control,
        headers=headers,
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
