"""The MPDs of a live channel: Periods from break to break over the published window."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from native.http import Entity
from origin import dash
from origin.live.presentation import Presentation
from origin.live.track import LiveTrack, Stored
from origin.tracks import Rendition

LEAF = "manifest.mpd"


class DashFace:
    """Renders `manifest.mpd` after each step of the edge, at the first request for it."""

    def __init__(self, presentation: Presentation) -> None:
        self._presentation = presentation

    def part(self, track: LiveTrack, segment: Stored) -> None:
        """Nothing in this MPD depends on a segment in the making."""

    def published(self, numbers: Sequence[int]) -> None:
        self._presentation.forget(LEAF)

    def expired(self, gone: Sequence[tuple[str, int]]) -> None:
        """What leaves the disk left the MPD long before (retention is twice the window)."""

    def render(self, leaf: str) -> Entity | None:
        presentation = self._presentation
        if leaf != LEAF or presentation.channel.edge < 0:
            return None
        first, last = presentation.first_listed, presentation.channel.edge
        mpd = self.mpd(presentation.renditions, first, last)
        return presentation.text(mpd, dash.CONTENT_TYPE)

    def mpd(self, tracks: list[tuple[LiveTrack, Rendition]], first: int, last: int) -> str:
        presentation = self._presentation
        channel, settings = presentation.channel, presentation.settings
        duration_s = channel.duration_s or Fraction(1)
        return dash.dynamic_mpd(
            self._periods(tracks, max(first - first % dash.BLOCK, channel.kept.first), last),
            epoch_s=0,
            publish_s=presentation.edge_s,
            segment_s=duration_s,
            max_segment_s=channel.kept.target_s,
            window_s=settings.window_s,
            time_url=settings.time_url,
        )

    def _periods(
        self, tracks: list[tuple[LiveTrack, Rendition]], first: int, last: int
    ) -> list[dash.Period]:
        """One Period from break to break; numbers that any track lacks are in none (D13)."""
        channel = self._presentation.channel
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


def _end_s(period: dash.Period) -> Fraction:
    """Where the reference rendition's last segment of a Period ends."""
    timeline = period.timelines[0]
    return Fraction(timeline.segments[-1].end, timeline.rendition.timescale)
