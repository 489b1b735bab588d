"""What the delivery port answers beyond its hot objects: old segments, early ones, refusals, the
clock, and the film library.

Status: specs/origin-http.md section 4 and O5..O7; every refusal carries its own freshness.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from native.http import Answer, Entity, Hot, Refusal, Request
from origin.errors import OriginError
from origin.live.presentation import Presentation
from origin.live.track import LiveTrack
from origin.settings import Settings
from origin.vod import Library

SEGMENT = re.compile(r"(\d{1,18})\.m4s")
EARLY = "max-age=1"  # O5: an early 404 must not be pinned
GONE = "max-age=60"  # O6
SOON = 2  # segments after the edge that a player may ask for and we hold


class Delivery:
    """The handler behind the delivery protocol."""

    def __init__(
        self,
        settings: Settings,
        hot: Hot,
        presentations: dict[str, Presentation],
        library: Library,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._hot = hot
        self._presentations = presentations
        self._library = library
        self._clock = clock
        self._published: dict[str, asyncio.Event] = {}

    def wake(self, channel: str) -> None:
        """A channel published something: let go whoever waits for it."""
        if (event := self._published.pop(channel, None)) is not None:
            event.set()

    def handle(self, request: Request) -> Answer | Awaitable[Answer]:
        path = request.path
        if (entity := self._hot.get(path)) is not None:
            return entity
        match path.split("/")[1:]:
            case ["time"]:
                return self._time()
            case ["live", channel, track, leaf]:
                return self._live(channel, track, leaf)
            case ["live", channel, leaf] if leaf in ("master.m3u8", "manifest.mpd"):
                return self._manifest(channel, leaf)
            case ["vod", title, *rest] if rest:
                return self._library.answer(title, "/".join(rest), request.query)
        return Refusal(404, "not_found", cache_control=GONE)

    def _time(self) -> Entity:
        """UTCTiming http-iso and http-xsdate (DASH-IF timing model): now, never from a cache."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        text = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return Entity(text.encode(), content_type="text/plain", cache_control="no-store")

    def _live(self, channel: str, name: str, leaf: str) -> Answer | Awaitable[Answer]:
        presentation = self._presentations.get(channel)
        if presentation is None:
            return Refusal(404, "unknown_channel", cache_control=EARLY)
        track = presentation.channel.tracks.get(name)
        if track is None:
            return Refusal(404, "unknown_track", cache_control=EARLY)
        if leaf == "media.m3u8":
            return self._manifest(channel, f"{name}/{leaf}")
        if leaf == "init.mp4":
            return Refusal(404, "no_media_yet", cache_control=EARLY)
        found = SEGMENT.fullmatch(leaf)
        if found is None:
            return Refusal(404, "not_found", cache_control=GONE)
        number = int(found[1])
        edge = presentation.channel.edge
        if number > edge:
            if edge < 0 or number > edge + SOON or not self._settings.hold_s:
                return Refusal(404, "too_early", cache_control=EARLY)
            return self._held(presentation, track, number)
        return self._stored(presentation, track, number)

    def _manifest(self, channel: str, leaf: str) -> Answer:
        """A playlist or an MPD: rendered by the first who asks after a change (O19)."""
        presentation = self._presentations.get(channel)
        entity = presentation.render(leaf) if presentation is not None else None
        return entity or Refusal(404, "no_media_yet", cache_control=EARLY)

    async def _held(self, presentation: Presentation, track: LiveTrack, number: int) -> Answer:
        """Wait for a segment that is about to be published, then answer either way (O5)."""
        channel = presentation.channel
        try:
            async with asyncio.timeout(self._settings.hold_s):
                while number > channel.edge:
                    await self._published.setdefault(channel.name, asyncio.Event()).wait()
        except TimeoutError:
            return Refusal(404, "too_early", cache_control=EARLY)
        return self._stored(presentation, track, number)

    def _stored(self, presentation: Presentation, track: LiveTrack, number: int) -> Answer:
        """A published number: its bytes, a gap, or gone."""
        try:
            entity = presentation.segment(track, number)
        except OriginError as error:
            return Refusal(error.status, error.code, cache_control=EARLY)
        if entity is not None:
            return entity
        if number < track.segments.first_whole:
            return Refusal(410, "gone", cache_control=GONE)
        target_s = presentation.channel.kept.target_s
        return Refusal(404, "gap", cache_control=f"max-age={target_s}")
