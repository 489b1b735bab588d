"""The MPDs of a live channel: what is listed, in which Periods, and what changed since (dash.md).

Theory of operation
1. Each step of the edge appends to timelines, drops what left the window, and makes an edition:
   small facts, no text. Texts are written at the first request for them (O19).
2. Editions are kept for as long as a PatchLocation may be used (@ttl); a patch leads from any of
   them to the newest (P3). After a restart there are none, and players fetch the whole (P4, P6).
3. Which renditions a number shows is decided with the number (casts.py), so after a restart, and in
   every other process that reads the same files, the same Periods come out.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from native.http import Entity, Refusal
from origin import dash
from origin.dash.live import Edition, LowLatency, Shown, Span, Terms
from origin.dash.timeline import BLOCK, Line
from origin.delivery.caching import Class
from origin.live.awaited import Awaited, Found
from origin.live.casts import Cast, cast_at
from origin.live.growth import Growth
from origin.live.presentation import Presentation
from origin.live.track import LiveTrack, Stored
from origin.protection.errors import ProtectionError
from origin.tracks import Rendition

STEMS = ("manifest", "ll")
PATCH = re.compile(r"(manifest|ll)-(\d{1,16})\.mpp")
PATCH_TTL_S = 60
LEAST_TARGET_PARTS = 2  # a target latency has room for so many chunks (L6, L7)


@dataclass(slots=True)
class _Period:
    """A Period that is still listed; lines by track, renditions as last told."""

    begin: int
    cast: Cast
    lines: dict[str, Line]
    last: int = -1
    renditions: dict[str, Rendition] = field(default_factory=dict)


class DashFace:
    """`manifest.mpd`, and for channels with parts `ll.mpd`, with their patches. `events` tells the
    event streams of the window.
    """

    def __init__(self, presentation: Presentation) -> None:
        self.events: Callable[[], Sequence[dash.EventStream]] = tuple
        self._presentation = presentation
        self._periods: dict[int, _Period] = {}
        self._next = -1
        self._editions: deque[Edition] = deque()
        self._patches: list[str] = []
        self._keyless: ProtectionError | None = None  # why there is no edition of what is listed
        self._growth = Growth(presentation)
        presentation.early = self._growth.early
        presentation.patch = self.patch

    def part(self, track: LiveTrack, segment: Stored) -> None:
        """No MPD tells of a segment in the making; streams do."""
        self._growth.part(track, segment)

    def published(self, numbers: Sequence[int]) -> None:
        self._growth.published(numbers)
        self._list()
        self._publish()

    def expired(self, gone: Sequence[tuple[str, int]]) -> None:
        """What leaves the disk left the MPDs long before (retention is twice the window)."""

    def keyed(self) -> None:
        if self._keyless is not None:
            self._publish()

    def render(self, leaf: str) -> Entity | None:
        self._hear_the_end()
        stem = leaf.removesuffix(".mpd")
        terms = self.terms(stem) if leaf != stem and stem in STEMS else None
        if terms is not None and self._keyless is not None:
            raise self._keyless
        if terms is None or not self._editions:
            return None
        text = dash.write(terms, self._editions[-1]).finish()
        return self._presentation.manifest(text, dash.CONTENT_TYPE, Class.MANIFEST)

    def patch(self, leaf: str) -> Found | Awaited | None:
        """The way from an older edition to the newest (P4); None for a name that is no patch's.

        Whoever has the newest waits for the next: players ask once in a segment.
        """
        found = PATCH.fullmatch(leaf)
        terms = self.terms(found[1]) if found is not None and self._editions else None
        if found is None or terms is None:
            return None
        presentation, publish_ms = self._presentation, int(found[2])
        early = presentation.refusal(425, "too_early", Class.EARLY)
        limit_s = presentation.settings.hold_s

        def answer() -> Found | None:
            self._hear_the_end()
            newest = self._editions[-1]
            if publish_ms == newest.publish_ms and not newest.ended and limit_s:
                return None
            if publish_ms >= newest.publish_ms:
                return early
            return self._patch(leaf, terms, publish_ms)

        key = (presentation.base, leaf)
        return answer() or Awaited(presentation.channel.name, key, limit_s, early, answer)

    def terms(self, stem: str) -> Terms | None:
        """What holds for this manifest; None for a channel that has no such form."""
        presentation = self._presentation
        channel, settings = presentation.channel, presentation.settings
        low = None
        if stem == "ll":
            if channel.part_s is None:
                return None
            chunk_s = channel.part_s
            most_s = Fraction(settings.window_s, 2)  # D10
            target_s = max(min(settings.latency_s, most_s), LEAST_TARGET_PARTS * chunk_s)
            low = LowLatency(target_s, chunk_s)
        return Terms(
            channel=presentation.name,
            stem=stem,
            segment_s=channel.duration_s or Fraction(1),
            max_segment_s=channel.kept.target_s,
            window_s=settings.window_s,
            time_url=settings.time_url,
            patch_ttl_s=PATCH_TTL_S,
            low=low,
        )

    def _hear_the_end(self) -> None:
        """The end of a channel is no step of its edge (D4)."""
        if self._editions and self._editions[-1].ended != self._presentation.channel.ended:
            self._publish()

    def _publish(self) -> None:
        """Make an edition of what is listed now, in the place of the texts there are. A window with
        nothing but gaps makes none: an MPD has a Period.
        """
        try:
            edition, self._keyless = self._edition(), None
        except ProtectionError as error:
            self._keyless = error
            for leaf in (*(f"{stem}.mpd" for stem in STEMS), *self._patches):
                self._presentation.forget(leaf)
            return
        if not edition.spans:
            return
        oldest_ms = edition.publish_ms - PATCH_TTL_S * 1000
        while self._editions and self._editions[0].publish_ms < oldest_ms:
            self._editions.popleft()
        if self._editions and self._editions[-1].publish_ms == edition.publish_ms:
            self._editions.pop()
        self._editions.append(edition)
        for leaf in (*(f"{stem}.mpd" for stem in STEMS), *self._patches):
            self._presentation.forget(leaf)
        self._patches = []

    def _patch(self, leaf: str, terms: Terms, publish_ms: int) -> Entity | Refusal:
        old = next((e for e in self._editions if e.publish_ms == publish_ms), None)
        text = dash.patch(terms, old, self._editions[-1]) if old is not None else None
        if text is None:
            return self._presentation.refusal(410, "gone", Class.GONE)
        self._patches.append(leaf)
        return self._presentation.text(text, dash.PATCH_CONTENT_TYPE)

    def _list(self) -> None:
        """Take what was published since the last time into the timelines, and trim them."""
        presentation = self._presentation
        channel = presentation.channel
        first = presentation.first_listed
        whole_s = max(channel.kept.first, first - first % BLOCK)  # S runs begin where blocks do
        for number in range(max(self._next, whole_s), channel.edge + 1):
            cast = cast_at(channel.kept.casts, number)
            if not cast.tracks:
                continue
            begin = max(cast.number, presentation.sealing.begins(number))
            period = self._periods.get(begin)
            if period is None:
                lines = {name: Line() for name in cast.tracks}
                period = self._periods[begin] = _Period(begin, cast, lines)
            period.last = number
            for name, line in period.lines.items():
                line.append(number, *self._placed(channel.tracks[name], number))
        self._next = channel.edge + 1
        for begin, period in list(self._periods.items()):
            if period.last < first:
                del self._periods[begin]
                continue
            for line in period.lines.values():
                line.trim(first)

    def _placed(self, track: LiveTrack, number: int) -> tuple[int, int]:
        """Start and duration of a segment (ticks), by the grid where a sparse track is silent."""
        if (stored := track.whole(number)) is not None:
            return stored.start, stored.end - stored.start
        duration_s = self._presentation.channel.duration_s or Fraction(1)
        start = track.boundary(number, duration_s)
        return start, track.boundary(number + 1, duration_s) - start

    def _edition(self) -> Edition:
        presentation = self._presentation
        channel = presentation.channel
        duration_s = channel.duration_s or Fraction(1)
        newest = max(self._periods, default=-1)
        events = tuple(self.events())
        turns = [] if channel.ended else [*presentation.sealing.turns(channel.edge)]
        ends = [turn - 1 for turn in turns] + [None]
        return Edition(
            int((channel.edge + 1) * duration_s * 1000) + channel.ended,
            tuple(
                Span(
                    first=begin,
                    last=period.last,
                    shown=self._shown(period),
                    closed=begin != newest or channel.ended,
                    lag_ms=period.cast.lag_ms,
                    events=events,
                    until=ends[0] if begin == newest else None,
                )
                for begin, period in self._periods.items()
            ),
            ended=channel.ended,
            coming=tuple(
                Span(
                    first=turn,
                    last=turn - 1,
                    shown=self._coming(self._periods[newest], turn),
                    lag_ms=self._periods[newest].cast.lag_ms,
                    events=events,
                    until=end,
                )
                for turn, end in zip(turns, ends[1:], strict=True)
                if newest in self._periods
            ),
        )

    def _shown(self, period: _Period) -> tuple[Shown, ...]:
        """The renditions that the Period began with, as they are told now (D3)."""
        dressed = self._presentation.sealing.dressed
        told = {
            r.name: dressed(r, period.begin)
            for _, r in self._presentation.renditions
            if r.folder in period.lines
        }
        known = period.renditions or told
        period.renditions = {name: told.get(name, r) for name, r in known.items()}
        return tuple(
            Shown(r, line := period.lines[r.folder], line.mark())
            for r in period.renditions.values()
        )

    def _coming(self, period: _Period, turn: int) -> tuple[Shown, ...]:
        """The renditions of the Period that follows this one under other keys."""
        dressed, line = self._presentation.sealing.dressed, Line()
        return tuple(Shown(dressed(r, turn), line, line.mark()) for r in self._undressed(period))

    def _undressed(self, period: _Period) -> list[Rendition]:
        return [r for _, r in self._presentation.renditions if r.name in period.renditions]
