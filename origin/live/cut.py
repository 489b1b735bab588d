"""What a time range of a channel has shown so far: the state behind its manifests, grown number by
number and never looked at twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from origin import hls
from origin.dash.clips import Clips, Frame
from origin.dash.pieces import Pieces
from origin.hls import daterange
from origin.hls.forms import IFRAMES, MAP, W3C, Form, form, w3c
from origin.hls.rolling import BLOCK, Run, Text, block
from origin.live.channel import LiveChannel
from origin.live.ranges import Window
from origin.live.sealing import Sealing
from origin.live.telling import date_ranges, event_streams
from origin.live.track import LiveTrack
from origin.tracks import Rendition, Segment

STRIDE = 32  # numbers between two places where long work may pause
EVENT = (
    "#EXT-X-PLAYLIST-TYPE:EVENT",
    "#EXT-X-START:TIME-OFFSET=0",
)  # not from the edge: start-over


@dataclass(slots=True)
class Rates:
    """Bits of a track within the range (TR-67). A run of segments is never faster than its fastest
    segment, so that one's rate is the peak.
    """

    peak_bps: int = 0
    size_bytes: int = 0
    ticks: int = 0

    def take(self, segment: Segment, timescale: int) -> None:
        bps = -(-segment.size_bytes * 8 * timescale // max(segment.duration, 1))
        self.peak_bps = max(self.peak_bps, bps)
        self.size_bytes += segment.size_bytes
        self.ticks += segment.duration

    def average_bps(self, timescale: int) -> int:
        return -(-self.size_bytes * 8 * timescale // self.ticks) if self.ticks else 0


class Playlist:
    """The segments of one track in one form as HLS text: settled blocks and a tail."""

    def __init__(
        self, channel: LiveChannel, track: LiveTrack, form: Form, first: int, sealing: Sealing
    ) -> None:
        self.size_bytes = 0
        self._sealing = sealing
        self._channel = channel
        self._track = track
        self._form = form
        self._first = first
        self._next = first
        self._run = Run()
        self._tail: list[str] = []

    def grow(self, last: int) -> Iterator[None]:
        """Take the numbers up to this one, pausing now and then."""
        while self._next <= last:
            until = min(last, self._next + STRIDE - 1)
            for segment in self._channel.listed(self._track, self._next, until):
                lines = hls.segment_lines(segment, self._track.timescale, 0, self._form.suffix)
                turning = self._sealing.lines(self._track.rendition, segment.number, self._form)
                text = "\n".join([*turning, lines, ""])
                self._tail.append(text)
                self.size_bytes += len(text)
            self._next = until + 1
            while len(self._tail) >= BLOCK:
                self._run.append(block("".join(self._tail[:BLOCK]).encode()))
                del self._tail[:BLOCK]
            yield

    def text(self, window: Window) -> Text:
        """EVENT from the start while it grows and until every player has seen its end, then VOD."""
        kept = self._channel.kept
        segment_s = self._channel.duration_s or Fraction(1)
        start_s, end_s = self._first * segment_s, (window.last + 1) * segment_s
        dates = [d for d in date_ranges(self._channel.shown, segment_s) if d.start_s < end_s]
        head = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{self._form.version}",
            f"#EXT-X-TARGETDURATION:{kept.target_s}",
            f"#EXT-X-MEDIA-SEQUENCE:{self._first}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{sum(b < self._first for b in kept.breaks)}",
            *(["#EXT-X-PLAYLIST-TYPE:VOD"] if window.settled else EVENT),
            "#EXT-X-INDEPENDENT-SEGMENTS",
            *(line for line in self._form.head if line != MAP or not self._sealing.on),
            *self._sealing.lines(self._track.rendition, self._first, self._form, head=True),
            *daterange.listed(dates, start_s).lines,
        ]
        tail = "".join(self._tail) + ("#EXT-X-ENDLIST\n" if window.complete else "")
        return self._run.wrapped(("\n".join(head) + "\n").encode(), tail.encode())


class Cut:
    """One range of one channel, from its first number on. `tricks` are the renditions that the
    channel offers beside its tracks.
    """

    def __init__(
        self,
        channel: LiveChannel,
        first: int,
        tricks: Callable[[], list[Rendition]],
        sealing: Sealing,
    ) -> None:
        self.channel = channel
        self._sealing = sealing
        self._tricks = tricks
        self.first = first
        self._next = first
        self._rates: dict[str, Rates] = {}
        self._clips = Clips()
        self._playlists: dict[str, Playlist] = {}

    @property
    def size_bytes(self) -> int:
        """What it holds in memory, about: texts are kept plain and coded."""
        texts = sum(p.size_bytes for p in self._playlists.values())
        return 4096 + texts * 3 // 2 + (self._next - self.first) * len(self._rates) * 4

    def playlist(self, name: str, leaf: str) -> Playlist | None:
        """The playlist that is called so in a track's folder; None when there is none."""
        track = self.channel.tracks.get(name)
        if track is None or track not in self.channel.live_tracks:
            return None
        shape = IFRAMES if leaf.startswith("iframe.") else form(track.rendition)
        if leaf.endswith(W3C) and self._sealing.on:
            shape = w3c(shape)
        trick = leaf.startswith("iframe.")
        if leaf != shape.leaf or (trick and track.rendition.kind != "video"):
            return None
        if (playlist := self._playlists.get(f"{name}/{leaf}")) is None:
            playlist = Playlist(self.channel, track, shape, self.first, self._sealing)
            self._playlists[f"{name}/{leaf}"] = playlist
        return playlist

    def grow(self, last: int) -> Iterator[None]:
        """Take the media of all tracks up to this number, pausing now and then."""
        channel = self.channel
        while self._next <= last:
            until = min(last, self._next + STRIDE - 1)
            listed = [
                (track, channel.listed(track, self._next, until)) for track in channel.live_tracks
            ]
            for at in range(until + 1 - self._next):
                here = {t.rendition.name: s[at] for t, s in listed if not s[at].gap}
                for track, segments in listed:
                    if not segments[at].gap:
                        rates = self._rates.setdefault(track.rendition.name, Rates())
                        rates.take(segments[at], track.timescale)
                breaks = any(segments[at].discontinuity for _, segments in listed)
                breaks = breaks or self._sealing.splits(self._next + at)
                needed = {t.rendition.kind for t, _ in listed} & {"video", "audio"}
                kinds = {t.rendition.kind for t, s in listed if not s[at].gap}
                whole = here if needed <= kinds else {}
                self._clips.append(self._next + at, whole, breaks=breaks)
            self._next = until + 1
            yield

    def renditions(self) -> list[Rendition]:
        """The tracks with media in the range, with the bit rates that they have in it."""
        found = []
        for track in self.channel.live_tracks:
            if (rates := self._rates.get(track.rendition.name)) is not None:
                found.append(
                    replace(
                        self.channel.describe(track),
                        bandwidth=rates.peak_bps,
                        average_bandwidth=rates.average_bps(track.timescale),
                    )
                )
        names = {rendition.name for rendition in found}
        found = [self._sealing.weighed(r) for r in found]
        return found + [trick for trick in self._tricks() if trick.trick_of in names]

    def master(self, leaf: str, query: str) -> str:
        """The multivariant playlist; its children get the same range by the same query."""
        text = self._sealing.multivariant(self.renditions(), leaf)
        return _with_query(text, query) if query else text

    def mpd(self, window: Window, time_url: str, name: str) -> Pieces:
        channel = self.channel
        segment_s = channel.duration_s or Fraction(1)
        frame = Frame(name, self.first, segment_s, channel.kept.target_s, time_url)
        events = event_streams(channel.shown)
        if window.complete:
            return self._clips.complete(frame, self.renditions(), events, self._sealing.dressed)
        publish_ms = int((window.last + 1) * segment_s * 1000)
        dressed = self._sealing.dressed
        return self._clips.growing(frame, self.renditions(), publish_ms, events, dressed)


def _with_query(text: str, query: str) -> str:
    lines = []
    for line in text.split("\n"):
        if line.endswith(".m3u8") and not line.startswith("#"):
            line = f"{line}?{query}"
        elif line.endswith('.m3u8"'):
            line = f'{line[:-1]}?{query}"'
        lines.append(line)
    return "\n".join(lines)
