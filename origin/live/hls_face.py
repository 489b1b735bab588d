"""The playlists of a live channel, rendered at the first request after a change, once for all who
ask (O19).
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

from native.http import Entity, Refusal
from origin import hls
from origin.delivery.caching import Class
from origin.delivery.directives import BadDirectives, Directives, Skip, judge, parse
from origin.hls.daterange import DateRange
from origin.hls.forms import IFRAMES, W3C, form, w3c
from origin.hls.low_latency import SKIP_UNTIL
from origin.hls.rolling import Text
from origin.live.awaited import Awaited
from origin.live.playlist import LivePlaylist, View
from origin.live.presentation import Presentation
from origin.live.shelf import Stored
from origin.live.track import LiveTrack
from origin.protection.errors import ProtectionError

MASTER = "master.m3u8"
MASTERS = (MASTER, MASTER.removesuffix(".m3u8") + W3C)


class HlsFace:
    """`master.m3u8`, `{track}/media.m3u8`, and `{track}/iframe.m3u8` of trick renditions. `ranges`
    tells the channel's date ranges: all that started or ended within the window and SKIP_UNTIL
    target durations before it.
    """

    def __init__(self, presentation: Presentation) -> None:
        self.ranges: Callable[[], Sequence[DateRange]] = tuple
        self.renders = 0
        self._ended = presentation.channel.ended
        self._presentation = presentation
        self._playlists: dict[str, LivePlaylist] = {}
        self._listed: list[LivePlaylist] = []
        self._opened = False  # parts of the number after the edge can be listed
        self._texts: dict[tuple[str, Skip], Text] = {}
        self._entities: dict[tuple[str, Skip, Class], Entity] = {}
        presentation.directed = self.ask

    def part(self, track: LiveTrack, segment: Stored) -> None:
        channel = self._presentation.channel
        appeared = False
        if channel.part_s is not None and segment.number == channel.edge + 1:
            had, self._opened = self._opened, channel.opens(segment.number)
            others = self._opened and not had
            grown = [p for p in self._listed if others or p.track is track]
            appeared = any([playlist.follow(self._opened) for playlist in grown])
        if appeared:
            self._forget()

    def published(self, numbers: Sequence[int]) -> None:
        channel = self._presentation.channel
        self._listed = self._following()
        self._opened = channel.part_s is not None and channel.opens(channel.edge + 1)
        self._ended = channel.ended
        for playlist in self._listed:
            playlist.follow(self._opened)
            playlist.trim()
            for name in playlist.unlisted_parts():
                self._presentation.window.drop(self._presentation.path(playlist.track, name))
        self._forget()
        for leaf in MASTERS:
            self._presentation.forget(leaf)

    def expired(self, gone: Sequence[tuple[str, int]]) -> None:
        """What leaves the disk left the playlists long before (HLS-7)."""

    def render(self, leaf: str) -> Entity | None:
        if leaf in MASTERS and self._presentation.channel.edge >= 0:
            return self._master(leaf)
        playlist = self._playlists.get(leaf)
        return self._entity(playlist, Directives()) if playlist is not None else None

    def ask(self, leaf: str, query: str) -> Entity | Refusal | Awaited | None:
        """A media playlist as directives want it (HLS-21 to HLS-30)."""
        presentation = self._presentation
        channel = presentation.channel
        playlist = self._playlists.get(leaf)
        if playlist is None:
            return None
        try:
            asked = parse(query) if not channel.ended else Directives()
            if judge(asked, playlist.position) == "now":
                return self._entity(playlist, asked)
        except ProtectionError as error:
            return presentation.keyless(error)
        except BadDirectives as error:
            return presentation.refusal(400, error.code, Class.BLOCKING_ERROR)
        return self._awaited(playlist, asked)

    def _awaited(self, playlist: LivePlaylist, asked: Directives) -> Awaited:
        presentation = self._presentation
        channel = presentation.channel

        def answer() -> Entity | Refusal | None:
            if channel.ended or playlist.position.holds(asked.msn or 0, asked.part):
                try:
                    return self._entity(playlist, asked)
                except ProtectionError as error:
                    return presentation.keyless(error)
            return None

        late = presentation.refusal(503, "hold_expired", Class.EARLY)
        key = (presentation.base, playlist.leaf, asked)
        return Awaited(channel.name, key, presentation.hold_s, late, answer)

    def _entity(self, playlist: LivePlaylist, asked: Directives) -> Entity:
        if self._ended != playlist.channel.ended:
            self._ended = playlist.channel.ended
            self._forget()
        kind = Class.BLOCKING if asked.blocking else Class.PLAYLIST
        key = (playlist.leaf, asked.skip, kind)
        entity = self._entities.get(key)
        if entity is None:
            text = self._text(playlist, asked.skip)
            entity = self._presentation.manifest(
                text,
                hls.CONTENT_TYPE,
                kind,
                at_ms=playlist.at_ms,
                following=(playlist.track, playlist.following),
            )
            self._entities[key] = entity
        return entity

    def _text(self, playlist: LivePlaylist, skip: Skip) -> Text:
        key = (playlist.leaf, skip)
        text = self._texts.get(key)
        if text is None:
            self.renders += 1
            text = self._texts[key] = playlist.text(self._view(playlist), skip)
        return text

    def _view(self, playlist: LivePlaylist) -> View:
        presentation = self._presentation
        channel = presentation.channel
        duration_s = channel.duration_s or Fraction(1)
        ago = int(-(-SKIP_UNTIL * channel.kept.target_s // duration_s))
        return View(
            first=presentation.first_listed,
            before=presentation.first_at(channel.edge - ago),
            reports=[
                p.report("../")
                for p in self._listed
                if p is not playlist and p.form.clearkey == playlist.form.clearkey
            ],
            ranges=self.ranges(),
        )

    def keyed(self) -> None:
        self._forget()

    def _master(self, leaf: str) -> Entity:
        presentation = self._presentation
        renditions = [rendition for _, rendition in presentation.renditions]
        text = presentation.sealing.multivariant(renditions, leaf)
        return presentation.text(text, hls.CONTENT_TYPE)

    def _following(self) -> list[LivePlaylist]:
        """The playlists of all renditions that have media."""
        found = []
        channel, sealing = self._presentation.channel, self._presentation.sealing
        for track, rendition in self._presentation.renditions:
            shape = IFRAMES if rendition.trick_of else form(rendition)
            for told in (shape, w3c(shape)) if sealing.on else (shape,):
                leaf = f"{rendition.folder}/{told.leaf}"
                if leaf not in self._playlists:
                    self._playlists[leaf] = LivePlaylist(channel, track, told, sealing)
                found.append(self._playlists[leaf])
        return found

    def _forget(self) -> None:
        for leaf in {leaf for leaf, _, _ in self._entities}:
            self._presentation.forget(leaf)
        self._texts.clear()
        self._entities.clear()
