"""Time-shifted URLs: `?start=&end=` on the manifests of a live channel, and `/rec/{recording}/`."""

import re
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable

from native.http import Answer, Entity, Growing, Hot, Refusal
from origin.delivery.caching import Caching, Class
from origin.delivery.ranges import Ranges
from origin.errors import BadRange, NotLocal, OriginError
from origin.live import media
from origin.live.archive import Archive
from origin.live.awaited import Awaited, Found
from origin.live.labels import Name
from origin.live.presentation import Presentation
from origin.live.ranges import Range, parse
from origin.live.recordings import Recording, Recordings, published
from origin.live.track import LiveTrack
from origin.settings import Settings

MANIFESTS = frozenset(["master.m3u8", "master.w3c.m3u8", "manifest.mpd", "ll.mpd"])
PLAYLISTS = frozenset(["media.m3u8", "iframe.m3u8", "media.w3c.m3u8", "iframe.w3c.m3u8"])
SEGMENT = re.compile(r"(\d{1,18})(\.m4s|\.vtt|\.i\.m4s)", re.ASCII)


class TimeShift:
    """Answers what is asked of the past, None for everything else."""

    def __init__(
        self,
        settings: Settings,
        hot: Hot,
        presentations: Mapping[str, Presentation],
        recordings: Recordings,
    ) -> None:
        self.ranges = Ranges(settings, recordings.holds)
        self.archive: Archive | None = None
        self._settings = settings
        caching = Caching(settings.caching, directives_in_key=settings.directives_in_key)
        self._no = caching.refusal
        self._hot = hot
        self._presentations = presentations
        self._recordings = recordings

    def answer(self, path: str, query: str) -> Answer | Awaitable[Answer] | None:
        if path.startswith("/rec/"):
            return self._recorded(*path.removeprefix("/rec/").split("/"))
        if "start" in query or "end" in query:
            return self._ranged(path.split("/")[1:], query)
        return None

    def media(
        self, presentation: Presentation, track: LiveTrack, leaf: str
    ) -> Found | Awaited | Awaitable[Answer]:
        """Media by name, from the archive when it is not on the disk."""
        given = media.ask(presentation, track, leaf)
        archived = isinstance(given, Refusal) and given.code == NotLocal.code
        if not archived or self.archive is None:
            return given
        return self.archive.answer(presentation, track, leaf)

    def _ranged(self, parts: list[str], query: str) -> Answer | Awaitable[Answer] | None:
        if len(parts) < 3 or parts[0] != "live":
            return None
        presentation, rest = self._presentations.get(parts[1]), parts[2:]
        if presentation is not None:
            presentation, rest = presentation.below(rest)
        leaf = "/".join(rest)
        if leaf not in MANIFESTS and not (len(rest) == 2 and rest[1] in PLAYLISTS):
            return None
        try:
            wanted = parse(query)
        except BadRange as error:
            return self._no(error.status, error.code, Class.GONE)
        if wanted is None:
            return None
        if presentation is None:
            return self._no(404, "unknown_channel", Class.EARLY)
        return self.ranges.answer(presentation, leaf, wanted, query=wanted.query)

    def _recorded(self, name: str, *path: str) -> Answer | Awaitable[Answer]:
        recording = self._recordings.get(name)
        if recording is None:
            return self._no(404, "unknown_recording", Class.EARLY)
        if recording.copied:
            return self._copied(recording, [*path])
        presentation = self._presentations.get(recording.hold.channel)
        if presentation is None:
            return self._no(404, "unknown_channel", Class.EARLY)
        return self._shown(recording, presentation, [*path])

    async def _copied(self, recording: Recording, path: list[str]) -> Answer:
        """The private copy of a recording, whatever has become of the channel."""
        try:
            presentation = await self._recordings.copies.show(recording.hold)
        except FileNotFoundError:
            return self._no(404, "unknown_recording", Class.EARLY)
        answer = self._shown(recording, presentation, path)
        return await answer if isawaitable(answer) else answer

    def _shown(
        self, recording: Recording, presentation: Presentation, path: list[str]
    ) -> Answer | Awaitable[Answer]:
        presentation, rest = presentation.below(path)
        leaf = "/".join(rest)
        if leaf in MANIFESTS or (len(rest) == 2 and rest[1] in PLAYLISTS):
            return self.ranges.answer(presentation, leaf, recording.range)
        if len(rest) == 2:
            folder = f"/rec/{recording.hold.id}/{presentation.folder}".removesuffix("/")
            return self._media(presentation, folder, rest[0], rest[1], recording.range)
        return self._no(404, "not_found", Class.GONE)

    def _media(
        self, presentation: Presentation, folder: str, track_name: str, leaf: str, wanted: Range
    ) -> Answer | Awaitable[Answer]:
        """A header or a segment of the recording: the live object under another name."""
        track = presentation.channel.tracks.get(track_name)
        if track is None:
            return self._no(404, "unknown_track", Class.EARLY)
        last, found = -1, SEGMENT.fullmatch(leaf)
        if found is not None:
            try:
                window = published(
                    presentation.channel, wanted, self._settings, self._recordings.holds
                )
            except OriginError as error:
                return self._no(error.status, error.code, Class.EARLY)
            last = window.last
            if int(found[1]) > window.last and not window.complete:
                return self._no(404, "too_early", Class.EARLY)
            if not window.first <= int(found[1]) <= window.last:
                return self._no(404, "not_found", Class.GONE)
        elif leaf.startswith("init-") and (found_header := presentation.header(track, leaf)):
            return found_header
        elif leaf != "init.mp4":
            return self._no(404, "not_found", Class.GONE)

        def named(answer: Answer) -> Answer:
            if found is None or not isinstance(answer, Entity):
                return answer
            name = Name(int(found[1]), None, found[2])
            return presentation.labels.recorded(track, name, answer, folder, last)

        hot = presentation.window.hot
        if (entity := hot.get(presentation.path(track, leaf))) is not None:
            return named(entity)
        given = self.media(presentation, track, leaf)
        if isinstance(given, Awaited):
            return self._no(404, "too_early", Class.EARLY)
        if isinstance(given, Entity | Refusal | Growing):
            return named(given)
        return _then(given, named)


async def _then(coming: Awaitable[Answer], change: Callable[[Answer], Answer]) -> Answer:
    return change(await coming)
