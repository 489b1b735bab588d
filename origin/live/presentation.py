"""Live presentations: what a channel's media means for every URL.

Media has immutable names and is published here. Manifests are the business of faces (HLS, DASH):
each hears what changed, forgets what it had rendered, and renders again at the first request, once
for all who ask (O19). Cache classes: origin-http.md section 3.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

from native.http import Entity, Refusal
from native.http.heads import content_tag
from origin.delivery.caching import Caching, Class
from origin.errors import DamagedLog, NotLocal
from origin.hls.rolling import BLOCK, Text, whole
from origin.live.awaited import Awaited, Found
from origin.live.channel import AHEAD, LiveChannel
from origin.live.forms import TYPES
from origin.live.health import Verdict
from origin.live.iframes import Trick
from origin.live.labels import Labels, Name
from origin.live.sealing import Sealing
from origin.live.track import LiveTrack, Stored
from origin.live.window import HotWindow
from origin.protection.errors import ProtectionError
from origin.settings import Settings
from origin.tracks import Rendition, average_bps, peak_bps

MEDIA_TYPE = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}
LEAST_SEGMENTS = 4  # more than three target durations, whatever the window (HLS-5)
LONG = 8 * BLOCK  # segments of a window that rolls by blocks (rolling.py)
WARM = 16  # newest segments, which old ones never push out of memory
HOLD_TARGETS = 3  # target durations that a request is held at most (HLS-29)
MEASURED = 32  # segments that declared bit rates are measured over


class Face(Protocol):
    """One family of manifests. It hears of a change after the media behind it can be fetched."""

    def part(self, track: LiveTrack, segment: Stored) -> None:
        """A chunk was stored in this segment, which may be beyond the edge."""

    def published(self, numbers: Sequence[int]) -> None:
        """These numbers were published for all tracks, oldest first."""

    def keyed(self) -> None:
        """Keys came that were missing."""

    def expired(self, gone: Sequence[tuple[str, int]]) -> None:
        """The media of these (track, number) left the disk."""

    def render(self, leaf: str) -> Entity | None:
        """The manifest of this name below the channel's folder; None if it is none of mine, or
        nothing is published yet. Called when `leaf` is not in the hot table.
        """


class Presentation:
    """The URLs of one channel; the only writer of them together with its faces.

    `folder`: of one that is beside the first one of its channel, under another scheme (PR-170);
    `root` is where its URLs are when that is not `/live/{channel}`.
    `on_change` is called when a stored chunk may have let something appear. A face may set
    `directed`, the manifest of a leaf for a query of directives, `patch`, the way from an older
    manifest, and `early`, what to send for a segment in the making.
    """

    def __init__(
        self,
        channel: LiveChannel,
        settings: Settings,
        window: HotWindow,
        sealing: Sealing,
        folder: str = "",
        *,
        root: str = "",
    ) -> None:
        self.channel = channel
        self.sealing = sealing
        self.settings = settings
        self.window = window
        self.folder = folder
        self.name = f"{channel.name}.{folder}" if folder else channel.name
        self.base = f"{root or f'/live/{channel.name}'}/{folder}".removesuffix("/")
        self.caching = Caching(settings.caching, directives_in_key=settings.directives_in_key)
        self.faces: list[Face] = []
        self.beside: Presentation | None = None
        self.unfit: Verdict | None = None
        self.on_change: Callable[[], None] = lambda: None
        self.directed: Callable[[str, str], Found | Awaited | None] = lambda *_: None
        self.patch: Callable[[str], Found | Awaited | None] = lambda _: None
        self.early: Callable[[LiveTrack, int], Found | None] = lambda *_: None
        self.labels = Labels(channel, settings, self.caching, self.base)
        self._rates: dict[str, tuple[tuple[int, int], int, int]] = {}
        self._headers: set[str] = set()
        self._making: dict[str, tuple[HotWindow, int]] = {}
        self.trick = Trick(channel)
        self._step = (0.0, -1)
        self._ended = False

    def stored(self, track: LiveTrack, segment: Stored) -> None:
        """A chunk reached the log."""
        if segment.number > self.channel.edge and not self.channel.read_only:
            self.sealing.open(track, segment.number)
            path = self.path(track, Name(segment.number).leaf)
            self.window.make(path, segment.size_bytes)
            self._making[path] = (self.window, segment.number)
        for face in self.faces:
            face.part(track, segment)
        self.on_change()

    @property
    def siblings(self) -> list["Presentation"]:
        """This one, and the one beside it."""
        return [self] if self.beside is None else [self, self.beside]

    def below(self, path: list[str]) -> tuple["Presentation", list[str]]:
        """Which of them is asked for by a path below the channel's folder, and for what."""
        if self.beside is not None and path[:1] == [self.beside.folder]:
            return self.beside, path[1:]
        return self, path

    def move(self, window: HotWindow) -> None:
        """Media is kept there from now on."""
        for each in self.siblings:
            each.window = window

    def publish(self, numbers: list[int]) -> None:
        """Make these new numbers visible, and let go of the oldest."""
        self.reveal(numbers)
        self.expire()

    def reveal(self, numbers: Sequence[int]) -> None:
        """Media first, then the manifests that name it (HLS-11)."""
        channel = self.channel
        self._relabel()
        for track in channel.live_tracks:
            self._publish_header(track)
            for number in numbers[-WARM:]:
                stored = track.whole(number)
                if stored is not None and stored.tag is not None:  # the rest is read when asked for
                    span = stored.start, stored.end
                    with suppress(NotLocal, DamagedLog, ProtectionError):  # told to who asks for it
                        pieces, tag = self.sealing.whole(track, stored)
                        self.show(track, Name(number), pieces, span, tag)
        for path, (window, number) in list(self._making.items()):
            if number <= channel.edge:
                window.made(path)
                del self._making[path]
        for face in self.faces:
            face.published(numbers)
        for track in channel.live_tracks:
            track.settle_fresh(channel.edge)
        self.sealing.published()

    def keyed(self) -> None:
        """Keys came that were missing: what they protect can be shown now."""
        self.forget_all()
        for face in self.faces:
            face.keyed()
        self.on_change()

    def expire(self, keep_s: int = 0) -> None:
        """Let go of media that is older than the retention, or than `keep_s`."""
        if gone := self.channel.expire(keep_s):
            self.lose(gone)

    def lose(self, gone: Sequence[tuple[str, int]]) -> None:
        """The media of these (track, number) left the disk."""
        for name, number in gone:
            self.window.drop(f"{self.base}/{name}/{number}.m4s")
        for face in self.faces:
            face.expired(gone)

    def render(self, leaf: str) -> Found | Awaited | None:
        """A manifest that is not in the hot table, put there for whoever asks next."""
        try:
            rendered = (face.render(leaf) for face in self.faces)
            entity = next((entity for entity in rendered if entity is not None), None)
            found = entity or self.patch(leaf)
        except ProtectionError as error:
            return self.keyless(error)
        if isinstance(found, Entity):
            self.window.hot.put(f"{self.base}/{leaf}", found)
        return found

    def forget(self, leaf: str) -> None:
        """What stands behind this manifest changed."""
        self.window.hot.drop(f"{self.base}/{leaf}")

    def turned(self) -> bool:
        """Whether the channel ended, or went on, since its manifests were made; they are forgotten
        then (D4, HLS-41).
        """
        turned = self.channel.ended != self._ended
        if turned:
            self._ended = self.channel.ended
            self._relabel()
            self.forget_all()
        if self.beside is not None:
            self.beside.turned()
        return turned

    def forget_all(self) -> None:
        """No manifest of this channel stays hot."""
        for leaf in ("master.m3u8", "master.w3c.m3u8", "manifest.mpd", "ll.mpd"):
            self.forget(leaf)
        for name in self.channel.tracks:
            for leaf in ("media.m3u8", "iframe.m3u8", "media.w3c.m3u8", "iframe.w3c.m3u8"):
                self.forget(f"{name}/{leaf}")
        if self.beside is not None:
            self.beside.forget_all()

    def path(self, track: LiveTrack, leaf: str) -> str:
        return f"{self.base}/{track.rendition.name}/{leaf}"

    def text(self, text: str, content_type: str) -> Entity:
        """A manifest of the newest edge, plain and coded."""
        return self.manifest(whole(text.encode()), content_type, Class.MANIFEST)

    def manifest(
        self,
        text: Text,
        content_type: str,
        kind: Class,
        *,
        at_ms: int | None = None,
        following: tuple[LiveTrack, Name] | None = None,
    ) -> Entity:
        """A manifest in pieces, of the newest edge unless there was more to tell `at_ms`;
        `following` is the media that its players ask for next.
        """
        label = self.labels.manifest(content_type, at_ms=at_ms, following=following)
        return Entity(
            text.plain,
            content_type=content_type,
            cache_control=self.caching.control(kind, self.channel.kept.target_s),
            last_modified=self.edge_s,
            etag=text.etag,
            gzip=text.gzip,
            headers=[*self.caching.fields(kind), *label],
        )

    def header(self, track: LiveTrack, leaf: str) -> Found | None:
        """A protected header, kept for whoever asks next; None for other names (PR-51)."""
        try:
            data = self.sealing.header(track, leaf)
        except ProtectionError as error:
            return self.keyless(error)
        if data is None:
            return None
        entity = self.labels.header(track, data, MEDIA_TYPE[track.rendition.kind])
        self.window.put(self.path(track, leaf), entity, old=True)
        return entity

    def keyless(self, error: ProtectionError) -> Refusal:
        """Media or manifests that cannot be had without a key (PR-43)."""
        return self.refusal(error.status, error.code, Class.EARLY)

    def refusal(self, status: int, code: str, kind: Class) -> Refusal:
        return self.caching.refusal(status, code, kind, self.channel.kept.target_s)

    @property
    def hold_s(self) -> float:
        """How long a request may wait for what is about to come (HLS-29)."""
        return min(self.settings.hold_s, HOLD_TARGETS * self.channel.kept.target_s)

    @property
    def window_segments(self) -> int:
        duration_s = self.channel.duration_s or Fraction(1)
        return max(int(-(-self.settings.window_s // duration_s)), LEAST_SEGMENTS)

    @property
    def first_listed(self) -> int:
        """The number that heads every playlist now."""
        return self.first_at(self.channel.edge)

    def first_at(self, edge: int) -> int:
        """The number that heads every playlist when this one is the newest."""
        first = edge - self.window_segments + 1
        if self.window_segments >= LONG:
            first -= first % BLOCK
        return max(self.channel.kept.first, first)

    def stepped(self, now_s: float) -> None:
        """Media moved the edge at this time."""
        self._step = (now_s, self.channel.edge)

    def due(self, now_s: float) -> int:
        """The number that should be published by now, with gaps if need be.

        HLS-6 asks for a segment within 1.5 target durations of the last. The first gap comes later
        on purpose: a gap is for ever (I8), and a source that lost its connection may resend for
        AHEAD segments (I13). The segment due after one duration can therefore still come whole
        until AHEAD more have passed; an earlier gap would drop media that was acknowledged. The
        gaps after it follow in step. A source that begins a new session resends nothing: its gaps
        come at once (channel.py). A window of nothing but gaps stays as it is: the channel is dead.
        """
        duration_s = self.channel.duration_s
        at_s, edge = self._step
        if duration_s is None or edge < 0 or self.channel.ended:
            return -1
        gaps = int((now_s - at_s) / float(duration_s)) - AHEAD
        return edge + min(max(gaps, 0), self.window_segments)

    @property
    def edge_s(self) -> int:
        """Wall clock of the end of the newest published segment. Last-Modified and publishTime
        come from media time, so that A and B agree (O17, P5).
        """
        return self._end_s(self.channel.edge)

    @property
    def renditions(self) -> list[tuple[LiveTrack, Rendition]]:
        """Every track with media, its rendition with measured bit rates, and its I frames."""
        found = [(track, self._rated(track)) for track in self.channel.live_tracks]
        found += self.trick.renditions(found)
        return [(track, self.sealing.weighed(r)) for track, r in found]

    def show(
        self,
        track: LiveTrack,
        name: Name,
        pieces: Sequence[bytes],
        span: tuple[int, int],
        tag: str | None = None,
    ) -> Entity:
        """Put media of these ticks into the hot window; its name is for ever, and so is its tag,
        made here unless it is known.
        """
        content_type = TYPES.get(name.suffix) or MEDIA_TYPE[track.rendition.kind]
        tag = tag or content_tag(*pieces)
        entity = self.labels.media(track, name, pieces, tag, span, content_type)
        old = name.number <= self.channel.edge - WARM
        if not old or name.index is None:
            self.window.put(self.path(track, name.leaf), entity, old=old)
        return entity

    def _publish_header(self, track: LiveTrack) -> None:
        name = track.rendition.name
        if name not in self._headers and self.sealing.plain(track):
            self._headers.add(name)
            entity = self.labels.header(track, track.header, MEDIA_TYPE[track.rendition.kind])
            self.window.hot.put(self.path(track, "init.mp4"), entity)

    def _relabel(self) -> None:
        """Let go of objects whose heads would say something else now."""
        for track, name in self.labels.moved():
            self.window.drop(self.path(track, name.leaf))

    def _rated(self, track: LiveTrack) -> Rendition:
        """The rendition with bit rates measured over the newest whole run of numbers with media,
        before there is one over all there are. Nothing enters but the log: every origin tells the
        same (AB6, TR-67), and rounding keeps it steady (TR-68).
        """
        channel, name = self.channel, track.rendition.name
        run = min(MEASURED, self.window_segments)
        begun = channel.edge + 1 - (channel.edge + 1) % run  # a run that is not whole yet
        newest = track.segments.whole_until(begun - 1)
        first = newest - newest % run if newest >= 0 else begun
        last = first + run - 1
        if first < channel.kept.first:
            first, last = channel.kept.first, last + run
        last = min(last, channel.edge)
        if (found := self._rates.get(name)) is None or found[0] != (first, last):
            segments = channel.listed(track, first, last)
            peak = _rounded(peak_bps(segments, track.timescale, channel.kept.target_s))
            average = min(_rounded(average_bps(segments, track.timescale)), peak)
            found = self._rates[name] = ((first, last), peak, average)
        rendition = channel.describe(track)
        return replace(rendition, bandwidth=found[1], average_bandwidth=found[2])

    def _end_s(self, number: int) -> int:
        return int((number + 1) * (self.channel.duration_s or Fraction(1)))


def _rounded(bps: int) -> int:
    """Up to the next of 16 to 32 steps between two powers of two."""
    step = 1 << max(bps.bit_length() - 5, 0)
    return -(-bps // step) * step
