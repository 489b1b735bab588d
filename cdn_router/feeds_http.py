"""What others than players tell of CDNs, over HTTP.

    POST /logs/{cdn}    lines of a CDN's log, a request each; `?fields=a,b,c` names their columns
    POST /events        a CloudEvents object a line: `playback.heartbeat`, `qoe.metric`

Who sends them speaks for many viewers, so unlike a player's it must be a sender we know:
`Authorization: Bearer` with router.feed_token. Bodies are read a few lines at a time, between
which steering polls are answered.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from aiohttp import web

from runtime import metrics
from runtime.clock import Clock

from .admin.routes import admit
from .bucket import Buckets
from .errors import Busy, NotFound, RequestError, TooLarge
from .feeds import EventError, read
from .intake import MAX_PEERS, PEER_BURST_S, Intake
from .logs import CLOUDFRONT, LineError, Reader
from .settings import Settings

MAX_FEED_BYTES = 1 << 20
MAX_LINES = 4_000
SLICE = 16  # lines between which the loop turns, about 2 ms

EVENTS = metrics.counter("router_feed_events", "heartbeats and metrics", ("fate",))
LINES = metrics.counter("router_log_lines", "lines of CDN logs", ("pathway", "fate"))
BYTES = metrics.counter("router_log_bytes", "that CDNs say they sent", ("pathway",))
FIRST_BYTE = metrics.histogram("router_log_first_byte_seconds", "as CDNs say", ("pathway",))


class Feeds:
    """Handlers over one intake."""

    def __init__(self, settings: Settings, intake: Intake, clock: Clock) -> None:
        self._intake, self._clock = intake, clock
        self._cdns = {pathway.id for pathway in settings.pathways}
        self._token = settings.feed_token.get_secret_value()
        per_s = settings.feed_per_peer
        self._peers = Buckets(per_s, per_s * PEER_BURST_S, MAX_PEERS)

    def mounted(self, app: web.Application) -> web.Application:
        """The application, with these endpoints."""
        app.add_routes([web.post("/logs/{cdn}", self.logs), web.post("/events", self.events)])
        return app

    async def logs(self, request: web.Request) -> web.Response:
        """204 once every line was taken or counted as what it was; none is sent again for that."""
        admit(request, self._token, "feed_token")
        cdn = request.match_info["cdn"]
        if cdn not in self._cdns:
            raise NotFound("pathway_unknown", "no such pathway")
        named = request.query.get("fields", "")
        reader = Reader(named.split(",") if named else CLOUDFRONT)
        lines = await self._lines(request)
        fates = await _each(lines, lambda line: self._line(cdn, reader, line))
        del fates["directive"]
        for fate, count in fates.items():
            LINES.labels(cdn, fate).inc(count)
        return web.Response(status=204)

    async def events(self, request: web.Request) -> web.Response:
        """204 likewise. Loss is counted, never sent again (CTL-173)."""
        admit(request, self._token, "feed_token")
        for fate, count in (await _each(await self._lines(request), self._event)).items():
            EVENTS.labels(fate).inc(count)
        return web.Response(status=204)

    async def _lines(self, request: web.Request) -> list[bytes]:
        """The lines of a body, as many as one sender may bring."""
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MAX_FEED_BYTES:
                raise TooLarge("too_large", f"at most {MAX_FEED_BYTES} bytes")
        if body.count(b"\n") > MAX_LINES:
            raise TooLarge("too_large", f"at most {MAX_LINES} lines")
        lines = [line for each in bytes(body).split(b"\n") if (line := each.strip(b"\r"))]
        if not lines:
            raise RequestError("no_record", "no lines")
        if not self._peers.take(request.remote or "", len(lines), self._clock.now_ms()):
            raise Busy("rate", "a sample of the lines, or later")
        return lines

    def _line(self, cdn: str, reader: Reader, text: bytes) -> str:
        """What became of a line."""
        try:
            line = reader.read(text.decode())
        except UnicodeDecodeError:
            return "encoding"
        except LineError as error:
            return error.code
        if line is None:
            return "directive"
        BYTES.labels(cdn).inc(line.size_bytes)
        if line.first_ms:
            FIRST_BYTE.labels(cdn).observe(line.first_ms / 1000)
        return self._intake.logged(cdn, line, self._clock.now_ms())

    def _event(self, text: bytes) -> str:
        """What became of an event. Whose address it came from is not known: all are one network,
        so that events alone open no circuit (RT-22).
        """
        try:
            return self._intake.told(read(text), "", self._clock.now_ms())
        except EventError as error:
            return error.code


async def _each(lines: Sequence[bytes], take: Callable[[bytes], str]) -> Counter[str]:
    """How often each fate befell a line."""
    fates: Counter[str] = Counter()
    for at in range(0, len(lines), SLICE):
        fates.update(map(take, lines[at : at + SLICE]))
        await asyncio.sleep(0)
    return fates
