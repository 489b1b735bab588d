"""The ingest port's routes: HTTP around `origin.ingest` (aiohttp)."""

from collections.abc import AsyncIterator, Callable

from aiohttp import web

from origin import metrics
from origin.errors import BadMedia, OriginError, UnknownChannel, UnsupportedMedia, WrongPath
from origin.ingest import recordings
from origin.ingest.admission import admit
from origin.ingest.body import MANIFEST_BYTES, TrackBody
from origin.ingest.names import NAME, Target, channel_name
from origin.ingest.naming import Naming
from origin.live.channels import Channels
from origin.live.pace import describe
from origin.live.sources import Peer
from origin.settings import Settings
from runtime import logs

log = logs.get("ingest")
PIECE_BYTES = 1 << 18
CODINGS = frozenset(["", "identity", "gzip", "deflate"])  # aiohttp undoes them (I1)


def application(
    channels: Channels, settings: Settings, clock: Callable[[], float]
) -> web.Application:
    """`PUT|POST|DELETE /ingest/{channel}/{path}`; anything else is a wrong path (403)."""
    app = web.Application()
    recordings.mount(app, channels.recordings, settings)
    receiver = Receiver(channels, settings, clock)
    for method in ("PUT", "POST"):
        app.router.add_route(method, "/{rest:.*}", receiver.push)
    app.router.add_route("DELETE", "/{rest:.*}", receiver.delete)
    app.router.add_route("GET", "/ingest/{channel}", receiver.sources)
    return app


class Receiver:
    """Answers pushes with exactly the statuses of I5."""

    def __init__(self, channels: Channels, settings: Settings, clock: Callable[[], float]) -> None:
        self._channels = channels
        self._settings = settings
        self._clock = clock
        self._naming = Naming(channels.folder, settings.channel_limit)

    async def push(self, request: web.Request) -> web.Response:
        """One segment, header, manifest, probe, or endless track."""
        try:
            channel, aim = self._aim(request)
            if request.headers.get("Content-Encoding", "").lower() not in CODINGS:
                raise UnsupportedMedia("the body has a coding other than gzip")
            if aim.kind == "manifest":
                writer = self._channels.known(channel)
                self._naming.announce(channel, await _whole(request), writer)
                return _answer(200)
            body = TrackBody(
                self._channels, channel, aim.track, self._settings, self._clock, _peer(request)
            )
            try:
                async for piece in _pieces(request):
                    body.feed(piece)
                body.finish()
            finally:
                body.close()
        except OriginError as error:
            return _refuse(request, error)
        return _answer(200)

    async def sources(self, request: web.Request) -> web.Response:
        """Who sends to this channel, and how well (AB9)."""
        channel = request.match_info["channel"]
        try:
            admit(self._settings, channel, request.headers.get("Authorization", ""))
            if (writer := self._channels.writers.get(channel)) is None:
                raise UnknownChannel("nothing was sent to this channel")
        except OriginError as error:
            return _refuse(request, error)
        figures = describe(writer, self._channels.clock())
        return web.json_response(figures, headers={"Cache-Control": "no-store"})

    async def delete(self, request: web.Request) -> web.Response:
        """Interface 2 clean-up (I12): live media leaves by retention, so that what playlists list
        stays fetchable (HLS-7); the encoder's own bookkeeping is acknowledged.
        """
        try:
            channel, _ = self._aim(request)
            self._channels.known(channel)
        except OriginError as error:
            return _refuse(request, error)
        return _answer(200)

    def _aim(self, request: web.Request) -> tuple[str, Target]:
        """Channel and target of a request; the raw path decides, before any normalisation."""
        raw = request.raw_path.split("?")[0]
        decoded = request.match_info["rest"]
        parts = decoded.split("/", 2)
        if ".." in raw or "%2e" in raw.lower() or "%2f" in raw.lower() or "\0" in decoded:
            raise WrongPath("the path leaves the publishing point")
        if len(parts) != 3 or parts[0] != "ingest":
            raise WrongPath("publishing points are /ingest/{channel}/{path}")
        channel = channel_name(parts[1])
        admit(self._settings, channel, request.headers.get("Authorization", ""))
        return channel, self._naming.target(channel, parts[2], self._channels.writers.get(channel))


def _peer(request: web.Request) -> Peer:
    """Who sends this: the name it gives itself, and its connection."""
    name = request.query.get("source", "") or request.headers.get("Headwater-Source", "")
    if name and not NAME.fullmatch(name):
        raise WrongPath("a source name has 1..64 of A-Z a-z 0-9 _ ~ -")
    transport = request.transport
    host = str((transport.get_extra_info("peername") or ("",))[0]) if transport else ""
    return Peer(
        name,
        host,
        id(request.protocol),
        lambda: transport is not None and not transport.is_closing(),
    )


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it comes; no time limit while the encoder keeps the connection (I3)."""
    try:
        async for piece in request.content.iter_any():
            yield piece
    except web.RequestPayloadError as error:
        raise BadMedia("the body was cut or its coding is broken", code="bad_body") from error


async def _whole(request: web.Request) -> bytes:
    pieces = []
    size = 0
    async for piece in _pieces(request):
        size += len(piece)
        if size > MANIFEST_BYTES:
            raise BadMedia("the manifest is too long", code="bad_manifest")
        pieces.append(piece)
    return b"".join(pieces)


def _answer(status: int) -> web.Response:
    return web.Response(status=status, headers={"Cache-Control": "no-store"})


def _refuse(request: web.Request, error: OriginError) -> web.Response:
    metrics.REFUSALS.labels(str(error.status), error.code).inc()
    log.warning("ingest_refused", path=request.path, code=error.code, detail=error.detail)
    response = web.json_response(
        {"error": error.code, "detail": error.detail},
        status=error.status,
        headers={"Cache-Control": "no-store"},
    )
    if not request.content.at_eof():
        response.force_close()
    return response
