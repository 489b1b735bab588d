"""Live presentations: what a channel's new segments mean for every URL, published once.

All names are immutable or replaced whole: segments and headers never change, playlists and the MPD
are new entities after each step of the edge (HLS-3, O1). Cache classes: origin-http.md section 3.
"""

import gzip
from collections import deque
from dataclasses import replace
from fractions import Fraction

from native.http import Entity, Hot
from origin import dash, hls
from origin.live.channel import AHEAD, LiveChannel
from origin.live.track import LiveTrack
from origin.settings import Settings
from origin.tracks import Rendition, Segment, average_bps, peak_bps

FOREVER = "public, max-age=1209600, immutable"  # O21 table: init, finished segment
MEDIA_TYPE = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}
LEAST_SEGMENTS = 4  # more than three target durations, whatever the window (HLS-5)
DRIFT = Fraction(1, 20)  # declared bit rates move when measured ones leave this band (TR-68)


class HotWindow:
    """Segments in memory, newest last; the oldest leave when the budget is spent."""

    def __init__(self, hot: Hot, limit_bytes: int) -> None:
        self.hot = hot
        self.held_bytes = 0
        self._limit_bytes = limit_bytes
        self._order: deque[tuple[str, int]] = deque()

    def put(self, path: str, entity: Entity) -> None:
        self.hot.put(path, entity)
        self._order.append((path, len(entity.body)))
        self.held_bytes += len(entity.body)
        while self.held_bytes > self._limit_bytes and len(self._order) > 1:
            oldest, size = self._order.popleft()
            self.hot.drop(oldest)
            self.held_bytes -= size


