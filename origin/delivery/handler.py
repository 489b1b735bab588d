"""What the delivery port answers beyond its hot objects: old segments, early ones, refusals, the
clock, and the film library.

Status: specs/origin-http.md section 4 and O5..O7; every refusal carries its own freshness.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from native.http import Answer, Entity, Hot, Request
from origin.delivery.caching import Caching, Class
from origin.delivery.duress import Duress
from origin.delivery.recordings import TimeShift
from origin.delivery.waiting import Waiting
from origin.live import media
from origin.live.awaited import Awaited, Found
from origin.live.presentation import Presentation
from origin.settings import Settings
from origin.vod import Library

MANIFESTS = (".m3u8", ".mpd", ".mpp")
PLAYLISTS = ("/media.m3u8", "/iframe.m3u8", "/media.w3c.m3u8", "/iframe.w3c.m3u8")
DIRECTIVE = "_HLS_"  # HLS-30


class Delivery:
    """The handler behind the delivery protocol. `clock` tells the time, `steady` how it passes."""

    def __init__(
        self,
        settings: Settings,
        hot: Hot,
        presentations: dict[str, Presentation],
        library: Library,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self._caching = Caching(settings.caching, directives_in_key=settings.directives_in_key)
        self._hot = hot
        self._presentations = presentations
        self._library = library
        self._clock = clock
        self.duress = Duress(settings.name, settings.duress_share)
        self._waiting = Waiting(steady, self.duress)
        self.shift: TimeShift | None = None

    def wake(self, channel: str) -> None:
        """Something appeared in this channel: let go whoever waits for it."""
        self._waiting.wake(channel)

    def handle(self, request: Request) -> Answer | Awaitable[Answer]:
        path = request.path
        if self.shift is not None and (past := self.shift.answer(path, request.query)) is not None:
            return past
        directed = DIRECTIVE in request.query and path.endswith(PLAYLISTS)
        if not directed and (entity := self._hot.get(path)) is not None:
            return entity
        match path.split("/")[1:]:
            case ["time"]:
                return self._time()
            case ["live", channel, *rest] if rest:
                return self._channel(channel, rest, request.query)
            case ["vod", title, *rest] if rest:
                return self._library.answer(title, "/".join(rest), request.query, request)
        return self._caching.refusal(404, "not_found", Class.GONE)

    def _time(self) -> Entity:
        """UTCTiming http-iso and http-xsdate (DASH-IF timing model): now, never from a cache."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        text = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return Entity(text.encode(), content_type="text/plain", cache_control="no-store")

    def _channel(self, name: str, path: list[str], query: str) -> Answer | Awaitable[Answer]:
        presentation = self._presentations.get(name)
        if presentation is not None:
            presentation, path = presentation.below(path)
        match path:
            case [track, leaf]:
                return self._live(presentation, track, leaf, query)
            case [leaf] if leaf.endswith(MANIFESTS):
                return self._manifest(presentation, leaf)
        return self._caching.refusal(404, "not_found", Class.GONE)

    def _live(
        self, presentation: Presentation | None, name: str, leaf: str, query: str
    ) -> Answer | Awaitable[Answer]:
        if presentation is None:
            return self._caching.refusal(404, "unknown_channel", Class.EARLY)
        track = presentation.channel.tracks.get(name)
        if track is None:
            return presentation.refusal(404, "unknown_track", Class.EARLY)
        if leaf.endswith(".m3u8"):
            return self._manifest(presentation, f"{name}/{leaf}", query)
        if leaf.startswith("init-") and (header := presentation.header(track, leaf)) is not None:
            return header
        if leaf == "init.mp4":
            return self._caching.refusal(404, "no_media_yet", Class.EARLY)
        ask = media.ask if self.shift is None else self.shift.media
        return self._given(ask(presentation, track, leaf))

    def _manifest(
        self, presentation: Presentation | None, leaf: str, query: str = ""
    ) -> Answer | Awaitable[Answer]:
        """A playlist or an MPD: rendered by the first who asks after a change (O19)."""
        if presentation is None:
            return self._caching.refusal(404, "no_media_yet", Class.EARLY)
        if (unfit := presentation.unfit) is not None:  # O15
            return presentation.refusal(unfit.status, unfit.code, Class.EARLY)
        if DIRECTIVE in query and (given := presentation.directed(leaf, query)) is not None:
            return self._given(given)
        absent = presentation.refusal(404, "no_media_yet", Class.EARLY)
        return self._given(presentation.render(leaf) or absent)

    def _given(self, given: Found | Awaited | Awaitable[Answer]) -> Answer | Awaitable[Answer]:
        return self._waiting.park(given) if isinstance(given, Awaited) else given