class Presentation:
    """The URLs of one channel. `publish` is the only writer of them."""

    def __init__(self, channel: LiveChannel, settings: Settings, window: HotWindow) -> None:
        self.channel = channel
        self._settings = settings
        self._window = window
        self._base = f"/live/{channel.name}"
        self._rates: dict[str, tuple[int, int]] = {}
        self._master = ""
        self._headers: set[str] = set()
        self._step = (0.0, -1)

    def publish(self, numbers: list[int]) -> None:
        """Make these new numbers visible: media first, then the manifests that name it (HLS-11)."""
        channel = self.channel
        tracks = channel.live_tracks
        for track in tracks:
            self._publish_header(track)
            for number in numbers:
                if (path_entity := self._segment(track, number)) is not None:
                    self._window.put(*path_entity)
        first, last = self.first_listed, channel.edge
        renditions = [self._measured(t, first, last) for t in tracks]
        modified_s = self._modified_s(last)
        half = max(1, channel.kept.target_s // 2)
        for track in tracks:
            self._text(
                f"{track.rendition.name}/media.m3u8",
                self.media_playlist(track, channel.listed(track, first, last)),
                hls.CONTENT_TYPE,
                half,
                modified_s,
            )
        master = hls.multivariant(renditions)
        if master != self._master:
            self._master = master
            self._text("master.m3u8", master, hls.CONTENT_TYPE, half, modified_s)
        mpd = self.mpd(list(zip(tracks, renditions, strict=True)), first, last)
        self._text("manifest.mpd", mpd, dash.CONTENT_TYPE, half, modified_s)
        for name, number in channel.expire():
            self._window.hot.drop(f"{self._base}/{name}/{number}.m4s")

    @property
    def window_segments(self) -> int:
        duration_s = self.channel.duration_s or Fraction(1)
        return max(int(-(-self._settings.window_s // duration_s)), LEAST_SEGMENTS)

    @property
    def first_listed(self) -> int:
        """The number that heads every playlist now."""
        return max(self.channel.kept.first, self.channel.edge - self.window_segments + 1)

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
        if duration_s is None or edge < 0:
            return -1
        gaps = int((now_s - at_s) / float(duration_s)) - AHEAD
        return edge + min(max(gaps, 0), self.window_segments)

    @property
    def edge_s(self) -> int:
        """Wall clock of the end of the newest published segment."""
        return self._modified_s(self.channel.edge)

    def media_playlist(self, track: LiveTrack, segments: list[Segment]) -> str:
        kept = self.channel.kept
        return hls.media_playlist(
            segments,
            timescale=track.timescale,
            target_duration_s=kept.target_s,
            epoch_s=0,
            discontinuity_sequence=sum(b < segments[0].number for b in kept.breaks),
        )

    def mpd(self, tracks: list[tuple[LiveTrack, Rendition]], first: int, last: int) -> str:
        channel = self.channel
        duration_s = channel.duration_s or Fraction(1)
        return dash.dynamic_mpd(
            self._periods(tracks, max(first - first % dash.BLOCK, channel.kept.first), last),
            epoch_s=0,
            publish_s=self._modified_s(last),
            segment_s=duration_s,
            max_segment_s=channel.kept.target_s,
            window_s=self._settings.window_s,
            time_url=self._settings.time_url,
        )

    def segment(self, track: LiveTrack, number: int) -> Entity | None:
        """A published segment from the log, for what left the hot window."""
        found = self._segment(track, number)
        return found[1] if found else None

    def _periods(
        self, tracks: list[tuple[LiveTrack, Rendition]], first: int, last: int
    ) -> list[dash.Period]:
        """One Period from break to break; numbers that any track lacks are in none (D13)."""
        channel = self.channel
        duration_s = channel.duration_s or Fraction(1)
        runs: dict[int, list[int]] = {}
        breaks = set(channel.kept.breaks)
        begin = max((b for b in breaks if b <= first), default=-1)
        for number in range(first, last + 1):
            begin = number if number in breaks else begin
            if all(t.whole(number) for t, _ in tracks):
                runs.setdefault(begin, []).append(number)
        periods = []
        for begin, numbers in runs.items():
            timelines = [
                dash.Timeline(r, [s.segment() for n in numbers if (s := t.whole(n))])
                for t, r in tracks
            ]
            start_s = begin * duration_s if begin >= 0 else Fraction(0)
            periods.append(dash.Period(f"p{max(begin, 0)}", start_s, timelines))
        return [
            replace(p, duration_s=_end_s(p) - p.start_s) if p is not periods[-1] else p
            for p in periods
        ]

    def _segment(self, track: LiveTrack, number: int) -> tuple[str, Entity] | None:
        stored = track.whole(number)
        if stored is None or number > self.channel.edge:
            return None
        rendition = track.rendition
        end_s = stored.end // track.timescale
        entity = Entity(
            track.read(stored),
            content_type=MEDIA_TYPE[rendition.kind],
            cache_control=FOREVER,
            last_modified=end_s,
        )
        return f"{self._base}/{rendition.name}/{number}.m4s", entity

    def _publish_header(self, track: LiveTrack) -> None:
        name = track.rendition.name
        if name not in self._headers:
            self._headers.add(name)
            self._window.hot.put(
                f"{self._base}/{name}/init.mp4",
                Entity(
                    track.header,
                    content_type=MEDIA_TYPE[track.rendition.kind],
                    cache_control=FOREVER,
                    last_modified=self._modified_s(self.channel.kept.first),
                ),
            )

    def _measured(self, track: LiveTrack, first: int, last: int) -> Rendition:
        """The rendition with measured bit rates, moved only when they drift (TR-67, TR-68)."""
        rendition = self.channel.describe(track)
        segments = self.channel.listed(track, first, last)
        peak = peak_bps(segments, track.timescale, self.channel.kept.target_s)
        average = average_bps(segments, track.timescale)
        old_peak, old_average = self._rates.get(rendition.name, (0, 0))
        if peak > old_peak or peak < old_peak * (1 - 2 * DRIFT):
            old_peak = int(peak * (1 + DRIFT))
        if abs(average - old_average) > average * DRIFT:
            old_average = average
        self._rates[rendition.name] = (old_peak, old_average)
        return replace(rendition, bandwidth=old_peak, average_bandwidth=min(old_average, old_peak))

    def _modified_s(self, number: int) -> int:
        """Last-Modified and publishTime come from media time, so that A and B agree (O17, P5)."""
        duration_s = self.channel.duration_s or Fraction(1)
        return int((number + 1) * duration_s)

    def _text(
        self, leaf: str, text: str, content_type: str, max_age_s: int, modified_s: int
    ) -> None:
        body = text.encode()
        self._window.hot.put(
            f"{self._base}/{leaf}",
            Entity(
                body,
                content_type=content_type,
                cache_control=f"public, max-age={max_age_s}",
                last_modified=modified_s,
                gzip=gzip.compress(body, 6, mtime=0),
            ),
        )


def _end_s(period: dash.Period) -> Fraction:
    """Where the reference rendition's last segment of a Period ends."""
    timeline = period.timelines[0]
    return Fraction(timeline.segments[-1].end, timeline.rendition.timescale)
